// SPDX-License-Identifier: MIT
/* Reserving or taking 1 and giving it back: far from a limit, at it, and with
 * nothing free; beside what one would write by hand. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <urcu/arch.h>

#include <numatally/ledger_inline.h>
#include <numatally/limit_inline.h>
#include <numatally/topo.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FAR	     1000000

/* Shared words have cache lines of their own. */
static struct {
	int64_t held, capacity;
	pthread_mutex_t lock;
	pthread_mutex_t robust;
} counter __attribute__((aligned(128))) = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct {
	uint64_t next __attribute__((aligned(128)));
	uint64_t served __attribute__((aligned(128)));
} tickets;

static struct {
	int64_t held __attribute__((aligned(128)));
	int64_t capacity;
} private[BENCH_MAX_THREADS];

/* Each thread has one account with one reservation. */
struct seat {
	struct tally_ledger *ledger __attribute__((aligned(128)));
	struct tally_account account;
	struct tally_demand demand;
	/* Of other accounts: with several writers, or exclusive */
	struct tally_credit credit, alone;
};
static struct seat seats[BENCH_MAX_THREADS];
static struct tally_ledger *ledger;

/* An exclusive ledger. */
static struct tally_ledger *alone;
enum { EVENTS, CORES };
static struct tally_account counted;

static uint64_t nr_refused; /* of ours, and of all of these */
static uint64_t nr_asked;

static void *private_arg(unsigned int thread)
{
	return &private[thread];
}

static void *seat_arg(unsigned int thread)
{
	return &seats[thread];
}

/*
 * ---- the contenders --------------------------------------------------------
 */

BENCH_LOOP void plain(void *arg, uint64_t nr)
{
	int64_t *held = (int64_t *)arg;

	for (uint64_t i = 0; i < nr; i++) {
		if (*held + 1 > held[1])
			continue;
		++*held;
		bench_stored(held);
		--*held;
		bench_stored(held);
	}
}

BENCH_LOOP bool take_by_cas(void)
{
	int64_t held = __atomic_load_n(&counter.held, __ATOMIC_RELAXED);

	do
		if (held + 1 > counter.capacity)
			return false;
	while (!__atomic_compare_exchange_n(&counter.held, &held, held + 1,
					    true, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED));
	return true;
}

BENCH_LOOP void cas(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		if (take_by_cas())
			__atomic_fetch_sub(&counter.held, 1, __ATOMIC_RELEASE);
}

BENCH_LOOP void ticket_lock(void)
{
	uint64_t mine = __atomic_fetch_add(&tickets.next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&tickets.served, __ATOMIC_ACQUIRE) != mine)
		caa_cpu_relax();
}

BENCH_LOOP void ticket_unlock(void)
{
	__atomic_store_n(&tickets.served, tickets.served + 1, __ATOMIC_RELEASE);
}

#define LOCKED(name, lock, unlock)                                   \
	BENCH_LOOP void name(void *arg, uint64_t nr)                 \
	{                                                            \
		(void)arg;                                           \
		for (uint64_t i = 0; i < nr; i++) {                  \
			bool fits;                                   \
                                                                     \
			lock;                                        \
			fits = counter.held + 1 <= counter.capacity; \
			counter.held += fits;                        \
			unlock;                                      \
			if (!fits)                                   \
				continue;                            \
			lock;                                        \
			counter.held--;                              \
			unlock;                                      \
		}                                                    \
	}
LOCKED(mutex, pthread_mutex_lock(&counter.lock),
       pthread_mutex_unlock(&counter.lock))
LOCKED(robust_mutex, pthread_mutex_lock(&counter.robust),
       pthread_mutex_unlock(&counter.robust))
LOCKED(by_ticket, ticket_lock(), ticket_unlock())

BENCH_LOOP void reserve(void *arg, uint64_t nr)
{
	const struct seat *seat = (const struct seat *)arg;
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &seat->demand,
					      .nr_demands = 1};
	uint64_t refused = 0;

	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;
		int err = tally_limit_reserve(seat->ledger, seat->account,
					      &request, &token, NULL);

		if (err == -ENOSPC)
			refused++;
		else if (err ||
			 tally_limit_release(seat->ledger, token, NULL, 0))
			abort();
	}
	__atomic_fetch_add(&nr_refused, refused, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_asked, nr, __ATOMIC_RELAXED);
}

