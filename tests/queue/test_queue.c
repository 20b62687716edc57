// SPDX-License-Identifier: MIT
/* Every call of a queue, and every error. */
#include "support/test.h"

#include <numatally/error.h>

#include "support/queues.h"

static int try_create(size_t size, uint64_t max_items, uint64_t max_snapshots)
{
	const struct {
		struct tally_queue_options known;
		uint64_t later;
	} options = {{size, max_items, max_snapshots}, 1};
	struct tally_queue *const none = NULL;
	struct tally_queue *q = none;
	int err = tally_queue_create(&options.known, &q);

	if (err)
		assert_ptr_equal(q, none);
	else
		tally_queue_destroy(q);
	return err;
}

static void options(void **state)
{
	const size_t size = sizeof(struct tally_queue_options);

	(void)state;
	assert_int_equal(try_create(0, 1, 1), -EINVAL);
	assert_int_equal(try_create(size - 1, 1, 1), -EINVAL);
	assert_int_equal(try_create(size + 8, 1, 1), -E2BIG);
	assert_int_equal(try_create(size, 0, 1), -EINVAL);
	assert_int_equal(try_create(size, TALLY_QUEUE_ITEMS + 1, 1), -EINVAL);
	assert_int_equal(try_create(size, 1, TALLY_QUEUE_SNAPSHOTS + 1),
			 -EINVAL);
	assert_int_equal(try_create(size, 1, 0), 0);
	assert_int_equal(try_create(size, TALLY_QUEUE_ITEMS, 1), 0);
	assert_int_equal(try_create(size, 1, TALLY_QUEUE_SNAPSHOTS), 0);
	tally_queue_destroy(NULL);
}

static void an_empty_queue(void **state)
{
	struct tally_queue *q = queue_of(3, 1);
	struct tally_queue_item item;
	uint64_t when = 7;

	(void)state;
	assert_int_equal(tally_queue_len(q), 0);
	assert_int_equal(tally_queue_pop(q, 1, &item), -ENOENT);
	assert_int_equal(tally_queue_peek(q, 1, &item), -ENOENT);
	assert_int_equal(tally_queue_due(q, &when), -ENOENT);
	assert_int_equal(when, 7);
	tally_queue_destroy(q);
}

static void the_highest_priority_leaves_first(void **state)
{
	struct tally_queue *q = queue_of(10, 0);

	(void)state;
	queue_put(q, 0, 1, INT64_MIN, 0);
	queue_put(q, 0, 2, 0, 0);
	queue_put(q, 0, 3, INT64_MAX, 0);
	queue_put(q, 0, 4, -1, 0);
	queue_put(q, 0, 5, 1, 0);
	queue_gives(q, 0, 3);
	queue_gives(q, 0, 5);
	queue_gives(q, 0, 2);
	queue_gives(q, 0, 4);
	queue_gives(q, 0, 1);
	assert_int_equal(tally_queue_len(q), 0);
	tally_queue_destroy(q);
}

static void equals_leave_in_the_order_in_which_they_came(void **state)
{
	enum { NR = 1000 };
	struct tally_queue *q = queue_of(NR + 1, 0);
	struct tally_queue_item item;

	(void)state;
	/* Slots that were used are used again, in another order. */
	for (uint32_t i = 0; i < NR; i++)
		queue_put(q, 0, i, i * 7919 % NR, 0);
	for (uint32_t i = 0; i < NR; i++)
		assert_int_equal(tally_queue_pop(q, 0, &item), 0);
	for (uint32_t i = 0; i < NR; i++)
		queue_put(q, 0, i, i % 3, 0);
	/* What leaves in between changes nothing for the others. */
	queue_put(q, 0, NR, 9, 0);
	queue_gives(q, 0, NR);
	for (uint32_t priority = 3; priority-- > 0;)
		for (uint32_t i = priority; i < NR; i += 3)
			queue_gives(q, 0, i);
	tally_queue_destroy(q);
}

static void a_full_queue(void **state)
{
	struct tally_queue_handle handle = {7, 7};
	struct tally_queue *q = queue_of(2, 0);

	(void)state;
	queue_put(q, 0, 1, 0, 0);
	queue_put(q, 0, 2, 0, 9);
	assert_int_equal(queue_try(q, 0, 3, 0, 0, &handle), -ENOSPC);
	assert_int_equal(handle.generation, 7);
	assert_string_equal(tally_strerror_of("tally_queue_push", -ENOSPC),
			    "the queue is full");
	queue_gives(q, 0, 1);
	queue_put(q, 0, 3, 0, 0);
	assert_int_equal(queue_try(q, 0, 4, 0, 0, &handle), -ENOSPC);
	tally_queue_destroy(q);
}

