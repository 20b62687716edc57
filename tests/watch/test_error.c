// SPDX-License-Identifier: MIT
/* What a watch refuses, and what ends one: nobody is left waiting. */
#include "support/test.h"

#include <pthread.h>
#include <time.h>

#include <numatally/error.h>
#include <numatally/reader.h>

#include "support/served.h"
#include "support/watches.h"

static int try_open(const struct tally_view *view,
		    const struct tally_watch_threshold *t)
{
	const struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = t,
		.nr_thresholds = 1,
	};
	struct tally_watch *w = NULL;
	int err = tally_watch_open(view, &options, &w);

	if (err)
		assert_null(w);
	tally_watch_close(w);
	return err;
}

static void what_no_threshold_can_be_is_refused(void **state)
{
	const struct tally_watch_threshold right =
		free_below(machine_nodes[0], 4, 0);
	struct tally_watch_threshold t = right;
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);

	assert_int_equal(try_open(view, &right), 0);
	t.of = 0;
	assert_int_equal(try_open(view, &t), -EINVAL);
	t.of = TALLY_WATCH_PENDING + 1;
	assert_int_equal(try_open(view, &t), -EINVAL);
	t.of = TALLY_WATCH_PENDING; /* on a node */
	assert_int_equal(try_open(view, &t), -EINVAL);
	t.node = TALLY_VIEW_ALL;
	assert_int_equal(try_open(view, &t), 0);
	t.resource = 99;
	assert_int_equal(try_open(view, &t), 0);
	t = right;
	t.side = 0;
	assert_int_equal(try_open(view, &t), -EINVAL);
	t = right;
	t.resource = 2;
	assert_int_equal(try_open(view, &t), -EINVAL);
	t.resource = EVENTS; /* nothing is free of a counter */
	assert_int_equal(try_open(view, &t), -EINVAL);
	t.of = TALLY_WATCH_AMOUNT;
	assert_int_equal(try_open(view, &t), 0);
	t = right;
	t.hysteresis = -1;
	assert_int_equal(try_open(view, &t), -EINVAL);
	t.hysteresis = INT64_MAX;
	assert_int_equal(try_open(view, &t), 0);
	t = right;
	t.node = 1;
	assert_int_equal(try_open(view, &t), -ENOENT);
	t.node = TALLY_WATCH_EVERY_NODE - 1;
	assert_int_equal(try_open(view, &t), -ENOENT);
	t = right;
	t.account = "nobody";
	assert_int_equal(try_open(view, &t), -ENOENT);
	t.account = "nobody/"; /* a quota's */
	assert_int_equal(try_open(view, &t), -ENOENT);
	t.of = TALLY_WATCH_AMOUNT; /* of accounts that may come */
	assert_int_equal(try_open(view, &t), 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

static int try_options(const struct tally_view *view,
		       const struct tally_watch_options *options)
{
	struct tally_watch *w = NULL;
	int err = tally_watch_open(view, options, &w);

	tally_watch_close(w);
	return err;
}

static void what_no_options_can_be_is_refused(void **state)
{
	const struct tally_watch_threshold t[TALLY_WATCH_THRESHOLDS + 1] = {
		free_below(machine_nodes[0], 4, 0)};
	const struct tally_watch_options right = {
		.size = sizeof(right),
		.thresholds = t,
		.nr_thresholds = 1,
	};
	struct {
		struct tally_watch_options options;
		uint64_t more;
	} grown = {right, 0};
	struct tally_watch_options o = right;
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m), *other;
	struct tally_view *view = view_of(l), *snapshot;
	char path[sizeof(m->path) + 8];

	o.size = 0;
	assert_int_equal(try_options(view, &o), -EINVAL);
	o = right;
	o.nr_thresholds = 0;
	assert_int_equal(try_options(view, &o), -EINVAL);
	o.nr_thresholds = TALLY_WATCH_THRESHOLDS + 1;
	assert_int_equal(try_options(view, &o), -EINVAL);
	o = right;
	o.flags = 4;
	assert_int_equal(try_options(view, &o), -EINVAL);
	o = right;
	o.look_ns = 99999;
	assert_int_equal(try_options(view, &o), -EINVAL);
	o.look_ns = 100000;
	assert_int_equal(try_options(view, &o), 0);
	o = right;
	o.ledger = l;
	assert_int_equal(try_options(view, &o), 0);
	snprintf(path, sizeof(path), "%s-2", m->path);
	assert_int_equal(tally_ledger_create(path, m->topo, machine_resources,
					     2, NULL, &other),
			 0);
	o.ledger = other;
	assert_int_equal(try_options(view, &o), -EINVAL);
	tally_ledger_close(other);
	unlink(path);
	grown.options.size = sizeof(grown);
	assert_int_equal(try_options(view, &grown.options), 0);
	grown.more = 1;
	assert_int_equal(try_options(view, &grown.options), -E2BIG);
	if (!tally_view_snapshot(l, 0, SECOND_NS, &snapshot)) {
		assert_int_equal(try_options(snapshot, &right), -EINVAL);
		tally_view_close(snapshot);
	}
	tally_view_close(view);
	tally_ledger_close(l);
}

