/* SPDX-License-Identifier: MIT */
/*
 * queue: how it lies in memory.
 *
 * Five tables, each a slice in a part of one mapping whose addresses are
 * reserved. A table grows in place: the kernel makes its next pages usable, and
 * its header's cap rises.
 *
 *	slots    what a handle names: where its item is, and its place in a heap
 *	ready    a heap of the items that are ready, the next one at its root
 *	waiting  a heap of the others, by not_before
 *	blocks   of 2 KiB: items, and the tree that leads to them
 *	births   of each block
 *
 *	handle ──> slots ──> ready or waiting: entries of a key and a slot
 *	             │
 *	             └─────> item 0 1 2 … len-1, dense, in the leaves:
 *
 *	root ──> block    of 512 branches at most
 *	           └────> block    of 512 leaves
 *	                    └────> block    of 32 items
 *
 * An item that leaves gives its place in the heap to the last entry, its place
 * in the leaves to the last item, and the headers become shorter by one.
 *
 * A snapshot is the header of the blocks, a root, a len, and an epoch: the queue's,
 * which then rises. From
 * then on the writer leaves the blocks under this root alone. Before it changes
 * a block that was born at or before the epoch of the newest open snapshot, it
 * takes a copy, born now, and puts the copy into the tree; which changes the
 * block above it, and so on up to the root:
 *
 *	the queue's root ───> root'──> branch'──> leaf'  (changed)
 *	                         │         └────> leaf    leaf  …
 *	                         └───> branch       ^     ^
 *	                                 ^          │     │
 *	the snapshot's root ──> root ────┴─> branch ┴─────┴──> leaf  (as it was)
 *
 * A block that is replaced dies in the queue's epoch. Open snapshots of epochs
 * born <= epoch < died need it. It is on the list of the newest of these. When
 * that one is closed, the block goes to the next older one if its epoch is not
 * below the birth, and else it is free.
 *
 *	epoch           1    2    3    4    5
 *	open snapshots       S2        S4
 *	a block         born ─────────────── died      on the list of S4; then S2's
 *	another                   born ───── died      on the list of S4; then free
 *
 * So a reader finds only blocks that nobody writes to, and needs no barrier. It
 * closes its snapshot by setting a bit, which the writer looks for at each call.
 * The writer frees a few blocks a call, more than it takes.
 *
 * A tree has at most nr_tree blocks, so the queue and its snapshots need at most
 * nr_tree * (1 + max_snapshots) at once: the table of blocks has room for these,
 * and for those that a write replaces.
 */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <stdbool.h>

#include <numatally/queue.h>

#define LEAF_ITEMS   32
#define BLOCK_BELOW  512
#define BRANCH_ITEMS ((uint64_t)LEAF_ITEMS * BLOCK_BELOW)
#define NO_BLOCK     UINT32_MAX
#define NO_SLOT	     UINT32_MAX

/* The most blocks that one write replaces: a leaf and what leads to it. */
#define QUEUE_REPLACED 3

struct queue_block {
	union {
		struct tally_queue_item items[LEAF_ITEMS];
		uint32_t below[BLOCK_BELOW];
	};
};

struct queue_birth {
	uint64_t born, died; /* epochs */
	uint32_t next;	     /* on the list that it is on */
};

/* The lowest key leaves first: first, then second, then generation. */
struct queue_entry {
	uint64_t first;
	uint64_t second;
	uint64_t generation;
	uint64_t slot;
};

enum queue_heap { QUEUE_READY, QUEUE_WAITING, QUEUE_NR_HEAPS };

struct queue_slot {
	uint64_t generation; /* 0: free */
	uint32_t item;	     /* its number; the next free slot */
	uint32_t place : 31; /* in the heap */
	uint32_t heap : 1;
};

/* A slice in reserved addresses. */
struct queue_table {
	struct tally_slice s;
	size_t size;	 /* of an element */
	uint64_t nr_max; /* of elements */
};

/* Blocks, linked by queue_birth.next. */
struct queue_list {
	uint32_t first; /* NO_BLOCK: none */
	uint32_t last;
};

/* Its header stays as it was, above all blocks of its tree. */
struct tally_queue_snapshot {
	struct tally_queue *queue;
	struct tally_slice blocks;
	uint32_t root;
	uint64_t len;
	uint64_t now;
	uint64_t epoch;
	char line[64];		  /* below it, the writer's own */
	struct queue_list needed; /* by this one, and by no newer one */
};

struct tally_queue {
	uint64_t closed; /* bits of snapshots that readers closed */
	char line[64]; /* below it, what a writer has and readers don't change */
	struct tally_queue_snapshot snapshots[TALLY_QUEUE_SNAPSHOTS];

	struct queue_table heaps[QUEUE_NR_HEAPS];
	struct queue_table slots;
	struct queue_table blocks;
	struct queue_table births;
	uint64_t len;
	uint64_t max_items;
	uint64_t now;
	uint64_t generation; /* of the last item */
	uint32_t free_slot;  /* the next of them is in its item */

	/* The tree, which never gets smaller, blocks that no tree has, and those
	 * of closed snapshots, which others may need. */
	uint32_t root;
	uint64_t nr_leaves;
	uint64_t nr_free;
	struct queue_list free;
	struct queue_list left;

	/* Snapshots: those open, the oldest first, and bits of unused ones. */
	uint64_t epoch;
	uint64_t newest; /* epoch of the newest open one; 0: none is open */
	uint64_t unused;
	unsigned int nr_open;
	uint8_t open[TALLY_QUEUE_SNAPSHOTS];

	void *base; /* of the mapping */
	size_t bytes;
};

/* memory.c: tables */

/* Reserve addresses for all tables, whose size and nr_max are set. */
int queue_map(struct tally_queue *q);
void queue_unmap(struct tally_queue *q);

/* Make room for nr elements, nr_max at most: -ENOMEM. */
int queue_room(struct queue_table *t, uint64_t nr);

/* Return the address of the first element; the table is not empty. */
static inline void *queue_first(struct queue_table *t)
{
	return tally_slice_at(NULL, &t->s, t->size, 0);
}

/* heap.c */

/* Return the address of the entry at the root, or NULL. */
const struct queue_entry *queue_heap_root(struct tally_queue *q,
					  enum queue_heap heap);

/* There must be room. */
void queue_heap_push(struct tally_queue *q, enum queue_heap heap,
		     const struct queue_entry *entry);

/* Take out or replace the entry that the slot says. */
void queue_heap_take(struct tally_queue *q, const struct queue_slot *slot);
void queue_heap_set(struct tally_queue *q, const struct queue_slot *slot,
		    const struct queue_entry *entry);

/* block.c: the tree of items, and which snapshot needs a block */

int queue_tree_create(struct tally_queue *q);

/* Make room for a tree of nr items, at most one more than it had, and for the
 * copies that writing to one of them takes: -ENOMEM. */
int queue_tree_room(struct tally_queue *q, uint64_t nr);

/* Return the address of item i; for writing, which ends before the next
 * snapshot, and for which queue_tree_room() made room. */
const struct tally_queue_item *queue_tree_item(const struct tally_slice *blocks,
					       uint32_t root, uint64_t i);
struct tally_queue_item *queue_tree_write(struct tally_queue *q, uint64_t i);

/* Look for closed snapshots, and find out for some of their blocks what needs
 * them now. */
void queue_settle(struct tally_queue *q);

#endif
