// SPDX-License-Identifier: MIT
/* Snapshots of a queue. */
#include "config.h"

#include <errno.h>

#include "queue/internal.h"

int tally_queue_snapshot_open(struct tally_queue *q, uint64_t now,
			      struct tally_queue_snapshot **snapshot)
{
	struct tally_queue_snapshot *s;
	unsigned int nr;

	queue_settle(q);
	if (!q->unused)
		return -ENOSPC;
	if (now > q->now)
		q->now = now;
	nr = (unsigned int)__builtin_ctzll(q->unused);
	q->unused &= ~(UINT64_C(1) << nr);
	s = &q->snapshots[nr];
	*s = (struct tally_queue_snapshot){
		.queue = q,
		.blocks = q->blocks.s,
		.root = q->root,
		.len = q->len,
		.now = q->now,
		.epoch = q->epoch++,
		.needed = {NO_BLOCK, NO_BLOCK},
	};
	q->newest = s->epoch;
	q->open[q->nr_open++] = (uint8_t)nr;
	*snapshot = s;
	return 0;
}

uint64_t tally_queue_snapshot_len(const struct tally_queue_snapshot *s)
{
	return s->len;
}

uint64_t tally_queue_snapshot_now(const struct tally_queue_snapshot *s)
{
	return s->now;
}

int tally_queue_snapshot_slice(const struct tally_queue_snapshot *s,
			       uint64_t from, struct tally_slice *items)
{
	const struct tally_queue_item *first;
	uint64_t nr;

	if (from >= s->len)
		return -ENOENT;
	first = queue_tree_item(&s->blocks, s->root, from);
	nr = LEAF_ITEMS - from % LEAF_ITEMS;
	if (nr > s->len - from)
		nr = s->len - from;
	return tally_slice_init(NULL, (uintptr_t)first, sizeof(*first), nr, nr,
				items);
}

void tally_queue_snapshot_close(struct tally_queue_snapshot *s)
{
	struct tally_queue *q;

	if (!s)
		return;
	/* Release: the reader's loads come before the writer's next stores. */
	q = s->queue;
	__atomic_fetch_or(&q->closed, UINT64_C(1) << (s - q->snapshots),
			  __ATOMIC_RELEASE);
}