/* ---- what ends it ---------------------------------------------------------------- */

static void a_wait_ends_in_time(void **state)
{
	static const int64_t timeouts[] = {0, 1, 30000000};
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct tally_watch_event e = {.size = 8};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);

	for (int i = 0; i < 6; i++) {
		struct tally_watch *w = watch(view, i % 2 ? l : NULL, &t, 1, 0);

		e.size = 8;
		assert_int_equal(tally_watch_wait(w, 0, &e), -EINVAL);
		e.size = sizeof(e);
		assert_int_equal(tally_watch_wait(w, timeouts[i / 2], &e),
				 -ETIMEDOUT);
		assert_int_equal(e.nr, 0);
		tally_watch_close(w);
	}
	tally_watch_close(NULL);
	assert_string_equal(tally_strerror_of("tally_watch_wait", -ETIMEDOUT),
			    "the watch did not fire");
	tally_view_close(view);
	tally_ledger_close(l);
}

struct sleeper {
	struct tally_watch *watch;
	pthread_t thread;
	int err;
};

static void *sleep_there(void *arg)
{
	struct sleeper *s = arg;

	s->err = tally_watch_wait(s->watch, -1, NULL);
	return NULL;
}

static void start(struct sleeper *s)
{
	assert_int_equal(pthread_create(&s->thread, NULL, sleep_there, s), 0);
}

static int end(struct sleeper *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	return s->err;
}

static void the_end_of_an_account_ends_it(void **state)
{
	struct tally_watch_threshold t[3] = {
		events_above("a", 10, 0),
		free_below(machine_nodes[0], 4, 0),
		free_below(TALLY_VIEW_ALL, 4, 0),
	};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_view *view = view_of(l);

	t[1].account = t[2].account = "a";
	for (int i = 0; i < 6; i++) {
		struct tally_account a = machine_account(l, "a");
		struct sleeper s = {.watch = watch(view, i % 2 ? l : NULL,
						   &t[i / 2], 1, 0)};
		int err;

		start(&s);
		assert_int_equal(tally_account_end(accounts, a), 0);
		err = end(&s);
		/* A look may meet the account on the way to its end. */
		if (i / 2 != 1 || err != -ESHUTDOWN)
			assert_int_equal(err, -ESTALE);
		assert_int_equal(tally_watch_wait(s.watch, 0, NULL), -ESTALE);
		tally_watch_close(s.watch);
	}
	/* Nothing more is free for one that is terminating. */
	{
		struct tally_account a = machine_account(l, "b");
		struct sleeper s;

		t[1].account = "b";
		s.watch = watch(view, l, &t[1], 1, 0);
		start(&s);
		assert_int_equal(tally_account_pin(accounts, a, 1), 0);
		assert_int_equal(tally_account_end(accounts, a), 0);
		assert_int_equal(end(&s), -ESHUTDOWN);
		tally_watch_close(s.watch);
	}
	tally_view_close(view);
	tally_ledger_close(l);
}