/* Before its time, at it, and past it. */
static void an_item_waits_until_its_time(void **state)
{
	struct tally_queue *q = queue_of(9, 0);
	struct tally_queue_item item = {.priority = 77};
	uint64_t when;

	(void)state;
	queue_put(q, 5, 1, 100, 20);
	assert_int_equal(tally_queue_pop(q, 19, &item), -EAGAIN);
	assert_int_equal(tally_queue_peek(q, 19, &item), -EAGAIN);
	assert_int_equal(item.priority, 77);
	assert_int_equal(tally_queue_due(q, &when), 0);
	assert_int_equal(when, 20);
	queue_put(q, 19, 2, 1, 19);
	assert_int_equal(tally_queue_due(q, &when), 0);
	assert_int_equal(when, 0);
	queue_gives(q, 19, 2);
	queue_gives(q, 20, 1);
	/* Whatever the priority. */
	queue_put(q, 20, 3, 5, 30);
	queue_put(q, 20, 4, 9, 40);
	assert_int_equal(tally_queue_due(q, &when), 0);
	assert_int_equal(when, 30);
	queue_gives(q, 39, 3);
	assert_int_equal(tally_queue_due(q, &when), 0);
	assert_int_equal(when, 40);
	queue_gives(q, UINT64_MAX, 4);
	tally_queue_destroy(q);
}

/* Equals that waited come in the order of their times, between those that did
 * not wait. It makes no difference when somebody looks. */
static void those_that_waited_come_by_their_times(void **state)
{
	for (int looks = 0; looks < 2; looks++) {
		struct tally_queue *q = queue_of(9, 0);
		struct tally_queue_item item;

		queue_put(q, 0, 1, 0, 30);
		queue_put(q, 0, 2, 0, 10);
		queue_put(q, 0, 3, 0, 20);
		queue_put(q, 0, 4, 0, 10);
		queue_put(q, 15, 5, 0, 0);
		if (looks)
			assert_int_equal(tally_queue_peek(q, 17, &item), 0);
		queue_put(q, 20, 6, 0, 0);
		queue_gives(q, 40, 2);
		queue_gives(q, 40, 4);
		queue_gives(q, 40, 5);
		queue_gives(q, 40, 3);
		queue_gives(q, 40, 6);
		queue_gives(q, 40, 1);
		tally_queue_destroy(q);
	}
	(void)state;
}

static void time_never_goes_back(void **state)
{
	struct tally_queue *q = queue_of(9, 1);
	struct tally_queue_snapshot *s;
	struct tally_queue_item item;

	(void)state;
	assert_int_equal(tally_queue_pop(q, 50, &item), -ENOENT);
	queue_put(q, 10, 1, 0, 40);
	queue_put(q, 60, 2, 0, 0);
	queue_put(q, 55, 3, 0, 0);
	s = queue_snapshot(q, 1);
	assert_int_equal(tally_queue_snapshot_now(s), 60);
	tally_queue_snapshot_close(s);
	assert_int_equal(tally_queue_peek(q, 0, &item), 0);
	assert_int_equal(item.since, 50);
	queue_gives(q, 0, 1);
	queue_gives(q, 0, 2);
	assert_int_equal(tally_queue_peek(q, 0, &item), 0);
	assert_int_equal(item.since, 60);
	queue_gives(q, 0, 3);
	tally_queue_destroy(q);
}

static void a_stale_handle(void **state)
{
	const struct tally_queue_handle wild[] = {
		{0, 0}, {1, 1}, {2, 0}, {1, UINT64_MAX}, {UINT64_MAX, 0}};
	struct tally_queue *q = queue_of(9, 0);
	struct tally_queue_handle old, new;
	struct tally_queue_item item;

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		assert_int_equal(tally_queue_get(q, wild[i], &item), -ESTALE);
	old = queue_put(q, 0, 1, 0, 0);
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		assert_int_equal(tally_queue_get(q, wild[i], &item), -ESTALE);
	assert_int_equal(tally_queue_get(q, old, &item), 0);
	assert_int_equal(item.account.row, 1);
	assert_memory_equal(&item.handle, &old, sizeof(old));
	queue_gives(q, 0, 1);
	assert_int_equal(tally_queue_get(q, old, &item), -ESTALE);
	/* Another item has its slot. */
	new = queue_put(q, 0, 2, 0, 0);
	assert_int_equal(new.slot, old.slot);
	assert_int_equal(tally_queue_get(q, old, &item), -ESTALE);
	assert_int_equal(tally_queue_remove(q, old, NULL), -ESTALE);
	assert_int_equal(tally_queue_set_priority(q, old, 4), -ESTALE);
	assert_int_equal(tally_queue_back_off(q, 0, old, 4), -ESTALE);
	assert_int_equal(tally_queue_remove(q, new, NULL), 0);
	assert_int_equal(tally_queue_remove(q, new, NULL), -ESTALE);
	assert_int_equal(tally_queue_len(q), 0);
	tally_queue_destroy(q);
}

static void removal_by_handle(void **state)
{
	struct tally_queue *q = queue_of(9, 0);
	struct tally_queue_handle h[6];
	struct tally_queue_item item;

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		h[i] = queue_put(q, 3, i, i, i < 2 ? 90 : 0);
	assert_int_equal(tally_queue_remove(q, h[5], &item), 0);
	assert_int_equal(item.account.row, 5);
	assert_int_equal(item.since, 3);
	assert_int_equal(tally_queue_remove(q, h[0], &item), 0);
	assert_int_equal(item.account.row, 0);
	assert_int_equal(tally_queue_remove(q, h[3], NULL), 0);
	assert_int_equal(tally_queue_len(q), 3);
	queue_gives(q, 3, 4);
	queue_gives(q, 3, 2);
	assert_int_equal(tally_queue_pop(q, 3, &item), -EAGAIN);
	queue_gives(q, 90, 1);
	tally_queue_destroy(q);
}

