// SPDX-License-Identifier: MIT
/* Taking a snapshot of few and of many accounts, beside a bare membarrier. The
 * second thread adds meanwhile. */
#include "config.h"

#include <linux/membarrier.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "bench.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An exclusive ledger, and the snapshot that is pinned. */
static struct subject {
	struct bench_ledger ledger;
	struct tally_view *view;
} few, many;
static bool has_barrier;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
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

/* Untimed: the last snapshot is closed, and folded. */
static void release(void *arg, uint64_t nr)
{
	struct subject *s = (struct subject *)arg;

	(void)nr;
	if (!s)
		return;
	tally_view_close(s->view);
	s->view = NULL;
	if (s->ledger.ledger && tally_ledger_fold(s->ledger.ledger, 1000000000))
		abort();
}

/* The same with other data in the caches, as after folding many accounts. */
static void release_cold(void *arg, uint64_t nr)
{
	static uint64_t other[1 << 22]; /* 32 MiB */

	release(arg, nr);
	for (size_t i = 0; i < COUNT(other); i += 8)
		other[i]++;
}

/* All of its accounts have amounts in both banks. */
static int make(struct subject *s, uint32_t nr_accounts)
{
	int err = bench_ledger_create_alone(nr_accounts, 8, &s->ledger);

	for (int bank = 0; bank < 2 && !err; bank++) {
		for (uint32_t i = 0; i < nr_accounts && !err; i++)
			err = tally_ledger_add(s->ledger.ledger,
					       s->ledger.accounts[i], 0, 1);
		if (!err)
			err = tally_view_snapshot(s->ledger.ledger, 0,
						  1000000000, &s->view);
		release(s, 0);
	}
	return err;
}

static int set_up(void)
{
	uint32_t nr = bench_options.quick ? 10000 : 1000000;
	int err = make(&few, 1000);

	has_barrier =
		membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) == 0;
	return err ? err : make(&many, nr);
}

static void tear_down(void)
{
	release(&few, 0);
	release(&many, 0);
	bench_ledger_destroy(&few.ledger);
	bench_ledger_destroy(&many.ledger);
}

BENCH_LOOP void barrier(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
}
BENCH_ALIGN(barrier)

BENCH_LOOP void writer(void *arg, uint64_t nr)
{
	const struct subject *s = (const struct subject *)arg;

	/* As many as take about as long as a snapshot. */
	for (uint64_t i = 0; i < nr * 10000; i++)
		(void)!tally_ledger_inline_add(
			s->ledger.ledger, s->ledger.accounts[i % 512], 0, 1);
}
BENCH_ALIGN(writer)

BENCH_LOOP void snap(void *arg, uint64_t nr)
{
	struct subject *s = (struct subject *)arg;

	for (uint64_t i = 0; i < nr; i++)
		if (tally_view_snapshot(s->ledger.ledger, 0, 1000000000,
					&s->view))
			abort();
}
BENCH_ALIGN(snap)

/* The same loop over more. */
BENCH_LOOP void snap_large(void *arg, uint64_t nr)
{
	snap(arg, nr);
}
BENCH_ALIGN(snap_large)

BENCH_LOOP void open_view(void *arg, uint64_t nr)
{
	const struct subject *s = (const struct subject *)arg;
	struct tally_view *view;

	for (uint64_t i = 0; i < nr; i++)
		if (!tally_view_open(s->ledger.ledger, &view))
			tally_view_close(view);
}
BENCH_ALIGN(open_view)

BENCH_LOOP void snap_cold(void *arg, uint64_t nr)
{
	snap(arg, nr);
}
BENCH_ALIGN(snap_cold)

static const char *missing(const struct bench_contender *c)
{
	return c->loops == &barrier_loops && !has_barrier ? "no membarrier here"
							  : NULL;
}

#define COLD "numatally: snapshot, 1,000 accounts, caches cold"

#define BUSY .company = &writer_loops, .company_arg = few_arg
#define ONCE .before = release, .max_nr = 1

/*
 * One at a time, each released untimed; the barrier is timed in the same way.
 */
static const struct bench_contender contenders[] = {
	{.name = "bare membarrier",
	 .kind = BENCH_FLOOR,
	 .loops = &barrier_loops,
	 ONCE,
	 BUSY},
	{.name = "numatally: snapshot, 1,000 accounts",
	 .kind = BENCH_OURS,
	 .loops = &snap_loops,
	 .arg = few_arg,
	 ONCE,
	 BUSY,
	 .row = "taking a snapshot",
	 .target_ratio = 1.1},
	{.name = COLD,
	 .kind = BENCH_OURS,
	 .loops = &snap_cold_loops,
	 .arg = few_arg,
	 .before = release_cold,
	 .max_nr = 1,
	 BUSY},
	{.name = "numatally: snapshot, 1,000,000, caches cold",
	 .kind = BENCH_OURS,
	 .loops = &snap_large_loops,
	 .arg = many_arg,
	 .before = release_cold,
	 .max_nr = 1,
	 .company = &writer_loops,
	 .company_arg = many_arg,
	 .row = "taking a snapshot, of 1,000,000 accounts, caches cold",
	 .base = COLD,
	 .target_ratio = 1.5},
	{.name = "numatally: live view, opened and closed",
	 .kind = BENCH_OURS,
	 .loops = &open_view_loops,
	 .arg = few_arg,
	 .company = &writer_loops,
	 .company_arg = few_arg},
};

const struct bench_group bench_snapshot_groups[] = {
	{.name = "snapshot",
	 .title = "Taking a snapshot, beside a membarrier",
	 .unit = "snapshot",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down,
	 .missing = missing},
};
const size_t bench_nr_snapshot_groups = COUNT(bench_snapshot_groups);