static void the_end_of_the_ledger_ends_it(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct machine *m = *state;

	for (int i = 0; i < 2; i++) {
		struct tally_ledger *l = with_ten(m);
		struct tally_view *view = view_of(l);
		struct sleeper s = {
			.watch = watch(view, i ? l : NULL, &t, 1, 0)};

		start(&s);
		assert_int_equal(unlink(m->path), 0);
		assert_int_equal(end(&s), -EIDRM);
		tally_watch_close(s.watch);
		tally_view_close(view);
		tally_ledger_close(l);
	}
	assert_string_equal(tally_strerror_of("tally_watch_wait", -EIDRM),
			    "the ledger was removed or replaced");
}

static void the_end_of_the_last_writer_ends_it(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view;
	struct sleeper s;

	assert_int_equal(tally_reader_view(reader, &view), 0);
	s.watch = watch(view, NULL, &t, 1, 0);
	start(&s);
	tally_ledger_close(l);
	assert_int_equal(end(&s), -ESRCH);
	assert_int_equal(tally_watch_wait(s.watch, -1, NULL), -ESRCH);
	tally_watch_close(s.watch);
	/* Unless it is to go on. */
	s.watch = watch(view, NULL, &t, 1, TALLY_WATCH_IDLE);
	assert_int_equal(tally_watch_wait(s.watch, 5000000, NULL), -ETIMEDOUT);
	start(&s);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	has(l, "a", machine_nodes[0], 7);
	assert_int_equal(end(&s), 0);
	tally_watch_close(s.watch);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

static void what_was_crossed_before_the_writer_left_fires(void **state)
{
	const struct tally_watch_threshold t = events_above(NULL, 10, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view;
	struct tally_watch *w;

	add_events(l, machine_account(l, "a"), machine_nodes[0], 11);
	tally_ledger_close(l);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	w = watch(view, NULL, &t, 1, 0);
	assert_int_equal(tally_watch_wait(w, -1, NULL), 0);
	assert_int_equal(tally_watch_wait(w, -1, NULL), -ESRCH);
	tally_watch_close(w);
	tally_view_close(view);
	tally_reader_close(reader);
}

static void nothing(int signal)
{
	(void)signal;
}

static void a_signal_ends_a_wait(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	const struct sigaction action = {.sa_handler = nothing};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 2; i++) {
		struct sleeper s = {
			.watch = watch(view, i ? l : NULL, &t, 1, 0)};
		struct timespec until;

		start(&s);
		do {
			pthread_kill(s.thread, SIGUSR1);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 1000000;
			if (until.tv_nsec >= SECOND_NS) {
				until.tv_nsec -= SECOND_NS;
				until.tv_sec++;
			}
		} while (pthread_timedjoin_np(s.thread, NULL, &until));
		assert_int_equal(s.err, -EINTR);
		tally_watch_close(s.watch);
	}
	tally_view_close(view);
	tally_ledger_close(l);
}

/* A ledger of one process is not its child's. */
static void a_child_does_not_watch(void **state)
{
	const struct tally_watch_threshold t = events_above(NULL, 10, 0);
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, true);
	struct tally_view *view = view_of(l);
	struct tally_watch *w = watch(view, l, &t, 1, 0);
	struct tally_watch *with_fd = watch(view, l, &t, 1, 0);
	pid_t pid;

	assert_true(tally_watch_fd(with_fd) >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int err = tally_watch_wait(w, -1, NULL);

		tally_watch_close(w);
		tally_watch_close(with_fd);
		_exit(-err);
	}
	assert_int_equal(served_status(pid), EPERM);
	tally_watch_close(w);
	tally_watch_close(with_fd);
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(what_no_threshold_can_be_is_refused),
		SLEEP_TEST(what_no_options_can_be_is_refused),
		SLEEP_TEST(a_wait_ends_in_time),
		SLEEP_TEST(the_end_of_an_account_ends_it),
		SLEEP_TEST(the_end_of_the_ledger_ends_it),
		SLEEP_TEST(the_end_of_the_last_writer_ends_it),
		SLEEP_TEST(what_was_crossed_before_the_writer_left_fires),
		SLEEP_TEST(a_signal_ends_a_wait),
		SLEEP_TEST(a_child_does_not_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
