// SPDX-License-Identifier: MIT
/* No wake is lost: of another process, and among threads. */
#include "support/test.h"

#include <pthread.h>

#include "support/rounds.h"
#include "support/watches.h"

static int other(struct rounds *r, const char *path)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 2);
	const struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = &t,
		.nr_thresholds = 1,
	};
	struct tally_watch_options told = options;
	struct tally_view *view;
	struct tally_watch *w;
	int err = tally_ledger_open(path, &told.ledger);

	if (!err)
		err = tally_view_open(told.ledger, &view);
	if (!err)
		err = tally_watch_open(view, &told, &w);
	for (unsigned int i = 1; !err && i <= r->nr; i++) {
		struct tally_watch_event e = {.size = sizeof(e)};

		rounds_await(r, &r->ready, i);
		/* So that it sees that it is armed again. */
		err = tally_watch_wait(w, 0, NULL) == -ETIMEDOUT ? 0 : -EPROTO;
		rounds_reach(&r->sleeps, i);
		if (!err)
			err = tally_watch_wait(w, -1, &e);
		if (!err && (e.nr != i || e.amounts[0] != 3))
			err = -EPROTO;
		rounds_reach(&r->woken, i);
	}
	return err;
}

/* In each round one process watches while the other one takes most there is, a
 * little later each time. */
static void no_wake_is_lost(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account a = machine_account(l, "a");
	struct rounds *r;

	endless = ROOM_WATCHED;
	r = rounds_start(other, m->path);
	for (unsigned int i = 1; i <= r->nr; i++) {
		struct tally_token token;

		rounds_begin(r, i);
		assert_int_equal(reserve(l, a, machine_nodes[0], 7, &token), 0);
		rounds_await(r, &r->woken, i);
		assert_int_equal(release(l, token), 0);
	}
	endless = 0;
	rounds_end(r);
	tally_ledger_close(l);
}

#define NR_WATCHES 4
#define ROUNDS	   300

struct crowd {
	struct tally_watch *watches[NR_WATCHES];
	unsigned int next;		/* of them */
	unsigned int round;		/* for which nothing is held */
	unsigned int nr_wait, nr_woken; /* over all rounds */
};

static void *wait_round(void *arg)
{
	struct crowd *c = arg;
	struct tally_watch *w =
		c->watches[__atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED)];

	for (unsigned int i = 1; i <= ROUNDS; i++) {
		struct tally_watch_event e = {.size = sizeof(e)};

		while (__atomic_load_n(&c->round, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		if (tally_watch_wait(w, 0, NULL) != -ETIMEDOUT)
			return "it fires though nothing is held";
		__atomic_fetch_add(&c->nr_wait, 1, __ATOMIC_RELEASE);
		if (tally_watch_wait(w, -1, &e) || e.nr != i)
			return "it does not fire";
		__atomic_fetch_add(&c->nr_woken, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void await_all(const unsigned int *word, unsigned int round)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != round * NR_WATCHES)
		sched_yield();
}

/* One call wakes all: they share the bit that asks for it. */
static void each_of_a_crowd_is_woken(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[1], 4, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account a = machine_account(l, "a");
	struct tally_view *view = view_of(l);
	pthread_t threads[NR_WATCHES];
	struct crowd c = {0};

	endless = ROOM_WATCHED;
	for (int i = 0; i < NR_WATCHES; i++)
		c.watches[i] = watch(view, l, &t, 1, 0);
	for (int i = 0; i < NR_WATCHES; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, wait_round, &c), 0);
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		struct tally_token token;

		expect_progress();
		__atomic_store_n(&c.round, i, __ATOMIC_RELEASE);
		await_all(&c.nr_wait, i);
		assert_int_equal(reserve(l, a, machine_nodes[1], 7, &token), 0);
		await_all(&c.nr_woken, i);
		assert_int_equal(release(l, token), 0);
	}
	for (int i = 0; i < NR_WATCHES; i++) {
		void *words;

		assert_int_equal(pthread_join(threads[i], &words), 0);
		assert_null(words);
		tally_watch_close(c.watches[i]);
	}
	endless = 0;
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(no_wake_is_lost),
		SLEEP_TEST(each_of_a_crowd_is_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
