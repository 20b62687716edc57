// SPDX-License-Identifier: MIT
/*
 * Snapshots of a process with read permission alone, which another process takes
 * for it, beside a writer's own snapshot and a bare wake-up of another process.
 */
#include "config.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <numatally/reader.h>

#include "bells.h"
#include "bench.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND_NS    1000000000

/* What two processes wake each other by. */
struct bells {
	uint32_t there, back;
};

static struct bench_ledger ledger;
static struct tally_reader *reader;
static struct tally_view *view;
static struct bells *bells;
static pid_t server = -1;

/* Another process: it serves the ledger, and answers to the bell. */
static void serve(void)
{
	struct tally_ledger *l;
	cpu_set_t all;

	/* On another CPU than the reader, if there is one. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tally_ledger_open(ledger.path, &l) || tally_ledger_serve(l, 0))
		_exit(1);
	for (uint32_t n = 0;; n++) {
		ring(&bells->back);
		wait_while(&bells->there, n);
	}
}

static int set_up(void)
{
	int err = bench_ledger_create(0, bench_options.quick ? 1000 : 100000, 8,
				      &ledger);

	if (err)
		return err;
	bells = mmap(NULL, sizeof(*bells), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bells == MAP_FAILED)
		return -1;
	server = fork();
	if (!server)
		serve();
	if (server < 0)
		return -1;
	wait_while(&bells->back, 0);
	return tally_reader_open(ledger.path, &reader);
}

static void release(void *arg, uint64_t nr)
{
	const struct timespec nap = {0, 100000};

	(void)arg;
	(void)nr;
	tally_view_close(view);
	view = NULL;
	if (tally_ledger_fold(ledger.ledger, SECOND_NS))
		abort();
	/* The process that serves sleeps again. */
	nanosleep(&nap, NULL);
}

static void tear_down(void)
{
	release(NULL, 0);
	tally_reader_close(reader);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	bench_ledger_destroy(&ledger);
}

static void snapshot(void)
{
	if (tally_view_snapshot(ledger.ledger, 0, SECOND_NS, &view))
		abort();
}

static void wake(void)
{
	uint32_t back = __atomic_load_n(&bells->back, __ATOMIC_ACQUIRE);

	ring(&bells->there);
	wait_while(&bells->back, back);
}

BENCH_LOOP void wake_up(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		wake();
}
BENCH_ALIGN(wake_up)

BENCH_LOOP void own_snapshot(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		snapshot();
}
BENCH_ALIGN(own_snapshot)

BENCH_LOOP void both(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		wake();
		snapshot();
	}
}
BENCH_ALIGN(both)

BENCH_LOOP void readers_snapshot(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		if (tally_reader_snapshot(reader, 0, SECOND_NS, &view))
			abort();
}
BENCH_ALIGN(readers_snapshot)

/* Every account was touched. */
static void open_large(void *arg, uint64_t nr)
{
	release(arg, nr);
	for (uint32_t i = 0; i < ledger.nr_accounts; i++)
		(void)!tally_ledger_add(ledger.ledger, ledger.accounts[i], 0,
					1);
	if (tally_reader_snapshot(reader, 0, SECOND_NS, &view))
		abort();
}

BENCH_LOOP void close_view(void *arg, uint64_t nr)
{
	(void)arg;
	(void)nr;
	tally_view_close(view);
	view = NULL;
}
BENCH_ALIGN(close_view)

#define BOTH "a writer's snapshot, and a bare wake-up"
#define ONCE .before = release, .max_nr = 1, .alone = true

static const struct bench_contender contenders[] = {
	{.name = "a bare wake-up of another process, and back",
	 .kind = BENCH_FLOOR,
	 .loops = &wake_up_loops,
	 ONCE},
	{.name = "numatally: a writer's snapshot",
	 .kind = BENCH_OURS,
	 .loops = &own_snapshot_loops,
	 ONCE},
	{.name = BOTH, .kind = BENCH_FLOOR, .loops = &both_loops, ONCE},
	{.name = "numatally: a reader's snapshot",
	 .kind = BENCH_OURS,
	 .loops = &readers_snapshot_loops,
	 ONCE,
	 .row = "a reader's snapshot",
	 .base = BOTH,
	 .target_ratio = 1.1},
	{.name = "numatally: a reader closes one of 100,000 accounts",
	 .kind = BENCH_OURS,
	 .loops = &close_view_loops,
	 .before = open_large,
	 .max_nr = 1,
	 .alone = true,
	 .row = "a reader closes a snapshot, 100,000 accounts touched",
	 .target_ns = 50000},
};

const struct bench_group bench_serve_groups[] = {
	{.name = "serve",
	 .title = "A reader's snapshot, which another process takes",
	 .unit = "snapshot",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_serve_groups = COUNT(bench_serve_groups);
