// SPDX-License-Identifier: MIT
/* What enters a queue, changes in it, and leaves it. */
#include "config.h"

#include <errno.h>

#include "queue/internal.h"

/* Keys */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The highest priority has the lowest rank. */
static uint64_t rank(int64_t priority)
{
	return ~((uint64_t)priority ^ (UINT64_C(1) << 63));
}

static struct queue_entry ready_entry(const struct tally_queue_item *item)
{
	return (struct queue_entry){
		.first = rank(item->priority),
		.second = later(item->since, item->not_before),
		.generation = item->handle.generation,
		.slot = item->handle.slot,
	};
}

static struct queue_entry waiting_entry(const struct tally_queue_item *item)
{
	return (struct queue_entry){
		.first = item->not_before,
		.generation = item->handle.generation,
		.slot = item->handle.slot,
	};
}

int tally_queue_order(const struct tally_queue_item *a,
		      const struct tally_queue_item *b)
{
	struct queue_entry x = ready_entry(a), y = ready_entry(b);

	if (x.first != y.first)
		return x.first < y.first ? -1 : 1;
	if (x.second != y.second)
		return x.second < y.second ? -1 : 1;
	if (x.generation != y.generation)
		return x.generation < y.generation ? -1 : 1;
	return 0;
}

/* Items */

static const struct tally_queue_item *item_at(const struct tally_queue *q,
					      uint64_t i)
{
	return queue_tree_item(&q->blocks.s, q->root, i);
}

/* Slots */

static struct queue_slot *slot_at(const struct tally_queue *q, uint64_t i)
{
	return tally_slice_at(NULL, &q->slots.s, sizeof(struct queue_slot), i);
}

/* Return the slot of an item that is in the queue, or NULL. */
static struct queue_slot *find(const struct tally_queue *q,
			       struct tally_queue_handle handle)
{
	struct queue_slot *slot;

	if (handle.generation == 0 || handle.slot >= q->slots.s.len)
		return NULL;
	slot = slot_at(q, handle.slot);
	return slot->generation == handle.generation ? slot : NULL;
}

static int slot_room(struct tally_queue *q)
{
	uint64_t len = q->slots.s.len;
	int err;

	if (q->free_slot != NO_SLOT)
		return 0;
	err = queue_room(&q->slots, len + 1);
	if (!err)
		err = tally_slice_grow(&q->slots.s, len + 1);
	if (!err) {
		slot_at(q, len)->item = NO_SLOT;
		q->free_slot = (uint32_t)len;
	}
	return err;
}

static struct tally_queue_handle take_slot(struct tally_queue *q, uint64_t item)
{
	uint32_t i = q->free_slot;
	struct queue_slot *slot = slot_at(q, i);

	q->free_slot = slot->item;
	slot->item = (uint32_t)item;
	slot->generation = ++q->generation;
	return (struct tally_queue_handle){slot->generation, i};
}

static void free_slot(struct tally_queue *q, uint64_t i)
{
	struct queue_slot *slot = slot_at(q, i);

	slot->generation = 0;
	slot->item = q->free_slot;
	q->free_slot = (uint32_t)i;
}

/* Heaps */

static const struct tally_queue_item *item_of(const struct tally_queue *q,
					      uint64_t slot)
{
	return item_at(q, slot_at(q, slot)->item);
}

static void enter_heap(struct tally_queue *q,
		       const struct tally_queue_item *item)
{
	bool waits = item->not_before > q->now;
	struct queue_entry entry = waits ? waiting_entry(item)
					 : ready_entry(item);

	queue_heap_push(q, waits ? QUEUE_WAITING : QUEUE_READY, &entry);
}

/* The queue's time becomes now, and what waited until then is ready. */
static void reach(struct tally_queue *q, uint64_t now)
{
	const struct queue_entry *root;

	q->now = later(q->now, now);
	while ((root = queue_heap_root(q, QUEUE_WAITING)) &&
	       root->first <= q->now) {
		const struct tally_queue_item *item = item_of(q, root->slot);

		queue_heap_take(q, slot_at(q, root->slot));
		enter_heap(q, item);
	}
}

/* Calls */

int tally_queue_push(struct tally_queue *q, uint64_t now,
		     const struct tally_queue_item *item,
		     struct tally_queue_handle *handle)
{
	uint64_t len = q->len + 1;
	struct tally_queue_item *new;
	int err;

