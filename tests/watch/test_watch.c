// SPDX-License-Identifier: MIT
/* When a watch fires, each change that ends its sleep, and what it finds by
 * looking. */
#include "support/test.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <numatally/reader.h>

#include "support/limits.h"
#include "support/served.h"
#include "support/watches.h"

/* ---- thresholds and hysteresis ----------------------------------------------- */

/* The founding article's: few succeed, and many wait. */
static void it_fires_once_until_it_is_armed_again(void **state)
{
	const struct tally_watch_threshold t[2] = {
		free_below(machine_nodes[0], 4, 3),
		events_above(NULL, 1200, 200),
	};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account a = machine_account(l, "a");
	struct tally_view *view = view_of(l);
	struct tally_watch *w = watch(view, l, t, 2, 0);
	struct tally_watch_event e;
	struct tally_token token, more;

	assert_false(fires(w, &e));
	add_events(l, a, machine_nodes[0], 1201);
	assert_false(fires(w, &e));
	token = has(l, "a", machine_nodes[0], 6);
	assert_false(fires(w, &e)); /* 4 is not below 4 */
	more = has(l, "b", machine_nodes[0], 1);
	assert_true(fires(w, &e));
	assert_int_equal(e.nr, 1);
	assert_int_equal(e.crossed, 3);
	assert_int_equal(e.amounts[0], 3);
	assert_int_equal(e.amounts[1], 1201);
	assert_false(fires(w, &e));
	/* Within the hysteresis: */
	assert_int_equal(release(l, more), 0);
	more = has(l, "c", machine_nodes[0], 1);
	assert_int_equal(release(l, more), 0);
	assert_false(fires(w, &e)); /* 4 are free */
	more = has(l, "c", machine_nodes[0], 1);
	assert_false(fires(w, &e));
	/* Behind it: 7 is not within 4 + 3. */
	assert_int_equal(release(l, more), 0);
	has(l, "d", machine_nodes[0], 2);
	assert_int_equal(release(l, token), 0);
	assert_false(fires(w, &e));
	has(l, "e", machine_nodes[0], 6);
	assert_true(fires(w, &e));
	assert_int_equal(e.nr, 2);
	assert_int_equal(e.amounts[0], 2);
	tally_watch_close(w);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void any_threshold_fires_and_all_arm(void **state)
{
	const struct tally_watch_threshold t[2] = {
		free_below(machine_nodes[0], 4, 0),
		free_below(machine_nodes[1], 4, 0),
	};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);
	struct tally_watch *w = watch(view, l, t, 2, TALLY_WATCH_ANY);
	struct tally_token first = has(l, "a", machine_nodes[0], 7);
	struct tally_watch_event e;

	assert_true(fires(w, &e));
	assert_int_equal(e.crossed, 1);
	has(l, "b", machine_nodes[1], 7);
	assert_false(fires(w, &e));
	assert_int_equal(release(l, first), 0);
	/* The other one is crossed still. */
	assert_false(fires(w, &e));
	has(l, "a", machine_nodes[0], 7);
	assert_false(fires(w, &e));
	tally_watch_close(w);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* ---- one that sleeps, and what wakes it ----------------------------------------- */

struct sleeper {
	struct tally_watch *watch;
	struct tally_watch_event event;
	pthread_t thread;
	pid_t tid;
	int err;
};

static void *sleep_there(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_RELEASE);
	s->event.size = sizeof(s->event);
	s->err = tally_watch_wait(s->watch, -1, &s->event);
	return NULL;
}

/* Start it, and wait until nothing but what wakes it, or its next look, ends its
 * sleep. */
static void start(struct sleeper *s)
{
	unsigned int before = __atomic_load_n(&nr_sleeps, __ATOMIC_ACQUIRE);

	assert_int_equal(pthread_create(&s->thread, NULL, sleep_there, s), 0);
	await_sleep(&s->tid, before);
}

