// SPDX-License-Identifier: MIT
/*
 * Short histories of two to four threads that change and read the same limits
 * are recorded, and each is held against all orders of its calls that their
 * times allow: one of them must give every result, refusals and what they tell
 * included, and what is left. Orders that come to the same calls and the same
 * state are tried once (Wing and Gong 1993, with what Lowe 2017 adds).
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "limits.h"
#include "machine.h"

#define MEMORY	    1
#define NR_BROKEN   500 /* with NUMATALLY_SHORT */
#define NR_SHORT    2000
#define NR_LONG	    200000
#define NR_NODES    2
#define NR_ACCOUNTS 3
#define MAX_THREADS 4
#define MAX_CALLS   6 /* of a thread */
#define NR_MEMOS    (1u << 16)
#define CAPACITY    6
#define QUOTA	    9
#define SPINS	    200000

/* What the sequential one has. No padding: it is compared as bytes. */
struct model {
	int32_t capacity[NR_NODES];
	int32_t quota; /* of q/, over all accounts */
	int32_t held[NR_ACCOUNTS][NR_NODES];
	int32_t state[NR_ACCOUNTS];
	uint32_t generation[NR_ACCOUNTS];
};

struct call {
	int kind; /* of kinds[] */
	int account, node;
	int32_t amounts[NR_NODES];
	uint32_t generation; /* of the token */
	/* What it said. */
	int err;
	uint32_t got; /* generation */
	int64_t told[2];
	uint64_t from, to; /* when */
};

struct thread;

struct kind {
	const char *name;
	void (*make)(struct thread *t, struct call *c);
	void (*call)(struct thread *t, struct call *c);
	/* Does it to the model; whether it says the same. */
	bool (*step)(struct model *m, const struct call *c);
};

struct history {
	struct model first;
	int nr_threads;
	int nr[MAX_THREADS];
	struct call calls[MAX_THREADS][MAX_CALLS];
};

struct test {
	struct tally_ledger *ledger;
	struct tally_account accounts[NR_ACCOUNTS], quota;
	struct history history;
	pthread_barrier_t barrier;
	uint64_t clock;
	uint32_t latest[NR_ACCOUNTS]; /* generations */
	int nr_here;
	bool ends;
};

struct thread {
	struct test *test;
	struct tally_view *view;
	int number;
	unsigned int seed;
};

static unsigned int some(struct thread *t, unsigned int n)
{
	return (unsigned int)rand_r(&t->seed) % n;
}

/* ---- calls --------------------------------------------------------------- */

static unsigned int holds_of(const struct call *c, struct tally_hold *holds)
{
	for (int n = 0; n < NR_NODES; n++)
		holds[n] = (struct tally_hold){machine_nodes[n], MEMORY,
					       c->amounts[n]};
	return NR_NODES;
}

static struct tally_token token_of(const struct thread *t, const struct call *c)
{
	return (struct tally_token){t->test->accounts[c->account].row,
				    c->generation};
}

static void make_token(struct thread *t, struct call *c)
{
	c->account = (int)some(t, NR_ACCOUNTS);
	c->generation =
		__atomic_load_n(&t->test->latest[c->account], __ATOMIC_RELAXED);
}

static void make_amounts(struct thread *t, struct call *c)
{
	make_token(t, c);
	for (int n = 0; n < NR_NODES; n++)
		c->amounts[n] = (int32_t)some(t, 5);
}

static void got_token(struct thread *t, struct call *c, struct tally_token got)
{
	if (c->err)
		return;
	c->got = got.generation;
	__atomic_store_n(&t->test->latest[c->account], got.generation,
			 __ATOMIC_RELAXED);
}

static void call_reserve(struct thread *t, struct call *c)
{
	struct tally_hold holds[NR_NODES];
	const struct tally_request request = {
		.holds = holds,
		.nr_holds = holds_of(c, holds),
	};
	struct tally_refusal why = {0};
	struct tally_token got;

	c->err = tally_limit_reserve(t->test->ledger,
				     t->test->accounts[c->account], &request,
				     &got, &why);
	got_token(t, c, got);
	if (c->err != -ENOSPC && c->err != -EDQUOT)
		return;
	c->told[0] = why.asked;
	c->told[1] = why.free;
	c->node = why.node == machine_nodes[0] ? 0 : 1;
}

