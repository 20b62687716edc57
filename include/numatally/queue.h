/* SPDX-License-Identifier: MIT */
/*
 * queue: pending accounts by priority, and snapshots of all of them.
 *
 * A queue belongs to one process. It gives the item of the highest priority
 * first; of equal ones, the item that came first. An item that must wait until
 * a time comes at that time.
 *
 *	push ──> waits until not_before ──> ready ──> pop
 *	           ^                          │
 *	           └──────── back off ────────┘
 *
 * The library reads no clock. Each call that depends on the time is told the
 * time, in any unit. A time below one that the queue was told before counts as
 * that one, so the queue's time never goes back.
 *
 * Threads: one thread at a time uses a queue; the caller has a lock for that. A
 * snapshot is taken under the lock, in the same few steps at any length. From
 * then on any number of threads read it without the lock, for as long as they
 * want, while the queue moves on, and one of them closes it. Readers and the
 * writer never wait for each other.
 *
 * Memory: a queue reserves address space for its greatest length, and grows in
 * place. It keeps what it once used until it is destroyed. While a snapshot is
 * open, the first change of one of 32 items that lie together copies these 32;
 * a closed snapshot's copies are used again.
 */
#ifndef NUMATALLY_QUEUE_H
#define NUMATALLY_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>
#include <numatally/slice.h>

TALLY_BEGIN

struct tally_queue;
struct tally_queue_snapshot;

/* The greatest max_items and max_snapshots. */
#define TALLY_QUEUE_ITEMS     (UINT64_C(1) << 23)
#define TALLY_QUEUE_SNAPSHOTS 64

struct tally_queue_options {
	size_t size; /* the caller sets sizeof(struct tally_queue_options) */
	uint64_t max_items;
	uint64_t max_snapshots; /* that are open at once */
};

/* Names an item for as long as it is in the queue. Generations begin at 1 and
 * are never used again, so a handle of zeros names none. */
struct tally_queue_handle {
	uint64_t generation;
	uint64_t slot;
};

/* An item is waiting at a time below not_before, and else ready. */
struct tally_queue_item {
	struct tally_account account;
	int64_t priority;    /* the highest leaves first */
	uint64_t not_before; /* 0: it does not wait */
	uint64_t data[2];    /* the caller's own */
	uint64_t since;	     /* the queue's time when the item was pushed */
	struct tally_queue_handle handle;
};

/*
 * Create an empty queue. Memory for items and snapshots is taken when they come.
 *
 * -EINVAL	size is not set; max_items is 0 or above TALLY_QUEUE_ITEMS, or
 *		max_snapshots above TALLY_QUEUE_SNAPSHOTS
 * -E2BIG	the caller set a member that this library does not know
 * -ENOMEM	no memory, or no address space for so many: ask for fewer
 */
TALLY_API TALLY_NODISCARD int
tally_queue_create(const struct tally_queue_options *options,
		   struct tally_queue **queue);

/* Destroy a queue; takes NULL. All its snapshots must be closed. */
TALLY_API void tally_queue_destroy(struct tally_queue *queue);

/*
 * Put an item into the queue at time @now: its account, priority, not_before and
 * data. The queue sets since and handle. One account may have several items.
 *
 * -ENOSPC	max_items are in the queue: pop or remove one
 * -ENOMEM	no memory: nothing changed
 */
TALLY_API TALLY_NODISCARD int
tally_queue_push(struct tally_queue *queue, uint64_t now,
		 const struct tally_queue_item *item,
		 struct tally_queue_handle *handle);

/*
 * Take the item out that is first among those that are ready at time @now, as
 * tally_queue_order() orders them.
 *
 * -ENOENT	the queue is empty
 * -EAGAIN	no item is ready: tally_queue_due() says when one will be
 * -ENOMEM	no memory to keep a snapshot as it is: nothing changed
 */
TALLY_API TALLY_NODISCARD int tally_queue_pop(struct tally_queue *queue,
					      uint64_t now,
					      struct tally_queue_item *item);