static void another_priority(void **state)
{
	struct tally_queue *q = queue_of(9, 0);
	struct tally_queue_handle h[5];
	struct tally_queue_item item;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		h[i] = queue_put(q, 0, i, 5, i == 4 ? 10 : 0);
	assert_int_equal(tally_queue_set_priority(q, h[3], 9), 0);
	assert_int_equal(tally_queue_set_priority(q, h[0], -9), 0);
	assert_int_equal(tally_queue_set_priority(q, h[4], 7), 0);
	assert_int_equal(tally_queue_get(q, h[3], &item), 0);
	assert_int_equal(item.priority, 9);
	/* Among its equals it has the place that it had. */
	assert_int_equal(tally_queue_set_priority(q, h[1], 0), 0);
	assert_int_equal(tally_queue_set_priority(q, h[1], 5), 0);
	queue_gives(q, 0, 3);
	queue_gives(q, 0, 1);
	queue_gives(q, 10, 4);
	queue_gives(q, 10, 2);
	queue_gives(q, 10, 0);
	tally_queue_destroy(q);
}

static void an_item_backs_off(void **state)
{
	struct tally_queue *q = queue_of(9, 0);
	struct tally_queue_handle h[4];
	struct tally_queue_item item;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		h[i] = queue_put(q, 0, i, 0, 0);
	assert_int_equal(tally_queue_back_off(q, 5, h[0], 20), 0);
	assert_int_equal(tally_queue_back_off(q, 5, h[2], 10), 0);
	assert_int_equal(tally_queue_back_off(q, 5, h[1], 5), 0);
	assert_int_equal(tally_queue_get(q, h[2], &item), 0);
	assert_int_equal(item.not_before, 10);
	queue_gives(q, 5, 3);
	queue_gives(q, 5, 1);
	assert_int_equal(tally_queue_pop(q, 5, &item), -EAGAIN);
	/* Longer, and no more at all: then it has its first place again. */
	assert_int_equal(tally_queue_back_off(q, 5, h[2], 30), 0);
	queue_put(q, 6, 4, 0, 0);
	assert_int_equal(tally_queue_back_off(q, 6, h[0], 0), 0);
	queue_gives(q, 6, 0);
	queue_gives(q, 6, 4);
	assert_int_equal(tally_queue_pop(q, 29, &item), -EAGAIN);
	queue_gives(q, 30, 2);
	tally_queue_destroy(q);
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void order_of_two_items(void **state)
{
	struct tally_queue_item a = {.priority = 1, .since = 5},
				b = {.priority = 1, .since = 5};

	(void)state;
	a.handle.generation = 8;
	b.handle.generation = 8;
	assert_int_equal(tally_queue_order(&a, &b), 0);
	b.handle.generation = 9;
	assert_int_equal(sign(tally_queue_order(&a, &b)), -1);
	assert_int_equal(sign(tally_queue_order(&b, &a)), 1);
	a.not_before = 6;
	assert_int_equal(sign(tally_queue_order(&a, &b)), 1);
	assert_int_equal(sign(tally_queue_order(&b, &a)), -1);
	a.priority = 2;
	assert_int_equal(sign(tally_queue_order(&a, &b)), -1);
	assert_int_equal(sign(tally_queue_order(&b, &a)), 1);
	a.priority = INT64_MIN;
	assert_int_equal(sign(tally_queue_order(&a, &b)), 1);
}

/* Over several branches of the tree, and again once it has them. */
static void a_long_queue(void **state)
{
	enum { NR = 40000 };
	struct tally_queue *q = queue_of(NR, 0);
	struct tally_queue_handle handle;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < NR; i++)
			queue_put(q, 0, i, (int64_t)(i * 7919 % NR), 0);
		assert_int_equal(queue_try(q, 0, 0, 0, 0, &handle), -ENOSPC);
		for (uint32_t i = NR; i-- > 0;) {
			struct tally_queue_item item;

			assert_int_equal(tally_queue_pop(q, 0, &item), 0);
			assert_int_equal(item.priority, i);
			assert_int_equal(item.account.row * 7919 % NR, i);
		}
		assert_int_equal(tally_queue_len(q), 0);
	}
	tally_queue_destroy(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(an_empty_queue),
		cmocka_unit_test(the_highest_priority_leaves_first),
		cmocka_unit_test(equals_leave_in_the_order_in_which_they_came),
		cmocka_unit_test(a_full_queue),
		cmocka_unit_test(an_item_waits_until_its_time),
		cmocka_unit_test(those_that_waited_come_by_their_times),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(a_stale_handle),
		cmocka_unit_test(removal_by_handle),
		cmocka_unit_test(another_priority),
		cmocka_unit_test(an_item_backs_off),
		cmocka_unit_test(order_of_two_items),
		cmocka_unit_test(a_long_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
