// SPDX-License-Identifier: MIT
/* Snapshots: what they show, how many there are, what they cost. */
#include "support/test.h"

#include <numatally/error.h>

#include "support/inside.h"
#include "support/queues.h"

#define NR_LONG 40000

static uint64_t sum_of_rows(const struct tally_queue_snapshot *s)
{
	struct tally_slice items;
	uint64_t sum = 0;

	for (uint64_t from = 0; !tally_queue_snapshot_slice(s, from, &items);
	     from += items.len)
		for (uint64_t i = 0; i < items.len; i++) {
			const struct tally_queue_item *item =
				tally_slice_at(NULL, &items, sizeof(*item), i);

			assert_int_equal(item->data[0], item->account.row);
			sum += item->account.row;
		}
	return sum;
}

static void shows_all_as_it_was(void **state)
{
	struct tally_queue *q = queue_of(9, 2);
	struct tally_queue_handle a = queue_put(q, 5, 1, 10, 0);
	struct tally_queue_handle b = queue_put(q, 6, 2, 20, 90);
	struct tally_queue_snapshot *s = queue_snapshot(q, 7);
	const struct tally_queue_item *items;
	struct tally_slice all;

	(void)state;
	assert_int_equal(tally_queue_set_priority(q, a, 99), 0);
	assert_int_equal(tally_queue_back_off(q, 8, b, 0), 0);
	queue_put(q, 8, 3, 5, 0);
	queue_gives(q, 8, 1);
	assert_int_equal(tally_queue_remove(q, b, NULL), 0);

	assert_int_equal(tally_queue_snapshot_len(s), 2);
	assert_int_equal(tally_queue_snapshot_now(s), 7);
	assert_int_equal(tally_queue_snapshot_slice(s, 0, &all), 0);
	assert_int_equal(all.len, 2);
	assert_int_equal(all.cap, 2);
	items = tally_slice_at(NULL, &all, sizeof(*items), 0);
	assert_int_equal(items[0].account.row, 1);
	assert_int_equal(items[0].priority, 10);
	assert_int_equal(items[0].since, 5);
	assert_memory_equal(&items[0].handle, &a, sizeof(a));
	assert_int_equal(items[1].account.row, 2);
	assert_int_equal(items[1].not_before, 90);
	assert_int_equal(items[1].since, 6);
	assert_int_equal(tally_queue_snapshot_slice(s, 1, &all), 0);
	assert_int_equal(all.len, 1);
	assert_ptr_equal(tally_slice_at(NULL, &all, sizeof(*items), 0),
			 &items[1]);
	tally_queue_snapshot_close(s);
	tally_queue_snapshot_close(NULL);
	tally_queue_destroy(q);
}

static void of_an_empty_queue(void **state)
{
	struct tally_queue *q = queue_of(9, 2);
	struct tally_queue_snapshot *s = queue_snapshot(q, 1);
	struct tally_slice items = {7, 7, 7};

	(void)state;
	queue_put(q, 0, 1, 0, 0);
	assert_int_equal(tally_queue_snapshot_len(s), 0);
	assert_int_equal(tally_queue_snapshot_slice(s, 0, &items), -ENOENT);
	assert_int_equal(items.len, 7);
	tally_queue_snapshot_close(s);
	tally_queue_destroy(q);
}

static void so_many_and_no_more(void **state)
{
	struct tally_queue_snapshot *s[TALLY_QUEUE_SNAPSHOTS], *more = NULL;
	const uint64_t numbers[] = {0, 1, 3, TALLY_QUEUE_SNAPSHOTS};

	(void)state;
	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
		uint64_t nr = numbers[n], rows = 0;
		struct tally_queue *q = queue_of(200, nr);

		for (uint32_t i = 0; i < nr; i++) {
			queue_put(q, 0, i + 1, 0, 0);
			s[i] = queue_snapshot(q, 0);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(tally_queue_snapshot_open(q, 0, &more),
					 -ENOSPC);
		assert_null(more);
		for (uint32_t i = 0; i < nr; i++) {
			rows += i + 1;
			assert_int_equal(sum_of_rows(s[i]), rows);
		}
		if (nr > 0) {
			tally_queue_snapshot_close(s[nr / 2]);
			s[nr / 2] = queue_snapshot(q, 0);
			assert_int_equal(sum_of_rows(s[nr / 2]), rows);
		}
		for (uint32_t i = 0; i < nr; i++)
			tally_queue_snapshot_close(s[i]);
		tally_queue_destroy(q);
	}
	assert_string_equal(
		tally_strerror_of("tally_queue_snapshot_open", -ENOSPC),
		"too many snapshots are open");
}