/* Copy that item, and leave it in the queue. Errors as tally_queue_pop(), but
 * for -ENOMEM. */
TALLY_API TALLY_NODISCARD int tally_queue_peek(struct tally_queue *queue,
					       uint64_t now,
					       struct tally_queue_item *item);

/*
 * Copy the item that @handle names.
 *
 * -ESTALE	the item has left the queue
 */
TALLY_API TALLY_NODISCARD int tally_queue_get(const struct tally_queue *queue,
					      struct tally_queue_handle handle,
					      struct tally_queue_item *item);

/*
 * Take the item out that @handle names, ready or waiting, and copy it to *@item
 * unless that is NULL.
 *
 * -ESTALE	the item has left the queue
 * -ENOMEM	no memory to keep a snapshot as it is: nothing changed
 */
TALLY_API TALLY_NODISCARD int
tally_queue_remove(struct tally_queue *queue, struct tally_queue_handle handle,
		   struct tally_queue_item *item);

/* Change an item's priority. Its place among equals is the one of when it came.
 * Errors as tally_queue_remove(). */
TALLY_API TALLY_NODISCARD int
tally_queue_set_priority(struct tally_queue *queue,
			 struct tally_queue_handle handle, int64_t priority);

/* Let an item wait from time @now on until @not_before, or make it ready, if
 * @not_before is not above @now. Errors as tally_queue_remove(). */
TALLY_API TALLY_NODISCARD int
tally_queue_back_off(struct tally_queue *queue, uint64_t now,
		     struct tally_queue_handle handle, uint64_t not_before);

/*
 * Set *@when to the earliest time at which tally_queue_pop() finds an item: 0,
 * if one is ready.
 *
 * -ENOENT	the queue is empty
 */
TALLY_API TALLY_NODISCARD int tally_queue_due(const struct tally_queue *queue,
					      uint64_t *when);

/* Return the number of items, ready and waiting. */
TALLY_API uint64_t tally_queue_len(const struct tally_queue *queue);

/*
 * Return below 0 if @a leaves before @b, once both are ready; above 0, if @b
 * does; 0 for the same item. The higher priority leaves first, then what came
 * first, by the greater of since and not_before; then what was pushed first.
 */
TALLY_API int tally_queue_order(const struct tally_queue_item *a,
				const struct tally_queue_item *b);

/*
 * Take a snapshot: all items as they are at time @now. The call takes the same
 * time for any number of items. Unlike the calls below, it is one that the
 * caller's lock has to cover.
 *
 * -ENOSPC	max_snapshots are open: close one
 */
TALLY_API TALLY_NODISCARD int
tally_queue_snapshot_open(struct tally_queue *queue, uint64_t now,
			  struct tally_queue_snapshot **snapshot);

/* Return the number of items, and the time of the snapshot: an item whose
 * not_before is above it was waiting, and each other one ready. */
TALLY_API uint64_t
tally_queue_snapshot_len(const struct tally_queue_snapshot *snapshot);
TALLY_API uint64_t
tally_queue_snapshot_now(const struct tally_queue_snapshot *snapshot);

/*
 * Set *@items to a slice over items from number @from on, as many as lie
 * together: 32 at most. They are in no particular order. The slice's origin is
 * NULL, and it is valid until the snapshot is closed. To read all items:
 *
 *	for (from = 0; !tally_queue_snapshot_slice(snapshot, from, &items);
 *	     from += items.len)
 *		for (i = 0; i < items.len; i++)
 *			item = tally_slice_at(NULL, &items, sizeof(*item), i);
 *
 * -ENOENT	no more items
 */
TALLY_API TALLY_NODISCARD int
tally_queue_snapshot_slice(const struct tally_queue_snapshot *snapshot,
			   uint64_t from, struct tally_slice *items);

/* Close a snapshot; takes NULL. No other thread may use this snapshot any more.
 * Needs no lock, waits for nobody. */
TALLY_API void
tally_queue_snapshot_close(struct tally_queue_snapshot *snapshot);

TALLY_END

#endif
