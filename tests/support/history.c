// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <sched.h>

#include "support/history.h"

#define NR_MEMOS (1u << 16)
#define SPINS	 200000

/*
 * ---- the search -----------------------------------------------------------
 */

/* How many calls of each thread are in the order so far, and the state then. */
struct memo {
	uint32_t history; /* the history that this is a part of */
	int32_t done[MAX_THREADS];
	struct model model;
};

struct checker {
	const struct kind *kinds;
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

/* Whether this state was not reached before. */
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

/* The thread's next call, if no call that must come before it is missing from
 * the order. */
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

		if (!call || !c->kinds[call->kind].step(&after, call))
			continue;
		done[t]++;
		found = search(c, done, &after);
		done[t]--;
		if (found)
			return true;
	}
	return false;
}

static void print_history(const struct kind *kinds, const struct history *h)
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

const struct model *history_check(struct checker *c, const struct history *h)
{
	int done[MAX_THREADS] = {0};

	c->history = h;
	c->number++;
	if (search(c, done, &h->first))
		return &c->last;
	print_history(c->kinds, h);
	fail_msg("no order of these calls gives these results");
	return NULL;
}

struct checker *history_checker(const struct kind *kinds)
{
	struct checker *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->kinds = kinds;
	c->memos = calloc(NR_MEMOS, sizeof(*c->memos));
	assert_non_null(c->memos);
	return c;
}

void history_free(struct checker *c)
{
	free(c->memos);
	free(c);
}

uint64_t history_nr_states(const struct checker *c)
{
	return c->nr_states;
}

/* ---- recording ----------------------------------------------------------- */

static uint64_t now(struct test *test)
{
	return __atomic_add_fetch(&test->clock, 1, __ATOMIC_SEQ_CST);
}

/* Waking up takes longer than a history: with two CPUs, at least two threads
 * begin together. */
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
		c->kind = (int)some(t, t->test->nr_kinds);
		t->test->kinds[c->kind].make(t, c);
		c->from = now(t->test);
		/* A reader, or a call that waits, may be starved; it did
		 * nothing. */
		do
			t->test->kinds[c->kind].call(t, c);
		while (c->err == -EAGAIN);
		c->to = now(t->test);
	}
}

/* Runs on one of the allowed CPUs, in turn. */
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

void *history_run(void *arg)
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

unsigned int history_nr_overlaps(const struct history *h)
{
	unsigned int nr = 0;

	for (int t = 0; t < h->nr_threads; t++)
		for (int i = 0; i < h->nr[t]; i++)
			nr += h->calls[t][i].to - h->calls[t][i].from > 1;
	return nr;
}