#define TAKE(name, credit, take, give)                                      \
	BENCH_LOOP void name(void *arg, uint64_t nr)                        \
	{                                                                   \
		const struct seat *seat = (const struct seat *)arg;         \
		uint64_t refused = 0;                                       \
                                                                            \
		for (uint64_t i = 0; i < nr; i++) {                         \
			int err = take(&seat->credit, 1);                   \
                                                                            \
			if (err == -ENOSPC)                                 \
				refused++;                                  \
			else if (err || give(&seat->credit, 1))             \
				abort();                                    \
		}                                                           \
		__atomic_fetch_add(&nr_refused, refused, __ATOMIC_RELAXED); \
		__atomic_fetch_add(&nr_asked, nr, __ATOMIC_RELAXED);        \
	}
TAKE(take, alone, tally_limit_take, tally_limit_give)
TAKE(take_inlined, alone, tally_limit_inline_take, tally_limit_inline_give)
TAKE(take_several, credit, tally_limit_inline_take, tally_limit_inline_give)

BENCH_LOOP void add_twice(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		(void)!tally_ledger_inline_add(alone, counted, EVENTS, 1);
		(void)!tally_ledger_inline_add(alone, counted, EVENTS, -1);
	}
}
BENCH_ALIGN(add_twice)

/* Functions of their own for each group, so that instructions can be counted. */
#define LOOP(name, group)                                      \
	BENCH_LOOP void name##_##group(void *arg, uint64_t nr) \
	{                                                      \
		name(arg, nr);                                 \
	}                                                      \
	BENCH_ALIGN(name##_##group)
#define LOOPS(group)              \
	LOOP(plain, group)        \
	LOOP(cas, group)          \
	LOOP(mutex, group)        \
	LOOP(robust_mutex, group) \
	LOOP(by_ticket, group)    \
	LOOP(reserve, group)      \
	LOOP(take, group)         \
	LOOP(take_several, group) \
	LOOP(take_inlined, group)

LOOPS(far)
LOOPS(last)
LOOPS(none)

/*
 * ---- capacities ------------------------------------------------------------
 */

static int open_credit(struct tally_ledger *l, const char *key, int node,
		       unsigned int resource, struct tally_credit *credit)
{
	struct tally_account account;
	int err = tally_account_open(tally_ledger_accounts(l), key, &account);

	return err ? err
		   : tally_limit_credit(l, account, node, resource, credit);
}

static int open_seat(unsigned int thread, int node)
{
	static const char *const keys[BENCH_MAX_THREADS][2] = {
		{"first", "first, from credits"},
		{"second", "second, from credits"},
	};
	struct seat *seat = &seats[thread];
	int err = tally_account_open(tally_ledger_accounts(ledger),
				     keys[thread][0], &seat->account);

	seat->ledger = ledger;
	seat->demand = (struct tally_demand){node, 0, 1};
	if (!err)
		err = open_credit(ledger, keys[thread][1], node, 0,
				  &seat->credit);
	if (!err)
		err = open_credit(alone, keys[thread][1], node, CORES,
				  &seat->alone);
	return err;
}

static int open_ledgers(const struct tally_topo *topo)
{
	static const struct tally_resource resources[] = {
		[EVENTS] = {"events", "", TALLY_GAUGE},
		[CORES] = {"cores", "", TALLY_RESERVABLE},
	};
	static const struct tally_ledger_options exclusive = {
		.size = sizeof(exclusive), .exclusive = 1};
	int err = tally_ledger_create(NULL, topo, &resources[CORES], 1, NULL,
				      &ledger);

	if (!err)
		err = tally_ledger_create(NULL, topo, resources, 2, &exclusive,
					  &alone);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(alone), "one",
					 &counted);
	return err;
}

static int open_all(int64_t capacity)
{
	struct tally_topo *topo;
	int node, err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	node = tally_topo_node(topo, 0)->id;
	err = open_ledgers(topo);
	tally_topo_close(topo);
	if (!err)
		err = tally_limit_set_capacity(ledger, node, 0, capacity);
	if (!err)
		err = tally_limit_set_capacity(alone, node, CORES, capacity);
	for (unsigned int i = 0; !err && i < BENCH_MAX_THREADS; i++)
		err = open_seat(i, node);
	return err;
}

