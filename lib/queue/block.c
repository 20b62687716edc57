// SPDX-License-Identifier: MIT
/* The tree of items: copies of blocks that snapshots need, and their end. */
#include "config.h"

#include <errno.h>

#include "queue/internal.h"

/* More than a call replaces. */
#define SETTLE_MAX 8

static struct queue_block *block_at(const struct tally_slice *blocks,
				    uint32_t i)
{
	return tally_slice_at(NULL, blocks, sizeof(struct queue_block), i);
}

static struct queue_block *block(const struct tally_queue *q, uint32_t i)
{
	return block_at(&q->blocks.s, i);
}

static struct queue_birth *birth(const struct tally_queue *q, uint32_t i)
{
	return tally_slice_at(NULL, &q->births.s, sizeof(struct queue_birth),
			      i);
}

/* Lists */

static void put(struct tally_queue *q, struct queue_list *list, uint32_t i)
{
	birth(q, i)->next = list->first;
	if (list->first == NO_BLOCK)
		list->last = i;
	list->first = i;
}

static uint32_t take(struct tally_queue *q, struct queue_list *list)
{
	uint32_t i = list->first;

	list->first = birth(q, i)->next;
	return i;
}

static void append(struct tally_queue *q, struct queue_list *list,
		   struct queue_list *more)
{
	if (more->first == NO_BLOCK)
		return;
	birth(q, more->last)->next = list->first;
	if (list->first == NO_BLOCK)
		list->last = more->last;
	list->first = more->first;
	more->first = NO_BLOCK;
}

/* Which snapshot needs a block */

/* Return the newest open snapshot that has the block, or NULL. */
static struct tally_queue_snapshot *needs(struct tally_queue *q,
					  const struct queue_birth *b)
{
	for (unsigned int i = q->nr_open; i > 0; i--) {
		struct tally_queue_snapshot *s = &q->snapshots[q->open[i - 1]];

		if (s->epoch < b->died)
			return s->epoch >= b->born ? s : NULL;
	}
	return NULL;
}

/* The block is in no tree but those of snapshots. */
static void leave(struct tally_queue *q, uint32_t i)
{
	struct tally_queue_snapshot *s = needs(q, birth(q, i));

	put(q, s ? &s->needed : &q->free, i);
	q->nr_free += !s;
}

static void end(struct tally_queue *q, unsigned int nr)
{
	struct tally_queue_snapshot *s = &q->snapshots[nr];
	unsigned int n = 0;

	for (unsigned int i = 0; i < q->nr_open; i++)
		if (q->open[i] != nr)
			q->open[n++] = q->open[i];
	q->nr_open = n;
	q->newest = n ? q->snapshots[q->open[n - 1]].epoch : 0;
	q->unused |= UINT64_C(1) << nr;
	append(q, &q->left, &s->needed);
}

void queue_settle(struct tally_queue *q)
{
	if (__atomic_load_n(&q->closed, __ATOMIC_RELAXED)) {
		/* Acquire: the readers' loads come before what is written now. */
		uint64_t closed =
			__atomic_exchange_n(&q->closed, 0, __ATOMIC_ACQUIRE);

		for (; closed; closed &= closed - 1)
			end(q, (unsigned int)__builtin_ctzll(closed));
	}
	for (unsigned int i = 0; i < SETTLE_MAX && q->left.first != NO_BLOCK;
	     i++)
		leave(q, take(q, &q->left));
}

/* Room */

static int free_blocks(struct tally_queue *q, uint64_t nr)
{
	while (q->nr_free < nr) {
		uint64_t len = q->blocks.s.len;
		int err = -ENOMEM;

		if (len < q->blocks.nr_max) {
			err = queue_room(&q->blocks, len + 1);
			if (!err)
				err = queue_room(&q->births, len + 1);
			if (!err)
				err = tally_slice_grow(&q->blocks.s, len + 1);
			if (!err)
				err = tally_slice_grow(&q->births.s, len + 1);
		}
		if (!err) {
			put(q, &q->free, (uint32_t)len);
			q->nr_free++;
		} else if (q->left.first != NO_BLOCK) {
			leave(q, take(q, &q->left));
		} else {
			return err;
		}
	}
	return 0;
}

/* Whether an open snapshot has the block. */
static bool is_shared(const struct tally_queue *q, uint32_t i)
{
	return birth(q, i)->born <= q->newest;
}

static uint32_t fresh(struct tally_queue *q)
{
	uint32_t i = take(q, &q->free);

	q->nr_free--;
	birth(q, i)->born = q->epoch;
	return i;
}

/* Return the number of the block, or of its copy. */
static uint32_t own(struct tally_queue *q, uint32_t *at, size_t bytes)
{
	uint32_t old = *at;

	if (is_shared(q, old)) {
		*at = fresh(q);
		memcpy(block(q, *at), block(q, old), bytes);
		birth(q, old)->died = q->epoch;
		leave(q, old);
	}
	return *at;
}

/* The tree */

static uint64_t nr_branches(const struct tally_queue *q)
{
	return (q->nr_leaves + BLOCK_BELOW - 1) / BLOCK_BELOW;
}

static struct queue_block *own_root(struct tally_queue *q)
{
	return block(q, own(q, &q->root, nr_branches(q) * sizeof(uint32_t)));
}

/* Return the branch of a leaf, which is the last one or an earlier one. */
static struct queue_block *own_branch(struct tally_queue *q, uint64_t leaf)
{
	uint64_t i = leaf / BLOCK_BELOW, nr = q->nr_leaves - i * BLOCK_BELOW;
	uint32_t *at = &own_root(q)->below[i];

	if (nr > BLOCK_BELOW)
		nr = BLOCK_BELOW;
	return block(q, own(q, at, nr * sizeof(uint32_t)));
}

static void add_leaf(struct tally_queue *q)
{
	uint64_t leaf = q->nr_leaves, i = leaf / BLOCK_BELOW;

	if (leaf % BLOCK_BELOW == 0)
		own_root(q)->below[i] = fresh(q);
	own_branch(q, leaf)->below[leaf % BLOCK_BELOW] = fresh(q);
	q->nr_leaves++;
}

int queue_tree_create(struct tally_queue *q)
{
	int err = free_blocks(q, 1);

	if (!err)
		q->root = fresh(q);
	return err;
}

int queue_tree_room(struct tally_queue *q, uint64_t nr)
{
	bool grows = nr > q->nr_leaves * LEAF_ITEMS;
	int err;

	if (!grows && q->newest == 0)
		return 0;
	err = free_blocks(q, QUEUE_REPLACED);
	if (!err && grows)
		add_leaf(q);
	return err;
}

const struct tally_queue_item *queue_tree_item(const struct tally_slice *blocks,
					       uint32_t root, uint64_t i)
{
	uint32_t at = block_at(blocks, root)->below[i / BRANCH_ITEMS];

	at = block_at(blocks, at)->below[i / LEAF_ITEMS % BLOCK_BELOW];
	return &block_at(blocks, at)->items[i % LEAF_ITEMS];
}

struct tally_queue_item *queue_tree_write(struct tally_queue *q, uint64_t i)
{
	uint64_t leaf = i / LEAF_ITEMS;
	struct queue_block *branch = own_branch(q, leaf);
	uint32_t at = own(q, &branch->below[leaf % BLOCK_BELOW],
			  sizeof(struct queue_block));

	return &block(q, at)->items[i % LEAF_ITEMS];
}
