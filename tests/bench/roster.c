// SPDX-License-Identifier: MIT
/*
 * Reading a node's roster under a writer that never stops. Each read is timed
 * for itself, since what counts is how long the slow ones take. A read loads
 * each entry of the list once, and of two sums that it makes no list with an
 * entry twice, or without one, gets both right.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <numatally/limit.h>
#include <numatally/topo.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_ACCOUNTS  110u
#define NR_TICKS     (1u << 16) /* that a read is told apart by */

enum contender {
	CLOCK,
	FOUND,
	BARE,
	ROSTER,
	MUTEX,
	RWLOCK,
	COPY,
	NR_CONTENDERS
};

/* What the writer changes beside the roster, as one would write it by hand. */
struct list {
	uint32_t nr;
	uint64_t sequence;
	struct tally_account accounts[NR_ACCOUNTS]
		__attribute__((aligned(128)));
	pthread_mutex_t mutex __attribute__((aligned(128)));
	pthread_rwlock_t rwlock __attribute__((aligned(128)));
	/* An account's place, for the writer */
	uint32_t at[NR_ACCOUNTS] __attribute__((aligned(128)));
};

static struct {
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct tally_account accounts[NR_ACCOUNTS];
	struct tally_token tokens[NR_ACCOUNTS];
	struct tally_demand demand;
} node;

static struct list list __attribute__((aligned(128))) = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.rwlock = PTHREAD_RWLOCK_INITIALIZER,
};

/* Which contender reads, as the reader says and as the writer knows. */
static struct {
	pthread_t thread;
	bool started;
	int wanted __attribute__((aligned(128)));
	int known __attribute__((aligned(128)));
	uint64_t nr_edits;
} writer;

static struct reads {
	enum contender which;
	uint64_t nr, nr_again, nr_torn;
	uint32_t of_ticks[NR_TICKS]; /* the last: all that took longer */
} reads[NR_CONTENDERS];

static double began_ns;
static uint64_t began_ticks;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* In order with the loads around it. */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc\n\tlfence"
			 : "=a"(low), "=d"(high)
			 :
			 : "memory");
	return (uint64_t)high << 32 | low;
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (uint64_t)now_ns();
#endif
}

/*
 * ---- the writer ------------------------------------------------------------
 */

static void list_remove(uint32_t which)
{
	struct tally_account last = list.accounts[list.nr - 1];

	list.accounts[list.at[which]] = last;
	list.at[last.row] = list.at[which];
	__atomic_store_n(&list.nr, list.nr - 1, __ATOMIC_RELAXED);
}

static void list_add(uint32_t which)
{
	list.at[which] = list.nr;
	list.accounts[list.nr] = node.accounts[which];
	__atomic_store_n(&list.nr, list.nr + 1, __ATOMIC_RELAXED);
}

static void edit_copied(void (*edit)(uint32_t which), uint32_t which)
{
	__atomic_store_n(&list.sequence, list.sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	edit(which);
	__atomic_store_n(&list.sequence, list.sequence + 1, __ATOMIC_RELEASE);
}

static void edit_as(int contender, void (*edit)(uint32_t which), uint32_t which)
{
	switch (contender) {
	case MUTEX:
		pthread_mutex_lock(&list.mutex);
		edit(which);
		pthread_mutex_unlock(&list.mutex);
		break;
	case RWLOCK:
		pthread_rwlock_wrlock(&list.rwlock);
		edit(which);
		pthread_rwlock_unlock(&list.rwlock);
		break;
	case COPY:
		edit_copied(edit, which);
		break;
	default:
		edit(which);
	}
}

static int reserve(uint32_t which)
{
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &node.demand,
					      .nr_demands = 1};

	return tally_limit_reserve(node.ledger, node.accounts[which], &request,
				   &node.tokens[which], NULL);
}

/* One account after the other leaves the node and comes back: to the ledger in
 * any case, so that every list changes as often. */