static void make_robust(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&counter.robust, &attr);
	pthread_mutexattr_destroy(&attr);
}

static int set_up(int64_t capacity)
{
	make_robust();
	counter.held = 0;
	counter.capacity = capacity;
	for (unsigned int i = 0; i < BENCH_MAX_THREADS; i++) {
		private[i].held = 0;
		private[i].capacity = capacity;
	}
	nr_refused = nr_asked = 0;
	return open_all(capacity);
}

static int set_up_far(void)
{
	return set_up(FAR);
}

static int set_up_last(void)
{
	return set_up(1);
}

static int set_up_none(void)
{
	return set_up(0);
}

static void tear_down(void)
{
	pthread_mutex_destroy(&counter.robust);
	tally_ledger_close(ledger);
	tally_ledger_close(alone);
	ledger = alone = NULL;
}

static void note_refused(FILE *to)
{
	fprintf(to, "  of ours refused: %.1f %%\n",
		100.0 * (double)nr_refused / (double)(nr_asked + !nr_asked));
}

#define OURS(what, loop, group)                         \
	.name = "numatally: " what, .kind = BENCH_OURS, \
	.loops = &loop##_##group##_loops, .arg = seat_arg
#define OTHERS(group)                                                     \
	{.name = "a plain counter of the thread's own",                   \
	 .kind = BENCH_FLOOR,                                             \
	 .loops = &plain_##group##_loops,                                 \
	 .arg = private_arg},                                             \
		{.name = "a shared counter, compare-and-swap",            \
		 .loops = &cas_##group##_loops},                          \
		{.name = "a shared counter, pthread mutex",               \
		 .loops = &mutex_##group##_loops},                        \
		{.name = "a shared counter, robust pthread mutex",        \
		 .loops = &robust_mutex_##group##_loops},                 \
		{.name = "a shared counter, ticket lock",                 \
		 .loops = &by_ticket_##group##_loops},                    \
		{OURS("take, give, called", take, group)},                \
	{                                                                 \
		OURS("take, give, several processes write", take_several, \
		     group)                                               \
	}
#define INLINED "take, give, inlined"
#define ADDS	"numatally: two adds, inlined"

#define RESERVE "reserve, release"
static const struct bench_contender far_ones[] = {
	OTHERS(far),
	{OURS(RESERVE, reserve, far), .row = "reserve and release, by a token",
	 .base = "a shared counter, robust pthread mutex", .target_ratio = 10,
	 .second_thread_target = 2.1, .pair_rounds = 40},
	{.name = ADDS, .kind = BENCH_OURS, .loops = &add_twice_loops},
	{OURS(INLINED, take_inlined, far),
	 .row = "take and give, far from the limit", .base = ADDS,
	 .target_ratio = 2, .second_thread_target = 1.05},
};
static const struct bench_contender last_ones[] = {
	OTHERS(last),
	{OURS(RESERVE, reserve, last), .pair_rounds = 40},
	{OURS(INLINED, take_inlined, last)},
};
static const struct bench_contender none_ones[] = {
	OTHERS(none),
	{OURS(RESERVE, reserve, none), .pair_rounds = 40},
	{OURS(INLINED, take_inlined, none)},
};

const struct bench_group bench_limit_groups[] = {
	{.name = "reserve",
	 .title = "Reserving and giving back, far from the limit",
	 .unit = "reservation",
	 .contenders = far_ones,
	 .nr_contenders = COUNT(far_ones),
	 .setup = set_up_far,
	 .teardown = tear_down,
	 .note = note_refused},
	{.name = "reserve-last",
	 .title = "Reserving the last one, and giving it back",
	 .unit = "reservation",
	 .contenders = last_ones,
	 .nr_contenders = COUNT(last_ones),
	 .setup = set_up_last,
	 .teardown = tear_down,
	 .note = note_refused},
	{.name = "reserve-none",
	 .title = "Being refused",
	 .unit = "reservation",
	 .contenders = none_ones,
	 .nr_contenders = COUNT(none_ones),
	 .setup = set_up_none,
	 .teardown = tear_down,
	 .note = note_refused},
};
const size_t bench_nr_limit_groups = COUNT(bench_limit_groups);