static int32_t held_on(const struct model *m, int node)
{
	int32_t sum = 0;

	for (int i = 0; i < NR_ACCOUNTS; i++)
		sum += m->held[i][node];
	return sum;
}

static int32_t held_by_all(const struct model *m)
{
	int32_t sum = 0;

	for (int n = 0; n < NR_NODES; n++)
		sum += held_on(m, n);
	return sum;
}

static int64_t left(int32_t limit, int32_t held)
{
	return limit > held ? limit - held : 0;
}

static void start(struct model *m, const struct call *c, int state)
{
	m->state[c->account] = state;
	m->generation[c->account]++;
	for (int n = 0; n < NR_NODES; n++)
		m->held[c->account][n] = c->amounts[n];
}

static bool step_reserve(struct model *m, const struct call *c)
{
	int32_t sum = 0, all = held_by_all(m);

	if (m->state[c->account])
		return c->err == -EEXIST;
	for (int n = 0; n < NR_NODES; n++) {
		int32_t asked = c->amounts[n], held = held_on(m, n);

		sum += asked;
		if (!asked)
			continue;
		if (held + asked > m->capacity[n])
			return c->err == -ENOSPC && c->node == n &&
			       c->told[0] == asked &&
			       c->told[1] == left(m->capacity[n], held);
		if (all + sum > m->quota)
			return c->err == -EDQUOT && c->node == n &&
			       c->told[0] == c->amounts[0] + c->amounts[1] &&
			       c->told[1] == left(m->quota, all);
	}
	start(m, c, TALLY_RESERVED);
	return !c->err && c->got == m->generation[c->account];
}

static void call_adopt(struct thread *t, struct call *c)
{
	struct tally_hold holds[NR_NODES];
	const struct tally_request request = {
		.holds = holds,
		.nr_holds = holds_of(c, holds),
	};
	struct tally_token got;

	c->err = tally_limit_adopt(
		t->test->ledger, t->test->accounts[c->account], &request, &got);
	got_token(t, c, got);
}

static bool step_adopt(struct model *m, const struct call *c)
{
	if (m->state[c->account])
		return c->err == -EEXIST;
	start(m, c, TALLY_COMMITTED);
	return !c->err && c->got == m->generation[c->account];
}

static bool is_stale(const struct model *m, const struct call *c)
{
	return !m->state[c->account] ||
	       m->generation[c->account] != c->generation;
}

static void call_commit(struct thread *t, struct call *c)
{
	c->err = tally_limit_commit(t->test->ledger, token_of(t, c));
}

static bool step_commit(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	m->state[c->account] = TALLY_COMMITTED;
	return !c->err;
}

static void drop(struct model *m, int account)
{
	m->state[account] = 0;
	memset(m->held[account], 0, sizeof(m->held[account]));
}

static void call_cancel(struct thread *t, struct call *c)
{
	c->err = tally_limit_cancel(t->test->ledger, token_of(t, c));
}

static bool step_cancel(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	if (m->state[c->account] == TALLY_COMMITTED)
		return c->err == -EBUSY;
	drop(m, c->account);
	return !c->err;
}

static void call_release(struct thread *t, struct call *c)
{
	c->err = tally_limit_release(t->test->ledger, token_of(t, c), NULL, 0);
}

static bool step_release(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	drop(m, c->account);
	return !c->err;
}

static void make_part(struct thread *t, struct call *c)
{
	make_token(t, c);
	for (int n = 0; n < NR_NODES; n++)
		c->amounts[n] = (int32_t)some(t, 3);
}

static void call_release_part(struct thread *t, struct call *c)
{
	struct tally_hold holds[NR_NODES];

	c->err = tally_limit_release(t->test->ledger, token_of(t, c), holds,
				     holds_of(c, holds));
}

static bool step_release_part(struct model *m, const struct call *c)
{
	int32_t *held = m->held[c->account], sum = 0;

	if (is_stale(m, c))
		return c->err == -ESTALE;
	for (int n = 0; n < NR_NODES; n++)
		if (held[n] < c->amounts[n])
			return c->err == -ERANGE;
	for (int n = 0; n < NR_NODES; n++) {
		held[n] -= c->amounts[n];
		sum += held[n];
	}
	if (!sum)
		m->state[c->account] = 0;
	return !c->err;
}

