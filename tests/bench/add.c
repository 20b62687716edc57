// SPDX-License-Identifier: MIT
/* Adding 1 to a counter: to 64 in turn, to one, to a million at random. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <numatally/ledger_inline.h>

#include "bench.h"
#include "ledgers.h"
#include "pattern.h"
#include "peers.h"
#include "rseq.h"

/* Lanes of the contenders that have them: a power of two apart. */
#define SMALL_SHIFT 13
#define LARGE_SHIFT 23
#define LARGE_BYTES ((size_t)1 << LARGE_SHIFT)

/* For the random adds: accounts of 8 resources, a cache line each. */
#define NR_COLUMNS  8u
#define NR_ACCOUNTS (PATTERN_NR_RANDOM / NR_COLUMNS)

static struct bench_ledger ledger;	/* that we alone write to */
static struct bench_ledger several;	/* that others may write to */
static struct bench_ledger without;	/* its adds use no sequences */
static char *memory[BENCH_MAX_THREADS]; /* private to a thread */
static char *lanes;			/* one per CPU */
static size_t lane_bytes;

static void *memory_arg(unsigned int thread)
{
	return memory[thread];
}

static void *shared_arg(unsigned int thread)
{
	(void)thread;
	return lanes;
}

static void *ledger_arg(unsigned int thread)
{
	(void)thread;
	return &ledger;
}

static void *several_arg(unsigned int thread)
{
	(void)thread;
	return &several;
}

static void *without_arg(unsigned int thread)
{
	(void)thread;
	return &without;
}

BENCH_LOOP void plain(uint64_t *counters, uint64_t k)
{
	counters[k]++;
	bench_stored(&counters[k]);
}
PATTERN_LOOP(plain, rot)
PATTERN_LOOP(plain, hot)
PATTERN_LOOP(plain, scattered)

BENCH_LOOP void atomic_add(uint64_t *counters, uint64_t k)
{
	__atomic_fetch_add(&counters[k], 1, __ATOMIC_RELAXED);
}
PATTERN_LOOP(atomic_add, rot)
PATTERN_LOOP(atomic_add, hot)
PATTERN_LOOP(atomic_add, scattered)

BENCH_LOOP void getcpu_add(char *all, uint64_t k)
{
	uint64_t lane = (uint64_t)(unsigned int)sched_getcpu();

	atomic_add((uint64_t *)(all + (lane << SMALL_SHIFT)), k);
}
PATTERN_LOOP(getcpu_add, rot)
PATTERN_LOOP(getcpu_add, hot)

#ifdef BENCH_HAS_RSEQ
BENCH_LOOP void bare_rseq(char *all, uint64_t k)
{
	rseq_add(all, k, SMALL_SHIFT);
}
PATTERN_LOOP(bare_rseq, rot)
PATTERN_LOOP(bare_rseq, hot)

BENCH_LOOP void bare_rseq_scattered(void *all, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		rseq_add(all, scattered(i), LARGE_SHIFT);
}
BENCH_ALIGN(bare_rseq_scattered)

#define BARE(order) &bare_rseq_##order##_loops
#else
#define BARE(order) NULL
#endif

/* Ours. Handles are computed: an array of them would cost a load each, and
 * cache. */
struct target {
	struct tally_ledger *ledger;
	uint32_t generation;
};

#define OURS_LOOP(name, op, order)                                   \
	BENCH_LOOP void name(void *arg, uint64_t nr)                 \
	{                                                            \
		const struct bench_ledger *b =                       \
			(const struct bench_ledger *)arg;            \
		const struct target t = {b->ledger,                  \
					 b->accounts[0].generation}; \
		for (uint64_t i = 0; i < nr; i++)                    \
			op(&t, order(i));                            \
	}                                                            \
	BENCH_ALIGN(name)

/* In turn; each account has its counter in the same column. */
BENCH_LOOP void inlined(const struct target *t, uint64_t k)
{
	(void)!tally_ledger_inline_add(
		t->ledger, (struct tally_account){(uint32_t)k, t->generation},
		0, 1);
}
OURS_LOOP(inlined_rot, inlined, rot)
OURS_LOOP(inlined_hot, inlined, hot)

/* The same for a ledger of several writers. */
OURS_LOOP(inflight_rot, inlined, rot)
OURS_LOOP(inflight_hot, inlined, hot)

BENCH_LOOP void call(const struct target *t, uint64_t k)
{
	(void)!tally_ledger_add(
		t->ledger, (struct tally_account){(uint32_t)k, t->generation},
		0, 1);
}
OURS_LOOP(call_rot, call, rot)
OURS_LOOP(call_hot, call, hot)