	queue_settle(q);
	if (len > q->max_items)
		return -ENOSPC;
	/* Each heap has room for all items: no change of time needs any. */
	err = queue_room(&q->heaps[QUEUE_READY], len);
	if (!err)
		err = queue_room(&q->heaps[QUEUE_WAITING], len);
	if (!err)
		err = slot_room(q);
	if (!err)
		err = queue_tree_room(q, len);
	if (err)
		return err;
	q->now = later(q->now, now);
	new = queue_tree_write(q, q->len);
	*new = *item;
	new->since = q->now;
	new->handle = take_slot(q, q->len);
	q->len = len;
	enter_heap(q, new);
	*handle = new->handle;
	return 0;
}

/* Take an item out, whose slot is in use. */
static int take_out(struct tally_queue *q, struct queue_slot *slot,
		    struct tally_queue_item *taken)
{
	uint64_t i = slot->item, last = q->len - 1;
	const struct tally_queue_item *item = item_at(q, i);
	uint64_t freed = item->handle.slot;
	int err = i < last ? queue_tree_room(q, q->len) : 0;

	if (err)
		return err;
	if (taken)
		*taken = *item;
	queue_heap_take(q, slot);
	if (i < last) {
		const struct tally_queue_item *moved = item_at(q, last);

		slot_at(q, moved->handle.slot)->item = (uint32_t)i;
		*queue_tree_write(q, i) = *moved;
	}
	q->len = last;
	free_slot(q, freed);
	return 0;
}

/* Return the slot of the next item at time now, or NULL, and why. */
static struct queue_slot *next(struct tally_queue *q, uint64_t now, int *err)
{
	const struct queue_entry *root;

	queue_settle(q);
	reach(q, now);
	root = queue_heap_root(q, QUEUE_READY);
	*err = root ? 0 : q->len ? -EAGAIN : -ENOENT;
	return root ? slot_at(q, root->slot) : NULL;
}

int tally_queue_pop(struct tally_queue *q, uint64_t now,
		    struct tally_queue_item *item)
{
	int err;
	struct queue_slot *slot = next(q, now, &err);

	return slot ? take_out(q, slot, item) : err;
}

int tally_queue_peek(struct tally_queue *q, uint64_t now,
		     struct tally_queue_item *item)
{
	int err;
	const struct queue_slot *slot = next(q, now, &err);

	if (slot)
		*item = *item_at(q, slot->item);
	return err;
}

int tally_queue_get(const struct tally_queue *q,
		    struct tally_queue_handle handle,
		    struct tally_queue_item *item)
{
	const struct queue_slot *slot = find(q, handle);

	if (!slot)
		return -ESTALE;
	*item = *item_at(q, slot->item);
	return 0;
}

int tally_queue_remove(struct tally_queue *q, struct tally_queue_handle handle,
		       struct tally_queue_item *item)
{
	struct queue_slot *slot;

	queue_settle(q);
	slot = find(q, handle);
	return slot ? take_out(q, slot, item) : -ESTALE;
}

/* Find an item that changes, and make room for that. */
static int begin(struct tally_queue *q, struct tally_queue_handle handle,
		 struct queue_slot **slot)
{
	queue_settle(q);
	*slot = find(q, handle);
	return *slot ? queue_tree_room(q, q->len) : -ESTALE;
}

int tally_queue_set_priority(struct tally_queue *q,
			     struct tally_queue_handle handle, int64_t priority)
{
	struct tally_queue_item *item;
	struct queue_slot *slot;
	int err = begin(q, handle, &slot);

	if (err)
		return err;
	item = queue_tree_write(q, slot->item);
	item->priority = priority;
	if (slot->heap == QUEUE_READY) {
		struct queue_entry entry = ready_entry(item);

		queue_heap_set(q, slot, &entry);
	}
	return 0;
}

int tally_queue_back_off(struct tally_queue *q, uint64_t now,
			 struct tally_queue_handle handle, uint64_t not_before)
{
	struct tally_queue_item *item;
	struct queue_slot *slot;
	int err = begin(q, handle, &slot);

	if (err)
		return err;
	q->now = later(q->now, now);
	item = queue_tree_write(q, slot->item);
	item->not_before = not_before;
	queue_heap_take(q, slot);
	enter_heap(q, item);
	return 0;
}

int tally_queue_due(const struct tally_queue *q, uint64_t *when)
{
	const struct tally_slice *waiting = &q->heaps[QUEUE_WAITING].s;

	if (q->len == 0)
		return -ENOENT;
	if (q->heaps[QUEUE_READY].s.len > 0)
		*when = 0;
	else
		*when = ((struct queue_entry *)tally_slice_at(
				 NULL, waiting, sizeof(struct queue_entry), 0))
				->first;
	return 0;
}

uint64_t tally_queue_len(const struct tally_queue *q)
{
	return q->len;
}