static void make_capacity(struct thread *t, struct call *c)
{
	c->node = (int)some(t, NR_NODES);
	c->amounts[0] = (int32_t)some(t, 2 * CAPACITY);
}

static void call_capacity(struct thread *t, struct call *c)
{
	c->err = tally_limit_set_capacity(
		t->test->ledger, machine_nodes[c->node], MEMORY, c->amounts[0]);
}

static bool step_capacity(struct model *m, const struct call *c)
{
	m->capacity[c->node] = c->amounts[0];
	return !c->err;
}

static void make_quota(struct thread *t, struct call *c)
{
	c->amounts[0] = (int32_t)some(t, 2 * QUOTA);
}

static void call_quota(struct thread *t, struct call *c)
{
	c->err = tally_limit_set_quota(t->test->ledger, t->test->quota, MEMORY,
				       c->amounts[0]);
}

static bool step_quota(struct model *m, const struct call *c)
{
	m->quota = c->amounts[0];
	return !c->err;
}

static void make_node(struct thread *t, struct call *c)
{
	c->node = (int)some(t, NR_NODES);
}

static void call_node(struct thread *t, struct call *c)
{
	struct tally_limit limit;

	c->err = tally_limit_node(t->view, machine_nodes[c->node], MEMORY,
				  &limit);
	c->told[0] = limit.held;
	c->told[1] = limit.limit;
}

static bool step_node(struct model *m, const struct call *c)
{
	return !c->err && c->told[0] == held_on(m, c->node) &&
	       c->told[1] == m->capacity[c->node];
}

/* Of both nodes together. */
static void call_held(struct thread *t, struct call *c)
{
	int64_t amounts[2];

	c->err = tally_limit_held(t->view, t->test->accounts[c->account],
				  TALLY_VIEW_ALL, amounts);
	c->told[0] = amounts[MEMORY];
}

static bool step_held(struct model *m, const struct call *c)
{
	return !c->err &&
	       c->told[0] == m->held[c->account][0] + m->held[c->account][1];
}

static const struct kind kinds[] = {
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"adopt", make_amounts, call_adopt, step_adopt},
	{"commit", make_token, call_commit, step_commit},
	{"cancel", make_token, call_cancel, step_cancel},
	{"release", make_token, call_release, step_release},
	{"release part", make_part, call_release_part, step_release_part},
	{"set_capacity", make_capacity, call_capacity, step_capacity},
	{"set_quota", make_quota, call_quota, step_quota},
	{"node", make_node, call_node, step_node},
	{"held", make_token, call_held, step_held},
};
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- the checker --------------------------------------------------------- */

/* Which calls of each thread are in order already, and what that comes to. */
struct memo {
	uint32_t history; /* that it is of */
	int32_t done[MAX_THREADS];
	struct model model;
};

struct checker {
	const struct history *history;
	uint32_t number;
	struct memo *memos;
	uint64_t nr_states;
	struct model last;
};

