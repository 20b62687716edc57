// SPDX-License-Identifier: MIT
/* From a release to the return of another process's wait for that room, and from a
 * reserve to the return of another's watch of what is free, beside a bare wake-up of
 * another process. All answer by a bare wake-up. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <numatally/limit.h>
#include <numatally/topo.h>
#include <numatally/watch.h>

#include "bells.h"
#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct bells {
	uint32_t there; /* a bare wake-up */
	uint32_t full;	/* nothing is free: wait for room */
	uint32_t free;	/* all is: watch */
	uint32_t armed; /* the watch has seen it */
	uint32_t back;
};

static char dir[] = "/dev/shm/numatally-bench-XXXXXX";
static char path[sizeof(dir) + 8];
static struct tally_ledger *ledger;
static struct tally_account ours, theirs, watched;
static struct tally_demand one, crossing;
static const struct tally_request request = {
	.size = sizeof(request),
	.demands = &one,
	.nr_demands = 1,
};
static const struct tally_request cross = {
	.size = sizeof(cross),
	.demands = &crossing,
	.nr_demands = 1,
};
static struct tally_token token, crossed;
static bool is_crossed;
static struct bells *bells;
static pid_t bare = -1, waiter = -1, watcher = -1;

static void answer_bell(void)
{
	for (uint32_t n = 0;; n++) {
		ring(&bells->back);
		wait_while(&bells->there, n);
	}
}

static void answer_room(void)
{
	struct tally_ledger *l;

	if (tally_ledger_open(path, &l))
		_exit(1);
	for (uint32_t n = 0;; n++) {
		ring(&bells->back);
		wait_while(&bells->full, n);
		if (tally_limit_wait(l, theirs, &request, -1, NULL))
			_exit(1);
	}
}

static void answer_watch(void)
{
	const struct tally_watch_threshold t = {
		.of = TALLY_WATCH_FREE,
		.side = TALLY_WATCH_BELOW,
		.resource = crossing.resource,
		.node = crossing.node,
		.mark = 1,
	};
	struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = &t,
		.nr_thresholds = 1,
	};
	struct tally_view *view;
	struct tally_watch *w;
	int err;

	if (tally_ledger_open(path, &options.ledger) ||
	    tally_view_open(options.ledger, &view) ||
	    tally_watch_open(view, &options, &w))
		_exit(1);
	for (uint32_t n = 0;; n++) {
		ring(&bells->back);
		wait_while(&bells->free, n);
		/* It looks, and is armed. */
		err = tally_watch_wait(w, 0, NULL);
		ring(&bells->armed);
		if (err != -ETIMEDOUT || tally_watch_wait(w, -1, NULL))
			_exit(1);
	}
}

static pid_t start(void (*answer)(void))
{
	uint32_t back = __atomic_load_n(&bells->back, __ATOMIC_ACQUIRE);
	pid_t pid = fork();
	cpu_set_t all;

	if (!pid) {
		/* On another CPU than this process, if there is one. */
		memset(&all, 0xff, sizeof(all));
		sched_setaffinity(0, sizeof(all), &all);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer();
	}
	if (pid > 0)
		wait_while(&bells->back, back);
	return pid;
}

static int open_ledger(const struct tally_topo *topo)
{
	static const struct tally_resource resources[] = {
		{"cores", "", TALLY_RESERVABLE},
		{"memory", "bytes", TALLY_RESERVABLE},
	};
	int err;

	if (!mkdtemp(dir))
		return -errno;
	snprintf(path, sizeof(path), "%s/ledger", dir);
	err = tally_ledger_create(path, topo, resources, 2, NULL, &ledger);
	one = (struct tally_demand){tally_topo_node(topo, 0)->id, 0, 1};
	crossing = (struct tally_demand){one.node, 1, 1};
	for (unsigned int i = 0; !err && i < 2; i++)
		err = tally_limit_set_capacity(ledger, one.node, i, 1);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(ledger), "ours",
					 &ours);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(ledger),
					 "theirs", &theirs);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(ledger),
					 "watched", &watched);
	return err;
}

