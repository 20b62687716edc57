// SPDX-License-Identifier: MIT
/* Reserving or taking one, and giving it back: far from a limit, at it, and
 * where there is nothing; beside what would be written by hand. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <numatally/ledger_inline.h>
#include <numatally/limit_inline.h>
#include <numatally/topo.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FAR	     1000000

/* What is shared stands alone in its cache lines. */
static struct {
	int64_t held, capacity;
	pthread_mutex_t lock;
} counter __attribute__((aligned(128))) = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct {
	int64_t held __attribute__((aligned(128)));
	int64_t capacity;
} private[BENCH_MAX_THREADS];

/* Of each thread: an account has one reservation. */
struct seat {
	struct tally_ledger *ledger __attribute__((aligned(128)));
	struct tally_account account;
	struct tally_hold hold;
	/* Of other accounts: where several processes write, or we alone */
	struct tally_credit credit, alone;
};
static struct seat seats[BENCH_MAX_THREADS];
static struct tally_ledger *ledger;

/* One that we alone write to. */
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

/* ---- what each does ------------------------------------------------------ */

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

BENCH_LOOP bool take_by_lock(void)
{
	bool fits;

	pthread_mutex_lock(&counter.lock);
	fits = counter.held + 1 <= counter.capacity;
	counter.held += fits;
	pthread_mutex_unlock(&counter.lock);
	return fits;
}

BENCH_LOOP void mutex(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		if (!take_by_lock())
			continue;
		pthread_mutex_lock(&counter.lock);
		counter.held--;
		pthread_mutex_unlock(&counter.lock);
	}
}

BENCH_LOOP void reserve(void *arg, uint64_t nr)
{
	const struct seat *seat = (const struct seat *)arg;
	const struct tally_request request = {.holds = &seat->hold,
					      .nr_holds = 1};
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
		tally_ledger_inline_add(alone, counted, EVENTS, 1);
		tally_ledger_inline_add(alone, counted, EVENTS, -1);
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
	LOOP(reserve, group)      \
	LOOP(take, group)         \
	LOOP(take_several, group) \
	LOOP(take_inlined, group)

LOOPS(far)
LOOPS(last)
LOOPS(none)

/* ---- how much there is --------------------------------------------------- */

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
		{"first", "first, by and by"},
		{"second", "second, by and by"},
	};
	struct seat *seat = &seats[thread];
	int err = tally_account_open(tally_ledger_accounts(ledger),
				     keys[thread][0], &seat->account);

	seat->ledger = ledger;
	seat->hold = (struct tally_hold){node, 0, 1};
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
		[EVENTS] = {"events", "", TALLY_COUNTER},
		[CORES] = {"cores", "", TALLY_STOCK},
	};
	static const struct tally_ledger_options exclusive = {.exclusive = 1};
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

static int set_up(int64_t capacity)
{
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
		{OURS("reserve, release", reserve, group)},               \
		{OURS("take, give, called", take, group)},                \
	{                                                                 \
		OURS("take, give, several processes write", take_several, \
		     group)                                               \
	}
#define INLINED "take, give, inlined"
#define ADDS	"numatally: two adds, inlined"

static const struct bench_contender far_ones[] = {
	OTHERS(far),
	{.name = ADDS, .kind = BENCH_OURS, .loops = &add_twice_loops},
	{OURS(INLINED, take_inlined, far),
	 .row = "take and give, far from the limit", .base = ADDS,
	 .target_ratio = 2, .second_thread_target = 1.05},
};
static const struct bench_contender last_ones[] = {
	OTHERS(last),
	{OURS(INLINED, take_inlined, last)},
};
static const struct bench_contender none_ones[] = {
	OTHERS(none),
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