static struct tally_queue *long_queue(uint64_t nr)
{
	struct tally_queue *q = queue_of(NR_LONG, 3);

	for (uint32_t i = 0; i < nr; i++)
		queue_put(q, 0, i, i % 100, i % 5 ? 0 : 1000);
	return q;
}

/* Over several branches, which all change. */
static void of_a_long_queue(void **state)
{
	const uint64_t rows = (uint64_t)NR_LONG * (NR_LONG - 1) / 2;
	struct tally_queue *q = long_queue(NR_LONG);
	struct tally_queue_snapshot *first = queue_snapshot(q, 0), *half;
	struct tally_queue_item item;
	uint64_t left = rows;

	(void)state;
	for (int i = 0; i < NR_LONG / 2; i++) {
		assert_int_equal(tally_queue_pop(q, 0, &item), 0);
		left -= item.account.row;
	}
	half = queue_snapshot(q, 0);
	while (!tally_queue_pop(q, 1000, &item))
		;
	assert_int_equal(tally_queue_len(q), 0);
	assert_int_equal(sum_of_rows(first), rows);
	assert_int_equal(sum_of_rows(half), left);
	tally_queue_snapshot_close(first);
	for (uint32_t i = 0; i < NR_LONG; i++)
		queue_put(q, 0, i + 7, 0, 0);
	assert_int_equal(sum_of_rows(half), left);
	tally_queue_snapshot_close(half);
	tally_queue_destroy(q);
}

/* One that is kept for as long as thousands come and go costs the others no
 * memory: the queue has addresses for three of them alone. */
static void one_is_kept_for_long(void **state)
{
	struct tally_queue *q = queue_of(500, 3);
	struct tally_queue_snapshot *kept, *s[2] = {NULL, NULL};
	uint64_t rows = 0;

	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		queue_put(q, 0, i, 0, 0);
		rows += i;
	}
	kept = queue_snapshot(q, 0);
	for (uint32_t i = 0; i < 20000; i++) {
		struct tally_queue_item item;

		assert_int_equal(tally_queue_pop(q, 0, &item), 0);
		queue_put(q, 0, item.account.row, 0, 0);
		if (i % 3)
			continue;
		if (s[0])
			assert_int_equal(sum_of_rows(s[0]), rows);
		tally_queue_snapshot_close(s[0]);
		s[0] = s[1];
		s[1] = queue_snapshot(q, 0);
	}
	assert_int_equal(sum_of_rows(kept), rows);
	tally_queue_snapshot_close(kept);
	tally_queue_snapshot_close(s[0]);
	tally_queue_snapshot_close(s[1]);
	tally_queue_destroy(q);
}

/* ---- what they cost ------------------------------------------------------- */

/* Steps through a snapshot, and the first change after it if so. */
static int cost(uint64_t nr, bool changes)
{
	struct tally_queue *q = long_queue(nr);
	struct tally_queue_snapshot *s;
	/* One that waits: no heap changes. */
	const struct tally_queue_handle waits = {1, 0};

	tally_queue_snapshot_close(queue_snapshot(q, 0));
	if (tally_queue_set_priority(q, waits, 7))
		return 1;
	if (changes && tally_queue_snapshot_open(q, 0, &s))
		return 1;
	if (inside_stop())
		return 2;
	if (changes)
		_exit(tally_queue_set_priority(q, waits, 8) ? 3 : 0);
	_exit(tally_queue_snapshot_open(q, 0, &s) ? 3 : 0);
}

static long instructions(uint64_t nr, bool changes)
{
	long n = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(cost(nr, changes));
	if (!inside_wait(pid))
		skip();
	while (inside_step(pid))
		n++;
	return n;
}

static void takes_the_same_steps_at_any_length(void **state)
{
	long few, many, first_few, first_many;

	(void)state;
	if (TEST_SANITIZED || getenv("NUMATALLY_SHORT"))
		skip();
	few = instructions(10, false);
	many = instructions(NR_LONG, false);
	first_few = instructions(10, true);
	first_many = instructions(NR_LONG, true);
	print_message("# instructions of a snapshot: %ld; of %d items: %ld; of "
		      "the first change after it: %ld, %ld\n",
		      few, NR_LONG, many, first_few, first_many);
	assert_true(many < few + 100);
	/* Each of the blocks that are copied is at most 2 KiB. */
	assert_true(first_many < first_few + 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_all_as_it_was),
		cmocka_unit_test(of_an_empty_queue),
		cmocka_unit_test(so_many_and_no_more),
		cmocka_unit_test(of_a_long_queue),
		cmocka_unit_test(one_is_kept_for_long),
		cmocka_unit_test(takes_the_same_steps_at_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
