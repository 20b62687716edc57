// SPDX-License-Identifier: MIT
/* A queue's beginning and end. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/sized.h"
#include "base/uncancelled.h"
#include "queue/internal.h"

static uint64_t rounded_up(uint64_t n, uint64_t by)
{
	return (n + by - 1) / by;
}

static int look_at(const struct tally_queue_options *given,
		   struct tally_queue_options *options)
{
	int err = sized_get(
		options, sizeof(*options),
		sized_upto(struct tally_queue_options, max_snapshots), given);

	if (err)
		return err;
	if (options->max_items == 0 || options->max_items > TALLY_QUEUE_ITEMS ||
	    options->max_snapshots > TALLY_QUEUE_SNAPSHOTS)
		return -EINVAL;
	return 0;
}

static void set_up(struct tally_queue *q,
		   const struct tally_queue_options *options)
{
	uint64_t nr = options->max_items, nr_snapshots = options->max_snapshots;
	uint64_t nr_tree =
		rounded_up(nr, LEAF_ITEMS) + rounded_up(nr, BRANCH_ITEMS) + 1;
	uint64_t nr_blocks = nr_tree * (1 + nr_snapshots) + QUEUE_REPLACED;

	for (int i = 0; i < QUEUE_NR_HEAPS; i++)
		q->heaps[i] = (struct queue_table){
			.size = sizeof(struct queue_entry), .nr_max = nr};
	q->slots = (struct queue_table){.size = sizeof(struct queue_slot),
					.nr_max = nr};
	q->blocks = (struct queue_table){.size = sizeof(struct queue_block),
					 .nr_max = nr_blocks};
	q->births = (struct queue_table){.size = sizeof(struct queue_birth),
					 .nr_max = nr_blocks};
	q->max_items = nr;
	q->free_slot = NO_SLOT;
	q->free.first = NO_BLOCK;
	q->left.first = NO_BLOCK;
	q->epoch = 1;
	q->unused = nr_snapshots < 64 ? (UINT64_C(1) << nr_snapshots) - 1
				      : UINT64_MAX;
}

int tally_queue_create(const struct tally_queue_options *given,
		       struct tally_queue **queue)
{
	UNCANCELLED;
	struct tally_queue_options options;
	struct tally_queue *q;
	int err = look_at(given, &options);

	if (err)
		return err;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	set_up(q, &options);
	err = queue_map(q);
	if (err) {
		free(q);
		return err;
	}
	err = queue_tree_create(q);
	if (err) {
		tally_queue_destroy(q);
		return err;
	}
	*queue = q;
	return 0;
}

void tally_queue_destroy(struct tally_queue *q)
{
	UNCANCELLED;

	if (!q)
		return;
	queue_settle(q);
	assert(q->nr_open == 0);
	queue_unmap(q);
	free(q);
}