static uint64_t hash_of(const struct memo *memo)
{
	const unsigned char *bytes = (const unsigned char *)memo;
	uint64_t hash = 1469598103934665603u;

	for (size_t i = 0; i < sizeof(*memo); i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

/* Whether this was not come to before. */
static bool is_new(struct checker *c, const int *done, const struct model *m)
{
	struct memo memo = {.history = c->number, .model = *m};
	uint64_t at;

	for (int t = 0; t < MAX_THREADS; t++)
		memo.done[t] = done[t];
	at = hash_of(&memo);
	for (unsigned int tries = 0; tries < NR_MEMOS; tries++) {
		struct memo *slot = &c->memos[(at + tries) % NR_MEMOS];

		if (slot->history != c->number) {
			*slot = memo;
			c->nr_states++;
			return true;
		}
		if (!memcmp(slot, &memo, sizeof(memo)))
			return false;
	}
	fail_msg("a history has too many states");
	return false;
}

/* The next call of the thread, and whether none that has to be before it is
 * not in order yet. */
static const struct call *next(const struct history *h, const int *done, int t)
{
	const struct call *c = &h->calls[t][done[t]];

	if (done[t] == h->nr[t])
		return NULL;
	for (int other = 0; other < h->nr_threads; other++)
		if (done[other] < h->nr[other] &&
		    h->calls[other][done[other]].to < c->from)
			return NULL;
	return c;
}

static bool search(struct checker *c, int *done, const struct model *m)
{
	const struct history *h = c->history;
	bool all = true;

	for (int t = 0; t < h->nr_threads; t++)
		all &= done[t] == h->nr[t];
	if (all) {
		c->last = *m;
		return true;
	}
	if (!is_new(c, done, m))
		return false;
	for (int t = 0; t < h->nr_threads; t++) {
		const struct call *call = next(h, done, t);
		struct model after = *m;
		bool found;

		if (!call || !kinds[call->kind].step(&after, call))
			continue;
		done[t]++;
		found = search(c, done, &after);
		done[t]--;
		if (found)
			return true;
	}
	return false;
}

static void print_history(const struct history *h)
{
	for (int t = 0; t < h->nr_threads; t++)
		for (int i = 0; i < h->nr[t]; i++) {
			const struct call *c = &h->calls[t][i];

			print_error("thread %d, %" PRIu64 "-%" PRIu64
				    ": %s account %d node %d amounts %d %d "
				    "generation %u: %d, %u, %" PRId64
				    " %" PRId64 "\n",
				    t, c->from, c->to, kinds[c->kind].name,
				    c->account, c->node, c->amounts[0],
				    c->amounts[1], c->generation, c->err,
				    c->got, c->told[0], c->told[1]);
		}
}

static void check(struct checker *c, const struct history *h)
{
	int done[MAX_THREADS] = {0};

	c->history = h;
	c->number++;
	if (search(c, done, &h->first))
		return;
	print_history(h);
	fail_msg("no order of these calls gives these results");
}

/* ---- recording ----------------------------------------------------------- */

static uint64_t now(struct test *test)
{
	return __atomic_add_fetch(&test->clock, 1, __ATOMIC_SEQ_CST);
}

/* Waking up takes longer than a history does: two begin together, at least,
 * where there are two CPUs. */
static void meet(struct test *test)
{
	__atomic_add_fetch(&test->nr_here, 1, __ATOMIC_ACQ_REL);
	for (int i = 0; i < SPINS; i++)
		if (__atomic_load_n(&test->nr_here, __ATOMIC_ACQUIRE) > 1)
			break;
}

static void record(struct thread *t)
{
	struct history *h = &t->test->history;

	meet(t->test);
	for (int i = 0; i < h->nr[t->number]; i++) {
		struct call *c = &h->calls[t->number][i];

		memset(c, 0, sizeof(*c));
		c->kind = (int)some(t, NR_KINDS);
		kinds[c->kind].make(t, c);
		c->from = now(t->test);
		/* A reader, or one that waits, may be starved; it did nothing.
		 */
		do
			kinds[c->kind].call(t, c);
		while (c->err == -EAGAIN);
		c->to = now(t->test);
	}
}

/* On one of the CPUs that we may have, in turn. */
static void pin(int number)
{
	cpu_set_t all, one;
	int nr;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	nr = number % CPU_COUNT(&all);
	CPU_ZERO(&one);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && !nr--)
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *run(void *arg)
{
	struct thread *t = arg;

	pin(t->number);
	for (;;) {
		pthread_barrier_wait(&t->test->barrier);
		if (t->test->ends)
			return NULL;
		if (t->number < t->test->history.nr_threads)
			record(t);
		pthread_barrier_wait(&t->test->barrier);
	}
}

/* Nothing is held, and limits are as at first. */
static void clean(struct test *test)
{
	struct model *m = &test->history.first;
	const struct tally_request request = {.nr_holds = 0};
	struct tally_view *view;

	memset(m, 0, sizeof(*m));
	assert_int_equal(tally_view_open(test->ledger, &view), 0);
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		struct tally_reservation found;
		struct tally_token t;

		if (!tally_limit_find(view, test->accounts[i], &found))
			assert_int_equal(tally_limit_release(test->ledger,
							     found.token, NULL,
							     0),
					 0);
		assert_int_equal(tally_limit_reserve(test->ledger,
						     test->accounts[i],
						     &request, &t, NULL),
				 0);
		assert_int_equal(tally_limit_cancel(test->ledger, t), 0);
		m->generation[i] = t.generation;
		test->latest[i] = t.generation;
	}
	tally_view_close(view);
	for (int n = 0; n < NR_NODES; n++) {
		m->capacity[n] = CAPACITY;
		assert_int_equal(tally_limit_set_capacity(test->ledger,
							  machine_nodes[n],
							  MEMORY, CAPACITY),
				 0);
	}
	m->quota = QUOTA;
	assert_int_equal(
		tally_limit_set_quota(test->ledger, test->quota, MEMORY, QUOTA),
		0);
}

/* What there is at the end is what the order says. */
static void check_end(const struct test *test, const struct model *last)
{
	for (int n = 0; n < NR_NODES; n++)
		assert_int_equal(
			limits_of_node(test->ledger, machine_nodes[n]).held,
			held_on(last, n));
	limits_agree(test->ledger);
}

static unsigned int nr_overlaps(const struct history *h)
{
	unsigned int nr = 0;

	for (int t = 0; t < h->nr_threads; t++)
		for (int i = 0; i < h->nr[t]; i++)
			nr += h->calls[t][i].to - h->calls[t][i].from > 1;
	return nr;
}

static void make(struct test *test, struct machine *m)
{
	static const char *const keys[NR_ACCOUNTS] = {"q/a", "q/b", "q/c/d"};

	test->ledger = machine_ledger(m, 0);
	for (int i = 0; i < NR_ACCOUNTS; i++)
		test->accounts[i] = machine_account(test->ledger, keys[i]);
	test->quota = machine_account(test->ledger, "q/");
	assert_int_equal(
		pthread_barrier_init(&test->barrier, NULL, MAX_THREADS + 1), 0);
}

static int nr_histories(void)
{
	if (getenv("NUMATALLY_SHORT"))
		return NR_BROKEN;
	return getenv("NUMATALLY_LONG") ? NR_LONG : NR_SHORT;
}

static void some_order_gives_each_history(void **state)
{
	static struct test test;
	struct checker checker = {
		.memos = calloc(NR_MEMOS, sizeof(*checker.memos)),
	};
	unsigned int seed = (unsigned int)getpid();
	static struct thread threads[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	uint64_t overlaps = 0, calls = 0;
	int nr = nr_histories();

	assert_non_null(checker.memos);
	make(&test, *state);
	print_message("# seed %u\n", seed);
	for (int t = 0; t < MAX_THREADS; t++) {
		threads[t] = (struct thread){
			.test = &test,
			.number = t,
			.seed = seed + (unsigned int)t,
		};
		assert_int_equal(tally_view_open(test.ledger, &threads[t].view),
				 0);
		assert_int_equal(
			pthread_create(&ids[t], NULL, run, &threads[t]), 0);
	}
	for (int i = 0; i < nr; i++) {
		test.history.nr_threads = 2 + rand_r(&seed) % (MAX_THREADS - 1);
		for (int t = 0; t < MAX_THREADS; t++)
			test.history.nr[t] =
				2 + rand_r(&seed) % (MAX_CALLS - 1);
		clean(&test);
		test.nr_here = 0;
		pthread_barrier_wait(&test.barrier);
		pthread_barrier_wait(&test.barrier);
		check(&checker, &test.history);
		check_end(&test, &checker.last);
		overlaps += nr_overlaps(&test.history);
		for (int t = 0; t < test.history.nr_threads; t++)
			calls += (uint64_t)test.history.nr[t];
	}
	test.ends = true;
	pthread_barrier_wait(&test.barrier);
	for (int t = 0; t < MAX_THREADS; t++) {
		pthread_join(ids[t], NULL);
		tally_view_close(threads[t].view);
	}
	print_message("# %d histories of %" PRIu64 " calls, %" PRIu64
		      " beside another, %" PRIu64 " states\n",
		      nr, calls, overlaps, checker.nr_states);
	pthread_barrier_destroy(&test.barrier);
	free(checker.memos);
	tally_ledger_close(test.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(some_order_gives_each_history,
						machine_setup,
						machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
