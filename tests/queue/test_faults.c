// SPDX-License-Identifier: MIT
/* A queue grows, and keeps snapshots as they are, while each call of the kernel,
 * and each allocation, fails once: what fails changes nothing. */
#include "support/test.h"

#include <numatally/queue.h>

#include "support/fault.h"

/* Something is wrong. */
#define BAD	1

#define NR	1500
#define NR_LEFT 100

struct task {
	struct tally_queue *q;
	struct tally_queue_snapshot *s[3];
	uint64_t len;
};

static int push(struct task *t, uint32_t row)
{
	const struct tally_queue_item item = {
		.account = {row, 1},
		.priority = row % 10,
		.not_before = row % 4 ? 0 : 100 + row,
	};
	struct tally_queue_handle handle = {0};
	int err = tally_queue_push(t->q, 0, &item, &handle);

	if (err)
		return handle.generation ? BAD : err;
	t->len++;
	return 0;
}

/* The number of items, and the sum of their rows. */
static int shows(const struct tally_queue_snapshot *s, uint64_t nr)
{
	struct tally_slice items;
	uint64_t sum = 0, from = 0;

	for (; !tally_queue_snapshot_slice(s, from, &items); from += items.len)
		for (uint64_t i = 0; i < items.len; i++) {
			const struct tally_queue_item *item =
				tally_slice_at(NULL, &items, sizeof(*item), i);

			sum += item->account.row;
		}
	return from == nr && sum == nr * (nr - 1) / 2 ? 0 : BAD;
}

static int change(struct task *t)
{
	struct tally_queue_item item;
	int err = 0;

	for (uint32_t i = 0; !err && i < NR; i++) {
		err = push(t, i);
		if (!err && i % 500 == 499)
			err = tally_queue_snapshot_open(t->q, 0,
							&t->s[i / 500]);
	}
	while (!err && t->len > NR_LEFT) {
		err = tally_queue_pop(t->q, 1000000, &item);
		t->len -= !err;
	}
	for (uint64_t i = 0; !err && i < 2; i++)
		err = shows(t->s[i], 500 * (i + 1));
	return err;
}

/* After a failure the queue goes on from where it was. */
static int goes_on(struct task *t)
{
	struct tally_queue_item item;
	int err = tally_queue_len(t->q) == t->len ? 0 : BAD;

	for (uint64_t i = 0; !err && i < 3; i++)
		if (t->s[i])
			err = shows(t->s[i], 500 * (i + 1));
	while (!err && t->len > 0) {
		err = tally_queue_pop(t->q, 1000000, &item);
		t->len -= !err;
	}
	return err;
}

static int use(void *unused)
{
	const struct tally_queue_options options = {
		.size = sizeof(options), .max_items = NR, .max_snapshots = 3};
	struct task t = {0};
	int err = tally_queue_create(&options, &t.q);

	(void)unused;
	if (err)
		return t.q ? BAD : err;
	err = change(&t);
	if (goes_on(&t))
		err = BAD;
	for (int i = 0; i < 3; i++)
		tally_queue_snapshot_close(t.s[i]);
	tally_queue_destroy(t.q);
	return err;
}

static void each_call_fails(void **state)
{
	(void)state;
	/* A sanitizer has its memory by mmap(2), the one call that there is. */
	if (TEST_SANITIZED)
		skip();
	fault_each_call(use, NULL);
}

static void each_allocation_fails(void **state)
{
	(void)state;
	fault_each_allocation(use, NULL);
}

static void each_call_is_interrupted(void **state)
{
	(void)state;
	fault_each_signal(use, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails),
		cmocka_unit_test(each_allocation_fails),
		cmocka_unit_test(each_call_is_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