static void *write_on(void *arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (bench_options.cpus[1] >= 0) {
		CPU_SET((unsigned int)bench_options.cpus[1], &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	for (uint32_t i = 0;; i = (i + 1) % NR_ACCOUNTS) {
		int contender =
			__atomic_load_n(&writer.wanted, __ATOMIC_RELAXED);

		if (contender < 0)
			return arg;
		if (tally_limit_release(node.ledger, node.tokens[i], NULL, 0))
			abort();
		edit_as(contender, list_remove, i);
		if (reserve(i))
			abort();
		edit_as(contender, list_add, i);
		writer.nr_edits += 2;
		__atomic_store_n(&writer.known, contender, __ATOMIC_RELEASE);
	}
}

/*
 * ---- the readers -----------------------------------------------------------
 */

struct sums {
	uint64_t nr, rows, squares;
};

static inline __attribute__((always_inline)) struct sums
scan(const struct tally_account *accounts, uint32_t nr)
{
	struct sums s = {.nr = nr};

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t row =
			__atomic_load_n(&accounts[i].row, __ATOMIC_RELAXED);

		s.rows += row;
		s.squares += row * row;
	}
	return s;
}

/* All accounts, or all but one. */
static bool is_torn(struct sums s)
{
	uint64_t rows = (uint64_t)NR_ACCOUNTS * (NR_ACCOUNTS - 1) / 2;
	uint64_t squares = rows * (2 * NR_ACCOUNTS - 1) / 3;
	uint64_t row = rows - s.rows;

	if (s.nr == NR_ACCOUNTS)
		return row || s.squares != squares;
	return s.nr != NR_ACCOUNTS - 1 || row >= NR_ACCOUNTS ||
	       squares - s.squares != row * row;
}

static inline void count(struct reads *r, uint64_t took, struct sums s)
{
	r->nr++;
	r->of_ticks[took < NR_TICKS ? took : NR_TICKS - 1]++;
	r->nr_torn += is_torn(s);
}

static inline __attribute__((always_inline)) struct sums
read_nothing(struct reads *r)
{
	(void)r;
	return (struct sums){.nr = NR_ACCOUNTS};
}

static struct tally_roster found_roster;

static inline __attribute__((always_inline)) struct sums
read_found(struct reads *r)
{
	(void)r;
	return scan(found_roster.accounts, found_roster.nr_accounts);
}

static inline __attribute__((always_inline)) struct sums
read_bare(struct reads *r)
{
	(void)r;
	return scan(list.accounts, __atomic_load_n(&list.nr, __ATOMIC_RELAXED));
}

static inline __attribute__((always_inline)) struct sums
read_roster(struct reads *r)
{
	for (;; r->nr_again++) {
		struct tally_roster roster;
		struct sums s;

		if (tally_limit_roster(node.view, node.demand.node, &roster))
			abort();
		s = scan(roster.accounts, roster.nr_accounts);
		if (!tally_limit_roster_check(node.view, &roster))
			return s;
	}
}

static inline __attribute__((always_inline)) struct sums
read_mutex(struct reads *r)
{
	struct sums s;

	(void)r;
	pthread_mutex_lock(&list.mutex);
	s = scan(list.accounts, list.nr);
	pthread_mutex_unlock(&list.mutex);
	return s;
}

static inline __attribute__((always_inline)) struct sums
read_rwlock(struct reads *r)
{
	struct sums s;

	(void)r;
	pthread_rwlock_rdlock(&list.rwlock);
	s = scan(list.accounts, list.nr);
	pthread_rwlock_unlock(&list.rwlock);
	return s;
}

static inline __attribute__((always_inline)) struct sums
read_copy(struct reads *r)
{
	for (;; r->nr_again++) {
		struct tally_account copy[NR_ACCOUNTS];
		uint64_t sequence =
			__atomic_load_n(&list.sequence, __ATOMIC_ACQUIRE);
		uint32_t nr = __atomic_load_n(&list.nr, __ATOMIC_RELAXED);

		if (sequence & 1)
			continue;
		memcpy(copy, list.accounts, nr * sizeof(*copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&list.sequence, __ATOMIC_RELAXED) ==
		    sequence)
			return scan(copy, nr);
	}
}

#define READER(name)                                    \
	BENCH_LOOP void name(void *arg, uint64_t nr)    \
	{                                               \
		struct reads *r = (struct reads *)arg;  \
                                                        \
		for (uint64_t i = 0; i < nr; i++) {     \
			uint64_t start = ticks();       \
			struct sums s = read_##name(r); \
                                                        \
			bench_used(s.rows);             \
			bench_used(s.squares);          \
			count(r, ticks() - start, s);   \
		}                                       \
	}                                               \
	BENCH_ALIGN(name)

READER(nothing)
READER(found)
READER(bare)
READER(roster)
READER(mutex)
READER(rwlock)
READER(copy)

/*
 * ---- the group -------------------------------------------------------------
 */

/* The writer turns to this contender's list. */
static void turn_to(void *arg, uint64_t nr)
{
	struct reads *r = (struct reads *)arg;

	(void)nr;
	__atomic_store_n(&writer.wanted, (int)r->which, __ATOMIC_RELEASE);
	while (__atomic_load_n(&writer.known, __ATOMIC_ACQUIRE) !=
	       (int)r->which)
		sched_yield();
	if (tally_limit_roster(node.view, node.demand.node, &found_roster))
		abort();
}

static int fill(void)
{
	char key[16];
	int err = 0;

	list.nr = 0;
	for (uint32_t i = 0; !err && i < NR_ACCOUNTS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		err = tally_account_open(tally_ledger_accounts(node.ledger),
					 key, &node.accounts[i]);
		if (!err && node.accounts[i].row != i)
			abort();
		if (!err)
			err = reserve(i);
		if (!err)
			list_add(i);
	}
	return err;
}

static int set_up(void)
{
	static const struct tally_resource cores = {"cores", "",
						    TALLY_RESERVABLE};
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	node.demand = (struct tally_demand){tally_topo_node(topo, 0)->id, 0, 1};
	err = tally_ledger_create(NULL, topo, &cores, 1, NULL, &node.ledger);
	tally_topo_close(topo);
	if (!err)
		err = fill();
	if (!err)
		err = tally_view_open(node.ledger, &node.view);
	memset(reads, 0, sizeof(reads));
	for (int i = 0; i < NR_CONTENDERS; i++)
		reads[i].which = (enum contender)i;
	writer.wanted = CLOCK;
	writer.known = -1;
	began_ns = now_ns();
	began_ticks = ticks();
	if (!err)
		err = -pthread_create(&writer.thread, NULL, write_on, NULL);
	writer.started = !err;
	return err;
}

static double ns_of_tick = 1, edit_ns;

static void tear_down(void)
{
	double ns = now_ns() - began_ns;

	ns_of_tick = ns / (double)(ticks() - began_ticks);
	if (writer.started) {
		__atomic_store_n(&writer.wanted, -1, __ATOMIC_RELEASE);
		pthread_join(writer.thread, NULL);
		edit_ns = ns / (double)writer.nr_edits;
	}
	tally_view_close(node.view);
	tally_ledger_close(node.ledger);
	node.view = NULL;
	node.ledger = NULL;
}

/* How long the reads up to this part of all took, without the clock. */
static double quantile_ns(const struct reads *r, double part)
{
	uint64_t before = (uint64_t)((double)r->nr * part), nr = 0;
	uint32_t i = 0;

	while (i + 1 < NR_TICKS && (nr += r->of_ticks[i]) <= before)
		i++;
	return ((double)i + 1) * ns_of_tick;
}

/* Without the clock's own time. */
static double net_ns(const struct reads *r, double part)
{
	double ns = quantile_ns(r, part) - quantile_ns(&reads[CLOCK], 0.5);

	return ns > 0 ? ns : 0;
}

#define ARG(name, which)                             \
	static void *name##_arg(unsigned int thread) \
	{                                            \
		(void)thread;                        \
		return &reads[which];                \
	}
ARG(nothing, CLOCK)
ARG(found, FOUND)
ARG(bare, BARE)
ARG(roster, ROSTER)
ARG(mutex, MUTEX)
ARG(rwlock, RWLOCK)
ARG(copy, COPY)

#define READS(text, loop, is)                                         \
	{                                                             \
		.name = (text), .kind = (is), .loops = &loop##_loops, \
		.arg = loop##_arg, .before = turn_to, .alone = true   \
	}
static const struct bench_contender contenders[] = {
	[CLOCK] = READS("the clock alone", nothing, BENCH_FLOOR),
	[FOUND] =
		READS("unprotected, the roster found once", found, BENCH_FLOOR),
	[BARE] = READS("unprotected, a list of its own", bare, BENCH_FLOOR),
	[ROSTER] = READS("numatally: roster", roster, BENCH_OURS),
	[MUTEX] = READS("a pthread mutex", mutex, BENCH_PEER),
	[RWLOCK] = READS("a pthread rwlock", rwlock, BENCH_PEER),
	[COPY] = READS("a copy, by a sequence (seqlock)", copy, BENCH_PEER),
};
_Static_assert(COUNT(contenders) == NR_CONTENDERS, "each has its reads");

static void note(FILE *to)
{
	double base[] = {net_ns(&reads[BARE], 0.5), net_ns(&reads[BARE], 0.99)};

	fprintf(to, "  %-46s %9s %8s %9s %8s %9s %9s\n",
		"a read, without the clock", "P50", "", "P99", "", "again",
		"torn");
	for (int i = FOUND; i < NR_CONTENDERS; i++) {
		const struct reads *r = &reads[i];
		double p50 = net_ns(r, 0.5), p99 = net_ns(r, 0.99);

		fprintf(to,
			"%c %-46s %6.1f ns %7.2fx %6.1f ns %7.2fx %9.2g %9.2g\n",
			i == ROSTER ? '*' : ' ', contenders[i].name, p50,
			base[0] > 0 ? p50 / base[0] : 0, p99,
			base[1] > 0 ? p99 / base[1] : 0,
			(double)r->nr_again / (double)(r->nr ? r->nr : 1),
			(double)r->nr_torn / (double)(r->nr ? r->nr : 1));
	}
	fprintf(to,
		"  %.3g reads of the roster, of which %.0f were torn; an edit "
		"each %.0f ns\n",
		(double)reads[ROSTER].nr, (double)reads[ROSTER].nr_torn,
		edit_ns);
}

const struct bench_group bench_roster_groups[] = {
	{.name = "roster",
	 .title = "Reading 110 accounts of a node, under a writer that never "
		  "stops",
	 .unit = "read",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down,
	 .note = note},
};
const size_t bench_nr_roster_groups = COUNT(bench_roster_groups);