/* A call that does next to nothing: the price of a call. */
BENCH_LOOP void no_add(const struct target *t, uint64_t k)
{
	(void)k;
	bench_used(tally_ledger_accounts(t->ledger));
}
OURS_LOOP(no_add_rot, no_add, rot)

/* A cell of the million. */
BENCH_LOOP void inlined_cell(const struct target *t, uint64_t k)
{
	(void)!tally_ledger_inline_add(
		t->ledger,
		(struct tally_account){(uint32_t)(k / NR_COLUMNS),
				       t->generation},
		(unsigned int)(k % NR_COLUMNS), 1);
}
OURS_LOOP(inlined_scattered, inlined_cell, scattered)

BENCH_LOOP void without_rot(void *arg, uint64_t nr)
{
	bool was_on = rseq_off();

	call_rot(arg, nr);
	if (was_on)
		rseq_on();
}
BENCH_ALIGN(without_rot)

static int set_up(uint32_t nr_accounts, size_t bytes)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	int err;

	memset(memory, 0, sizeof(memory));
	lane_bytes = bytes * (size_t)(nr_cpus > 0 ? nr_cpus : 1);
	err = bench_ledger_create_alone(nr_accounts, NR_COLUMNS, &ledger);
	if (err)
		return err;
	/* Like a ledger's memory: shared, in small pages. */
	for (unsigned int t = 0; t <= BENCH_MAX_THREADS; t++) {
		size_t size = t < BENCH_MAX_THREADS ? bytes : lane_bytes;
		void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1,
			       0);

		if (p == MAP_FAILED)
			return -errno;
		if (t < BENCH_MAX_THREADS)
			memory[t] = p;
		else
			lanes = p;
	}
	return 0;
}

static int set_up_small(void)
{
	int err = set_up(PATTERN_NR_ROT, 1u << SMALL_SHIFT);

	if (err)
		return err;
	err = bench_ledger_create(0, PATTERN_NR_ROT, NR_COLUMNS, &several);
	if (err)
		return err;
	setenv("NUMATALLY_RSEQ", "0", 1);
	err = bench_ledger_create(0, PATTERN_NR_ROT, NR_COLUMNS, &without);
	unsetenv("NUMATALLY_RSEQ");
	return err ? err : peers_setup();
}

static int set_up_large(void)
{
	return set_up(NR_ACCOUNTS, LARGE_BYTES);
}

static void tear_down(size_t bytes)
{
	bench_ledger_destroy(&ledger);
	for (unsigned int t = 0; t < BENCH_MAX_THREADS; t++)
		if (memory[t])
			munmap(memory[t], bytes);
	if (lanes)
		munmap(lanes, lane_bytes);
	lanes = NULL;
}

static void tear_down_small(void)
{
	peers_teardown();
	bench_ledger_destroy(&without);
	bench_ledger_destroy(&several);
	tear_down(1u << SMALL_SHIFT);
}

static void tear_down_large(void)
{
	tear_down(LARGE_BYTES);
}

static const char *missing(const struct bench_contender *c)
{
	if (!c->loops)
		return "not found when this was configured";
#ifdef BENCH_HAS_RSEQ
	if ((c->loops == BARE(rot) || c->loops == BARE(hot) ||
	     c->loops == BARE(scattered)) &&
	    !rseq_ready(bench_options.counting))
		return "no rseq here";
#endif
	if (c->arg == mmv_arg && !mmv_arg(0))
		return "libpcp_mmv could not make its file";
	return NULL;
}

#define PEERS(order)                                                           \
	{.name = "plain, unsynchronised",                                      \
	 .kind = BENCH_FLOOR,                                                  \
	 .loops = &plain_##order##_loops,                                      \
	 .arg = memory_arg},                                                   \
		{.name = "bare rseq add",                                      \
		 .kind = BENCH_FLOOR,                                          \
		 .loops = BARE(order),                                         \
		 .arg = shared_arg},                                           \
		{.name = "per-thread atomic",                                  \
		 .loops = &atomic_add_##order##_loops,                         \
		 .arg = memory_arg},                                           \
	{                                                                      \
		.name = "shared atomic", .loops = &atomic_add_##order##_loops, \
		.arg = shared_arg                                              \
	}

