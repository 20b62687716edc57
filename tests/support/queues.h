/* SPDX-License-Identifier: MIT */
/* Queues, items and snapshots of them. */
#ifndef TEST_SUPPORT_QUEUES_H
#define TEST_SUPPORT_QUEUES_H

#include "support/test.h"

#include <numatally/queue.h>

static inline struct tally_queue *queue_of(uint64_t max_items,
					   uint64_t max_snapshots)
{
	const struct tally_queue_options options = {
		.size = sizeof(options),
		.max_items = max_items,
		.max_snapshots = max_snapshots,
	};
	struct tally_queue *q;

	assert_int_equal(tally_queue_create(&options, &q), 0);
	return q;
}

static inline int queue_try(struct tally_queue *q, uint64_t now, uint32_t row,
			    int64_t priority, uint64_t not_before,
			    struct tally_queue_handle *handle)
{
	const struct tally_queue_item item = {
		.account = {row, row + 1},
		.priority = priority,
		.not_before = not_before,
		.data = {row, ~(uint64_t)row},
	};

	return tally_queue_push(q, now, &item, handle);
}

static inline struct tally_queue_handle queue_put(struct tally_queue *q,
						  uint64_t now, uint32_t row,
						  int64_t priority,
						  uint64_t not_before)
{
	struct tally_queue_handle handle;

	assert_int_equal(queue_try(q, now, row, priority, not_before, &handle),
			 0);
	return handle;
}

/* The item that leaves next is of that row. */
static inline void queue_gives(struct tally_queue *q, uint64_t now,
			       uint32_t row)
{
	struct tally_queue_item first, item;

	assert_int_equal(tally_queue_peek(q, now, &first), 0);
	assert_int_equal(tally_queue_pop(q, now, &item), 0);
	assert_memory_equal(&first, &item, sizeof(item));
	assert_int_equal(item.account.row, row);
	assert_int_equal(item.account.generation, row + 1);
	assert_int_equal(item.data[0], row);
	assert_int_equal(item.data[1], ~(uint64_t)row);
}

static inline struct tally_queue_snapshot *queue_snapshot(struct tally_queue *q,
							  uint64_t now)
{
	struct tally_queue_snapshot *s;

	assert_int_equal(tally_queue_snapshot_open(q, now, &s), 0);
	return s;
}

#endif