static int set_up(void)
{
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	err = open_ledger(topo);
	tally_topo_close(topo);
	if (err)
		return err;
	bells = mmap(NULL, sizeof(*bells), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bells == MAP_FAILED)
		return -1;
	bare = start(answer_bell);
	waiter = start(answer_room);
	watcher = start(answer_watch);
	return bare < 0 || waiter < 0 || watcher < 0 ? -1 : 0;
}

static void stop(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void tear_down(void)
{
	stop(bare);
	stop(waiter);
	stop(watcher);
	tally_ledger_close(ledger);
	unlink(path);
	rmdir(dir);
}

/* Have all, and let the other process wait. */
static void fill(void *arg, uint64_t nr)
{
	const struct timespec nap = {0, 200000};

	(void)arg;
	(void)nr;
	if (tally_limit_reserve(ledger, ours, &request, &token, NULL))
		abort();
	ring(&bells->full);
	nanosleep(&nap, NULL);
}

/* Give all back, and let the other process watch. */
static void arm(void *arg, uint64_t nr)
{
	uint32_t armed = __atomic_load_n(&bells->armed, __ATOMIC_ACQUIRE);
	const struct timespec nap = {0, 200000};

	(void)arg;
	(void)nr;
	if (is_crossed && tally_limit_release(ledger, crossed, NULL, 0))
		abort();
	is_crossed = true;
	ring(&bells->free);
	/* A crossing that comes before it is never seen. */
	wait_while(&bells->armed, armed);
	nanosleep(&nap, NULL);
}

BENCH_LOOP void bell(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t back = __atomic_load_n(&bells->back, __ATOMIC_ACQUIRE);

		ring(&bells->there);
		wait_while(&bells->back, back);
	}
}
BENCH_ALIGN(bell)

BENCH_LOOP void make_room(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t back = __atomic_load_n(&bells->back, __ATOMIC_ACQUIRE);

		if (tally_limit_release(ledger, token, NULL, 0))
			abort();
		wait_while(&bells->back, back);
	}
}
BENCH_ALIGN(make_room)

BENCH_LOOP void cross_it(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t back = __atomic_load_n(&bells->back, __ATOMIC_ACQUIRE);

		if (tally_limit_reserve(ledger, watched, &cross, &crossed,
					NULL))
			abort();
		wait_while(&bells->back, back);
	}
}
BENCH_ALIGN(cross_it)

static void nap(void *arg, uint64_t nr)
{
	const struct timespec t = {0, 200000};

	(void)arg;
	(void)nr;
	nanosleep(&t, NULL);
}

#define BARE "a bare wake-up of another process, and back"

static const struct bench_contender contenders[] = {
	{.name = BARE,
	 .kind = BENCH_FLOOR,
	 .loops = &bell_loops,
	 .before = nap,
	 .max_nr = 1,
	 .alone = true},
	{.name = "numatally: a release, another process's wait ends, and back",
	 .kind = BENCH_OURS,
	 .loops = &make_room_loops,
	 .before = fill,
	 .max_nr = 1,
	 .alone = true,
	 .row = "a wait for room ends after a release",
	 .base = BARE,
	 .target_ratio = 2},
	{.name = "numatally: a reserve, another process's watch fires, and back",
	 .kind = BENCH_OURS,
	 .loops = &cross_it_loops,
	 .before = arm,
	 .max_nr = 1,
	 .alone = true,
	 .row = "a watch fires after a reserve crosses its threshold",
	 .base = BARE,
	 .target_ratio = 2},
};

const struct bench_group bench_wait_groups[] = {
	{.name = "wait",
	 .title = "Waiting for what another process does: room, or a crossing",
	 .unit = "wake-up",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_wait_groups = COUNT(bench_wait_groups);