static void ends(struct sleeper *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	assert_int_equal(s->err, 0);
}

/* What the ways below may use; "has" has 6 on the first node, and 3 are free for
 * each of the two thresholds. */
struct ways {
	struct tally_ledger *l;
	struct tally_account has, a;
	struct tally_token token;
};

static int call(struct ways *w, int64_t amount,
		int (*limit)(struct tally_ledger *, struct ways *,
			     const struct tally_request *))
{
	const struct tally_demand demand = {machine_nodes[0], MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = &demand,
		.nr_demands = 1,
	};

	return limit(w->l, w, &request);
}

static int take_more(struct ways *w)
{
	struct tally_token token;

	return reserve(w->l, w->a, machine_nodes[0], 2, &token);
}

static int adopt(struct tally_ledger *l, struct ways *w,
		 const struct tally_request *request)
{
	struct tally_token token;

	return tally_limit_adopt(l, w->a, request, &token);
}

static int adopt_more(struct ways *w)
{
	return call(w, 2, adopt);
}

static int change(struct tally_ledger *l, struct ways *w,
		  const struct tally_request *request)
{
	return tally_limit_change(l, w->token, request, NULL);
}

static int change_to_more(struct ways *w)
{
	return call(w, 2, change);
}

static int take_without_a_reservation(struct ways *w)
{
	struct tally_credit credit;
	int err = tally_limit_credit(w->l, w->a, machine_nodes[0], MEMORY,
				     &credit);

	return err ? err : tally_limit_take(&credit, 4);
}

static int lower_the_capacity(struct ways *w)
{
	return tally_limit_set_capacity(w->l, machine_nodes[0], MEMORY, 8);
}

static int lower_the_quota(struct ways *w)
{
	return tally_limit_set_quota(w->l, w->has, MEMORY, 8);
}

static int exchange(struct ways *w)
{
	struct tally_capacity capacity = {machine_nodes[0], MEMORY, 8};

	return tally_limit_exchange(w->l, &capacity, 1, NULL, 0);
}

static void each_change_wakes_it(void **state)
{
	static int (*const ways[])(struct ways *) = {
		take_more,	    adopt_more,
		change_to_more,	    take_without_a_reservation,
		lower_the_capacity, lower_the_quota,
		exchange,
	};
	struct tally_watch_threshold t[2] = {
		free_below(machine_nodes[0], 4, 0),
		free_below(machine_nodes[0], 4, 0),
	};
	struct machine *m = *state;

	t[1].account = "has";
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct tally_ledger *l = with_ten(m);
		struct tally_view *view = view_of(l);
		struct ways w = {.l = l};
		struct sleeper s;

		w.token = has(l, "has", machine_nodes[0], 6);
		w.has = machine_account(l, "has");
		w.a = machine_account(l, "a");
		assert_int_equal(tally_limit_set_quota(l, w.has, MEMORY, 10),
				 0);
		s.watch = watch(view, l, t, 2, TALLY_WATCH_ANY);
		endless = ROOM_WATCHED;
		start(&s);
		assert_int_equal(ways[i](&w), 0);
		ends(&s);
		endless = 0;
		tally_watch_close(s.watch);
		tally_view_close(view);
		tally_ledger_close(l);
		unlink(m->path);
	}
}

