// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"

/* One plane of one region, in the frozen bank. */
struct fold {
	struct layout *layout;
	uint64_t epoch;
	uint32_t bank;
	uint32_t node;
	uint32_t plane;
	uint64_t nr_cells; /* in a bucket */
	int64_t *sums;	   /* [nr_cells] */
};

static uint64_t *state_at(const struct fold *f, uint64_t bucket)
{
	return (uint64_t *)(f->layout->origin +
			    layout_states_offset(f->layout, f->node,
						 f->plane)) +
	       bucket;
}

static int64_t *copy_at(const struct fold *f, uint32_t copy, uint64_t bucket)
{
	return (int64_t *)(f->layout->origin +
			   layout_copies_offset(f->layout, f->node, copy,
						f->plane, bucket));
}

/* The cells of the bucket in the slot-th lane, or NULL where untouched. */
static int64_t *cells_at(const struct fold *f, uint32_t slot, uint64_t bucket)
{
	const struct layout *l = f->layout;
	uint32_t lane = layout_lane_at(l, f->node, slot);
	const struct tally_slice *record = &layout_record(
		l, f->node,
		slot)[f->bank * l->header.params.nr_nodes + f->plane];
	const struct tally_slice *headers =
		(const struct tally_slice *)(l->origin +
					     layout_headers_offset(l, lane,
								   f->bank,
								   f->plane));

	if (bucket >= tally_slice_len(record) ||
	    !tally_slice_len(&headers[bucket]))
		return NULL;
	return (int64_t *)(l->origin + layout_cells_offset(l, lane, f->bank,
							   f->plane, bucket));
}

static uint64_t nr_buckets(const struct fold *f)
{
	uint32_t nr_planes = f->layout->header.params.nr_nodes;
	uint64_t nr = 0;

	for (uint32_t s = 0; s < f->layout->nodes[f->node].nr_lanes; s++) {
		uint64_t len = tally_slice_len(&layout_record(
			f->layout, f->node, s)[f->bank * nr_planes + f->plane]);

		if (len > nr)
			nr = len;
	}
	return nr < f->layout->plan->nr_buckets ? nr
						: f->layout->plan->nr_buckets;
}

static bool sum_lanes(const struct fold *f, uint64_t bucket)
{
	uint32_t nr_lanes = f->layout->nodes[f->node].nr_lanes;
	int64_t any = 0;

	memset(f->sums, 0, f->nr_cells * sizeof(*f->sums));
	for (uint32_t s = 0; s < nr_lanes; s++) {
		const int64_t *cells = cells_at(f, s, bucket);

		for (uint64_t i = 0; cells && i < f->nr_cells; i++) {
			f->sums[i] = (int64_t)((uint64_t)f->sums[i] +
					       (uint64_t)cells[i]);
			any |= cells[i];
		}
	}
	return any != 0;
}

static void zero_lanes(const struct fold *f, uint64_t bucket)
{
	uint32_t nr_lanes = f->layout->nodes[f->node].nr_lanes;

	for (uint32_t s = 0; s < nr_lanes; s++) {
		int64_t *cells = cells_at(f, s, bucket);

		for (uint64_t i = 0; cells && i < f->nr_cells; i++)
			if (cells[i])
				__atomic_store_n(&cells[i], 0,
						 __ATOMIC_RELAXED);
	}
}

/* The state and both copies of a bucket come to exist, and are 0. */
static int make_settled(const struct fold *f, uint64_t bucket)
{
	struct layout *l = f->layout;
	struct tally_slice *settled = &layout_settled(l, f->node)[f->plane];
	uint64_t *len_copy = &layout_settled_lens(l, f->node)[f->plane];
	const struct tally_region *region = &l->regions[f->node];
	uint64_t start = l->nodes[f->node].region_offset;
	uint64_t from = tally_slice_len(settled);
	int err = 0;

	for (uint32_t copy = 0; copy < 2 && !err; copy++)
		err = tally_region_fault(region,
					 layout_copies_offset(l, f->node, copy,
							      f->plane,
							      bucket) -
						 start,
					 l->plan->bucket_bytes);
	if (!err && from <= bucket)
		err = tally_region_fault(
			region,
			layout_states_offset(l, f->node, f->plane) +
				from * sizeof(uint64_t) - start,
			(bucket + 1 - from) * sizeof(uint64_t));
	for (uint64_t b = from; !err && b <= bucket; b++)
		__atomic_store_n(state_at(f, b), layout_state_word(0),
				 __ATOMIC_RELAXED);
	if (!err)
		err = tally_slice_grow(settled, bucket + 1);
	if (!err)
		layout_raise(len_copy, bucket + 1);
	return err;
}

static int fold_bucket(const struct fold *f, uint64_t bucket)
{
	const struct tally_slice *settled =
		&layout_settled(f->layout, f->node)[f->plane];
	uint64_t state = 0;
	const int64_t *old;
	int64_t *new;
	int err;

	if (bucket < tally_slice_len(settled))
		state = layout_state(*state_at(f, bucket));
	if (state >> 1 != f->epoch) {
		if (!sum_lanes(f, bucket))
			return 0;
		/* A copy was made to exist with the state's first value. */
		if (!state) {
			err = make_settled(f, bucket);
			if (err)
				return err;
		}
		old = copy_at(f, state & 1, bucket);
		new = copy_at(f, !(state & 1), bucket);
		for (uint64_t i = 0; i < f->nr_cells; i++)
			__atomic_store_n(&new[i],
					 (int64_t)((uint64_t)old[i] +
						   (uint64_t)f->sums[i]),
					 __ATOMIC_RELAXED);
		__atomic_store_n(
			state_at(f, bucket),
			layout_state_word(f->epoch << 1 | !(state & 1)),
			__ATOMIC_RELEASE);
	}
	/* Who sees a cell that is zero again sees that its amount is settled. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	zero_lanes(f, bucket);
	return 0;
}

int fold(struct layout *layout, uint64_t epoch)
{
	struct fold f = {
		.layout = layout,
		.epoch = epoch,
		.bank = (uint32_t)(epoch - 1) & 1,
		.nr_cells = layout->plan->bucket_bytes / sizeof(int64_t),
	};
	uint32_t nr_nodes = layout->header.params.nr_nodes;
	int err = 0;

	f.sums = malloc(layout->plan->bucket_bytes);
	if (!f.sums)
		return -ENOMEM;
	for (f.node = 0; f.node < nr_nodes; f.node++) {
		for (f.plane = 0; f.plane < nr_nodes; f.plane++) {
			uint64_t end = nr_buckets(&f);

			for (uint64_t b = 0; b < end && !err; b++)
				err = fold_bucket(&f, b);
		}
	}
	free(f.sums);
	return err;
}
