// SPDX-License-Identifier: MIT
/* A watch in an event loop. */
#include "support/test.h"

#include <fcntl.h>
#include <poll.h>

#include <numatally/error.h>

#include "support/watches.h"

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void await(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, -1), 1);
}

/* Wait until it sees that it is armed again: it has no event of its own. */
static void expect_asked(struct layout *inside)
{
	uint32_t *awaited = &layout_limits(inside)->awaited;

	__atomic_store_n(awaited, 0, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++) {
		while (!(__atomic_load_n(awaited, __ATOMIC_ACQUIRE) &
			 ROOM_WATCHED))
			usleep(100);
		__atomic_store_n(awaited, 0, __ATOMIC_RELEASE);
	}
}

static void an_event_makes_it_readable(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct tally_watch_event e = {.size = sizeof(e)};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct layout *inside = inside_open(m->path);
	struct tally_view *view = view_of(l);
	struct tally_watch *w = watch(view, l, &t, 1, 0);
	struct tally_token token;
	int fd;

	assert_int_equal(tally_watch_take(w, &e), -EINVAL);
	fd = tally_watch_fd(w);
	assert_true(fd >= 0);
	assert_int_equal(tally_watch_fd(w), fd);
	assert_int_equal(tally_watch_wait(w, 0, NULL), -EBUSY);
	assert_int_equal(tally_watch_take(w, &e), -EAGAIN);
	assert_false(is_readable(fd));
	token = has(l, "a", machine_nodes[0], 7);
	await(fd);
	e.size = 8;
	assert_int_equal(tally_watch_take(w, &e), -EINVAL);
	e.size = sizeof(e);
	assert_int_equal(tally_watch_take(w, &e), 0);
	assert_int_equal(e.nr, 1);
	assert_int_equal(e.amounts[0], 3);
	assert_false(is_readable(fd));
	assert_int_equal(tally_watch_take(w, &e), -EAGAIN);
	/* Two events, of which the last is taken. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(release(l, token), 0);
		expect_asked(inside);
		token = has(l, "a", machine_nodes[0], 8);
		await(fd);
		expect_asked(inside);
	}
	assert_int_equal(tally_watch_take(w, NULL), 0);
	assert_int_equal(tally_watch_take(w, &e), -EAGAIN);
	assert_int_equal(release(l, token), 0);
	expect_asked(inside);
	has(l, "a", machine_nodes[0], 9);
	await(fd);
	assert_int_equal(tally_watch_take(w, &e), 0);
	assert_int_equal(e.nr, 4);
	assert_int_equal(e.amounts[0], 1);
	tally_watch_close(w);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	tally_view_close(view);
	inside_close(inside);
	tally_ledger_close(l);
}

static void an_error_is_taken_after_the_last_event(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct tally_watch_event e = {.size = sizeof(e)};
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);
	struct tally_watch *w = watch(view, l, &t, 1, 0);
	int fd = tally_watch_fd(w), err;

	assert_true(fd >= 0);
	has(l, "a", machine_nodes[0], 7);
	await(fd);
	assert_int_equal(unlink(m->path), 0);
	assert_int_equal(tally_watch_take(w, &e), 0);
	assert_int_equal(e.nr, 1);
	for (int i = 0; i < 3; i++) {
		await(fd);
		while ((err = tally_watch_take(w, &e)) == -EAGAIN)
			await(fd);
		assert_int_equal(err, -EIDRM);
	}
	tally_watch_close(w);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* One that is told, and one that looks each hour. */
static void it_is_closed_while_it_sleeps(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);

	endless = ROOM_WATCHED;
	for (int i = 0; i < 600; i++) {
		const struct tally_watch_options options = {
			.size = sizeof(options),
			.thresholds = &t,
			.nr_thresholds = 1,
			.ledger = i % 2 ? l : NULL,
			.look_ns = 3600 * SECOND_NS,
		};
		struct tally_watch *w;

		expect_progress();
		assert_int_equal(tally_watch_open(view, &options, &w), 0);
		assert_true(tally_watch_fd(w) >= 0);
		for (volatile int k = 0; k < i * 379 % 200001; k++)
			;
		tally_watch_close(w);
	}
	endless = 0;
	tally_view_close(view);
	tally_ledger_close(l);
}

static unsigned int woken_before;

static void until_woken(void)
{
	while (__atomic_load_n(&nr_wakes, __ATOMIC_ACQUIRE) == woken_before)
		usleep(100);
}

/* No wake finds it asleep. */
static void it_is_closed_right_before_it_sleeps(void **state)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct machine *m = *state;
	struct tally_ledger *l = with_ten(m);
	struct tally_view *view = view_of(l);
	unsigned int before = nr_sleeps;
	struct tally_watch *w;

	woken_before = nr_wakes;
	before_sleep = until_woken;
	endless = ROOM_WATCHED;
	w = watch(view, l, &t, 1, 0);
	assert_true(tally_watch_fd(w) >= 0);
	while (__atomic_load_n(&nr_sleeps, __ATOMIC_ACQUIRE) == before)
		usleep(100);
	tally_watch_close(w);
	endless = 0;
	before_sleep = NULL;
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(an_event_makes_it_readable),
		SLEEP_TEST(an_error_is_taken_after_the_last_event),
		SLEEP_TEST(it_is_closed_while_it_sleeps),
		SLEEP_TEST(it_is_closed_right_before_it_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
