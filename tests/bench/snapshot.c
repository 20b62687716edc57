// SPDX-License-Identifier: MIT
/* Opening a view, at few and at many accounts, beside a bare membarrier. The
 * second thread adds meanwhile. */
#include "config.h"

#include <linux/membarrier.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/view.h>

#include "bench.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bench_ledger few, many;
static bool has_barrier;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static int set_up(void)
{
	uint32_t nr = bench_options.quick ? 10000 : 1000000;
	int err = bench_ledger_create(0, 1000, 8, &few);

	has_barrier = membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
	return err ? err : bench_ledger_create(0, nr, 8, &many);
}

static void tear_down(void)
{
	bench_ledger_destroy(&few);
	bench_ledger_destroy(&many);
}

static void *few_arg(unsigned int thread)
{
	(void)thread;
	return &few;
}

static void *many_arg(unsigned int thread)
{
	(void)thread;
	return &many;
}

BENCH_LOOP void barrier(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}
BENCH_ALIGN(barrier)

BENCH_LOOP void writer(void *arg, uint64_t nr)
{
	const struct bench_ledger *b = (const struct bench_ledger *)arg;

	for (uint64_t i = 0; i < nr; i++)
		tally_ledger_add(b->ledger, b->accounts[i % 512], 0, 1);
}
BENCH_ALIGN(writer)

BENCH_LOOP void open_view(void *arg, uint64_t nr)
{
	const struct bench_ledger *b = (const struct bench_ledger *)arg;
	struct tally_view *view;

	for (uint64_t i = 0; i < nr; i++)
		if (!tally_view_open(b->ledger, &view))
			tally_view_close(view);
}
BENCH_ALIGN(open_view)

/* The same loop over more. */
BENCH_LOOP void open_large(void *arg, uint64_t nr)
{
	open_view(arg, nr);
}
BENCH_ALIGN(open_large)

static const char *missing(const struct bench_contender *c)
{
	return c->loops == &barrier_loops && !has_barrier ? "no membarrier here"
							  : NULL;
}

static const struct bench_contender contenders[] = {
	{.name = "bare membarrier",
	 .kind = BENCH_FLOOR,
	 .loops = &barrier_loops,
	 .company = &writer_loops,
	 .company_arg = few_arg},
	{.name = "numatally: live view, 1,000 accounts",
	 .kind = BENCH_OURS,
	 .loops = &open_view_loops,
	 .arg = few_arg,
	 .company = &writer_loops,
	 .company_arg = few_arg},
	{.name = "numatally: live view, 1,000,000 accounts",
	 .kind = BENCH_OURS,
	 .loops = &open_large_loops,
	 .arg = many_arg,
	 .company = &writer_loops,
	 .company_arg = many_arg},
};

const struct bench_group bench_snapshot_groups[] = {
	{.name = "snapshot",
	 .title = "Opening and closing a view, beside a membarrier",
	 .unit = "view",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down,
	 .missing = missing},
};
const size_t bench_nr_snapshot_groups = COUNT(bench_snapshot_groups);