/* What is given back wakes it, too: it is armed, and fires above. */
static void a_release_wakes_it(void **state)
{
	struct tally_watch_threshold t = free_below(TALLY_VIEW_ALL, 27, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_token token = has(l, "a", machine_nodes[2], 4);
	struct tally_view *view = view_of(l);
	struct sleeper s;

	t.side = TALLY_WATCH_ABOVE;
	s.watch = watch(view, l, &t, 1, 0);
	endless = ROOM_WATCHED;
	start(&s);
	assert_int_equal(release(l, token), 0);
	ends(&s);
	assert_int_equal(s.event.amounts[0], 30);
	endless = 0;
	tally_watch_close(s.watch);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* One more that is pending, or one less: ready, or ended. */
static void accounts_wake_it(void **state)
{
	struct tally_watch_threshold more = {
		.of = TALLY_WATCH_PENDING,
		.node = TALLY_VIEW_ALL,
		.side = TALLY_WATCH_ABOVE,
		.mark = 1,
	};
	struct tally_watch_threshold less = more;
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_view *view = view_of(l);
	struct tally_account a[2];
	struct sleeper s;

	less.side = TALLY_WATCH_BELOW;
	less.mark = 2;
	endless = ROOM_WATCHED;
	assert_int_equal(tally_account_declare(accounts, "0", &a[0]), 0);
	for (int i = 0; i < 2; i++) {
		s.watch = watch(view, l, &more, 1, 0);
		start(&s);
		assert_int_equal(tally_account_declare(accounts, "1", &a[1]),
				 0);
		ends(&s);
		tally_watch_close(s.watch);
		s.watch = watch(view, l, &less, 1, 0);
		start(&s);
		assert_int_equal(i ? tally_account_end(accounts, a[1])
				   : tally_account_ready(accounts, a[1]),
				 0);
		ends(&s);
		tally_watch_close(s.watch);
		if (!i)
			assert_int_equal(tally_account_end(accounts, a[1]), 0);
	}
	endless = 0;
	tally_view_close(view);
	tally_ledger_close(l);
}

/* A change that does not make it fire is not all that it hears of; but after each,
 * it pauses. */
static void it_sleeps_on_after_a_change(void **state)
{
	const struct tally_watch_threshold t =
		free_below(TALLY_WATCH_SOME_NODE, 1, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account a = machine_account(l, "a");
	struct layout *inside = inside_open(m->path);
	struct tally_view *view = view_of(l);
	struct sleeper s = {.watch = watch(view, l, &t, 1, 0)};
	uint32_t *awaited = &layout_limits(inside)->awaited;

	endless = ROOM_WATCHED;
	start(&s);
	for (int i = 0; i < 20; i++) {
		unsigned int paused =
			__atomic_load_n(&nr_pauses, __ATOMIC_ACQUIRE);
		struct tally_token token;

		assert_int_equal(reserve(l, a, machine_nodes[2], 9, &token), 0);
		assert_int_equal(release(l, token), 0);
		while (!__atomic_load_n(awaited, __ATOMIC_ACQUIRE))
			usleep(100);
		assert_int_not_equal(
			__atomic_load_n(&nr_pauses, __ATOMIC_ACQUIRE), paused);
	}
	has(l, "b", machine_nodes[1], 10);
	ends(&s);
	endless = 0;
	tally_watch_close(s.watch);
	tally_view_close(view);
	inside_close(inside);
	tally_ledger_close(l);
}

/* Where nobody watches, no call wakes; and where one does, once a millisecond. */
static void changes_seldom_wake(void **state)
{
	const struct tally_watch_threshold t =
		free_below(TALLY_WATCH_SOME_NODE, 1, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account a = machine_account(l, "a");
	struct tally_view *view = view_of(l);
	struct sleeper s = {.watch = watch(view, l, &t, 1, 0)};
	struct tally_token token;
	int64_t begun;

	nr_wakes = 0;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(reserve(l, a, machine_nodes[0], 5, &token), 0);
		assert_int_equal(release(l, token), 0);
	}
	assert_int_equal(nr_wakes, 0);
	begun = now_ns();
	start(&s);
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(reserve(l, a, machine_nodes[0], 5, &token), 0);
		assert_int_equal(release(l, token), 0);
	}
	assert_in_range(nr_wakes, 1, (now_ns() - begun) / 1000000 + 2);
	has(l, "b", machine_nodes[1], 10);
	ends(&s);
	tally_watch_close(s.watch);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* ---- what nobody tells of -------------------------------------------------------- */

/* An add changes no word for it. */
static void an_add_is_found_by_looking(void **state)
{
	const struct tally_watch_threshold t = events_above("t/", 10, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account x = machine_account(l, "t/x");
	struct tally_account y = machine_account(l, "t/y");
	struct tally_view *view = view_of(l);
	struct sleeper s = {.watch = watch(view, l, &t, 1, 0)};

	start(&s);
	add_events(l, x, machine_nodes[0], 5);
	add_events(l, y, machine_nodes[1], 6);
	ends(&s);
	assert_int_equal(s.event.amounts[0], 11);
	tally_watch_close(s.watch);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void a_lease_that_runs_out_is_found(void **state)
{
	struct tally_watch_threshold t = free_below(machine_nodes[0], 9, 0);
	const struct tally_demand demand = {machine_nodes[0], MEMORY, 5};
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = &demand,
		.nr_demands = 1,
		.lease_ns = 30000000,
	};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);
	struct tally_token token;
	struct sleeper s;

	assert_int_equal(tally_limit_reserve(l, machine_account(l, "a"),
					     &request, &token, NULL),
			 0);
	t.side = TALLY_WATCH_ABOVE;
	s.watch = watch(view, l, &t, 1, 0);
	sleep_there(&s);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.event.amounts[0], 10);
	tally_watch_close(s.watch);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void what_a_killed_process_had_is_found(void **state)
{
	struct tally_watch_threshold t = free_below(machine_nodes[0], 9, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);
	struct sleeper s;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_open(m->path, &l))
			_exit(1);
		has(l, "dies", machine_nodes[0], 5);
		usleep(50000);
		kill(getpid(), SIGKILL);
	}
	for (struct tally_limit limit = limits_of_node(l, machine_nodes[0]);
	     !limit.held; limit = limits_of_node(l, machine_nodes[0]))
		usleep(100);
	t.side = TALLY_WATCH_ABOVE;
	s.watch = watch(view, l, &t, 1, 0);
	sleep_there(&s);
	assert_int_equal(s.err, 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	tally_watch_close(s.watch);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* What a reader finds, with read permission alone. */
static int nobody_watches(const char *path, int ready)
{
	const struct tally_watch_threshold t[2] = {
		free_below(machine_nodes[0], 4, 0),
		events_above("a", 10, 0),
	};
	struct tally_reader *reader;
	struct tally_view *view;
	struct tally_watch *w;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!served_be_nobody())
		return 10;
	err = tally_reader_open(path, &reader);
	if (!err)
		err = tally_reader_view(reader, &view);
	if (err)
		return 11;
	w = watch(view, NULL, t, 2, 0);
	if (write(ready, "", 1) != 1 || tally_watch_wait(w, -1, NULL))
		return 12;
	tally_watch_close(w);
	tally_view_close(view);
	tally_reader_close(reader);
	return 0;
}

static void a_reader_watches(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_account a = machine_account(l, "a");
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(chmod(m->dir, 0755), 0);
	assert_int_equal(chmod(m->path, 0444), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(nobody_watches(m->path, ready[1]));
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	add_events(l, a, machine_nodes[0], 11);
	has(l, "a", machine_nodes[0], 7);
	assert_int_equal(served_status(pid), 0);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(it_fires_once_until_it_is_armed_again),
		SLEEP_TEST(any_threshold_fires_and_all_arm),
		SLEEP_TEST(each_change_wakes_it),
		SLEEP_TEST(a_release_wakes_it),
		SLEEP_TEST(accounts_wake_it),
		SLEEP_TEST(it_sleeps_on_after_a_change),
		SLEEP_TEST(changes_seldom_wake),
		SLEEP_TEST(an_add_is_found_by_looking),
		SLEEP_TEST(a_lease_that_runs_out_is_found),
		SLEEP_TEST(what_a_killed_process_had_is_found),
		SLEEP_TEST(a_reader_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