#define SMALL_PEERS(order)                                         \
	{.name = "sched_getcpu, atomic",                           \
	 .loops = &getcpu_add_##order##_loops,                     \
	 .arg = shared_arg},                                       \
		{.name = "liburcu: per-thread split counter",      \
		 .loops = PEERS_SPLIT(order),                      \
		 .arg = urcu_arg},                                 \
		{.name = "liburcu: cds_lfht look-up, uatomic_add", \
		 .loops = PEERS_LFHT(order),                       \
		 .arg = urcu_arg},                                 \
		{.name = "mutex, uthash by key",                   \
		 .loops = PEERS_UTHASH(order),                     \
		 .arg = hsearch_arg},                              \
		{.name = "mutex, hsearch_r by key",                \
		 .loops = &hsearch_add_##order##_loops,            \
		 .arg = hsearch_arg},                              \
		{.name = "libpcp_mmv: mmv_inc_value",              \
		 .loops = PEERS_MMV_INC(order),                    \
		 .arg = mmv_arg},                                  \
	{                                                          \
		.name = "libpcp_mmv: mmv_stats_add by name",       \
		.loops = PEERS_MMV_ADD(order), .arg = mmv_arg      \
	}

static const struct bench_contender rot_contenders[] = {
	PEERS(rot),
	{.name = "a call into a library that adds nothing",
	 .kind = BENCH_FLOOR,
	 .loops = &no_add_rot_loops,
	 .arg = ledger_arg},
	{.name = "numatally: tally_ledger_inline_add",
	 .kind = BENCH_OURS,
	 .loops = &inlined_rot_loops,
	 .arg = ledger_arg,
	 .row = "add, inline, one process writes",
	 .target_ratio = 2.2,
	 .second_thread_target = 1.05},
	{.name = "numatally: the same, several processes",
	 .kind = BENCH_OURS,
	 .loops = &inflight_rot_loops,
	 .arg = several_arg,
	 .row = "add, inline, several processes write",
	 .target_ratio = 2.2,
	 .second_thread_target = 1.05},
	{.name = "numatally: tally_ledger_add",
	 .kind = BENCH_OURS,
	 .loops = &call_rot_loops,
	 .arg = ledger_arg,
	 .row = "add, through a call",
	 .target_ratio = 3.5,
	 .second_thread_target = 1.05},
	{.name = "numatally: tally_ledger_add, no rseq",
	 .kind = BENCH_OURS,
	 .loops = &without_rot_loops,
	 .arg = without_arg,
	 .row = "add without rseq (atomics on the local lane)",
	 .target_ratio = 16},
	SMALL_PEERS(rot),
};

static const struct bench_contender hot_contenders[] = {
	PEERS(hot),
	{.name = "numatally: tally_ledger_inline_add",
	 .kind = BENCH_OURS,
	 .loops = &inlined_hot_loops,
	 .arg = ledger_arg},
	{.name = "numatally: the same, several processes",
	 .kind = BENCH_OURS,
	 .loops = &inflight_hot_loops,
	 .arg = several_arg},
	{.name = "numatally: tally_ledger_add",
	 .kind = BENCH_OURS,
	 .loops = &call_hot_loops,
	 .arg = ledger_arg},
	SMALL_PEERS(hot),
};

static const struct bench_contender scattered_contenders[] = {
	PEERS(scattered),
	{.name = "numatally: tally_ledger_inline_add",
	 .kind = BENCH_OURS,
	 .loops = &inlined_scattered_loops,
	 .arg = ledger_arg,
	 .row = "add, random over 1M counters in L3",
	 .target_ratio = 1.4},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct bench_group bench_add_groups[] = {
	{.name = "add",
	 .title = "Adding 1 to a counter, rotating over 64",
	 .unit = "add",
	 .contenders = rot_contenders,
	 .nr_contenders = COUNT(rot_contenders),
	 .setup = set_up_small,
	 .teardown = tear_down_small,
	 .missing = missing},
	{.name = "add-hot",
	 .title = "Adding 1 to the same counter",
	 .unit = "add",
	 .contenders = hot_contenders,
	 .nr_contenders = COUNT(hot_contenders),
	 .setup = set_up_small,
	 .teardown = tear_down_small,
	 .missing = missing},
	{.name = "add-random",
	 .title = "Adding 1 to a counter, random over 1M (8 MB)",
	 .unit = "add",
	 .contenders = scattered_contenders,
	 .nr_contenders = COUNT(scattered_contenders),
	 .large = true,
	 .setup = set_up_large,
	 .teardown = tear_down_large,
	 .missing = missing},
};
const size_t bench_nr_add_groups = COUNT(bench_add_groups);
