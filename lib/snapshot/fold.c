// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/ledger.h>

#include "account/directory.h"
#include "file/column.h"
#include "snapshot/fold.h"

/* One plane of one region, in the frozen bank. */
struct fold {
	struct layout *layout;
	uint64_t epoch;
	uint32_t bank;
	uint32_t node;
	uint32_t plane;
	uint64_t nr_cells; /* in a bucket */
	int64_t *sums;	   /* [nr_cells] */
	uint64_t *marked;  /* a bit for each bucket that was added to */
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

/* The bucket headers of the slot-th lane, and how many exist. */
static struct tally_slice *headers_at(const struct fold *f, uint32_t slot,
				      uint64_t *nr)
{
	const struct layout *l = f->layout;
	uint32_t lane = layout_lane_at(l, f->node, slot);

	*nr = tally_slice_len(&layout_record(
		l, f->node,
		slot)[f->bank * l->header.params.nr_planes + f->plane]);
	if (*nr > l->plan->nr_buckets)
		*nr = l->plan->nr_buckets;
	return (struct tally_slice *)(l->origin +
				      layout_headers_offset(l, lane, f->bank,
							    f->plane));
}

/* The cells of the bucket in the slot-th lane, or NULL if it is not marked. */
static int64_t *cells_at(const struct fold *f, uint32_t slot, uint64_t bucket)
{
	const struct layout *l = f->layout;
	uint32_t lane = layout_lane_at(l, f->node, slot);
	uint64_t nr;
	const struct tally_slice *headers = headers_at(f, slot, &nr);

	if (bucket >= nr || !tally_slice_len(&headers[bucket]))
		return NULL;
	return (int64_t *)(l->origin + layout_cells_offset(l, lane, f->bank,
							   f->plane, bucket));
}

static void find_marked(const struct fold *f)
{
	uint64_t nr;

	for (uint32_t s = 0; s < f->layout->places[f->node].nr_lanes; s++) {
		const struct tally_slice *headers = headers_at(f, s, &nr);

		for (uint64_t b = 0; b < nr; b++)
			if (tally_slice_len(&headers[b]))
				f->marked[b / 64] |= UINT64_C(1) << b % 64;
	}
}

/* The cells are zero: until they are added to again, no fold visits them. */
static void unmark(const struct fold *f, uint64_t bucket)
{
	const struct layout *l = f->layout;

	for (uint32_t s = 0; s < l->places[f->node].nr_lanes; s++) {
		uint32_t lane = layout_lane_at(l, f->node, s);
		uint64_t nr;
		struct tally_slice *header = headers_at(f, s, &nr) + bucket;

		if (bucket < nr && tally_slice_len(header))
			tally_slice_lay(header,
					layout_cells_offset(l, lane, f->bank,
							    f->plane, bucket),
					0, LAYOUT_BUCKET_ROWS);
	}
}

/* The end of buckets, also of those that are only folded: rows in them may be
 * reclaimable. */
static uint64_t nr_buckets(const struct fold *f)
{
	uint32_t nr_planes = f->layout->header.params.nr_planes;
	uint64_t nr =
		tally_slice_len(&layout_folded(f->layout, f->node)[f->plane]);

	for (uint32_t s = 0; s < f->layout->places[f->node].nr_lanes; s++) {
		uint64_t len = tally_slice_len(&layout_record(
			f->layout, f->node, s)[f->bank * nr_planes + f->plane]);

		if (len > nr)
			nr = len;
	}
	return nr < f->layout->plan->nr_buckets ? nr
						: f->layout->plan->nr_buckets;
}

/* Adds may go there again once another process has advanced the epoch. */
static int64_t load_cell(const int64_t *cell)
{
	return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static bool sum_lanes(const struct fold *f, uint64_t bucket)
{
	uint32_t nr_lanes = f->layout->places[f->node].nr_lanes;
	int64_t any = 0;

	memset(f->sums, 0, f->nr_cells * sizeof(*f->sums));
	for (uint32_t s = 0; s < nr_lanes; s++) {
		const int64_t *cells = cells_at(f, s, bucket);

		for (uint64_t i = 0; cells && i < f->nr_cells; i++) {
			int64_t cell = load_cell(&cells[i]);

			f->sums[i] = (int64_t)((uint64_t)f->sums[i] +
					       (uint64_t)cell);
			any |= cell;
		}
	}
	return any != 0;
}

static void zero_lanes(const struct fold *f, uint64_t bucket)
{
	uint32_t nr_lanes = f->layout->places[f->node].nr_lanes;

	for (uint32_t s = 0; s < nr_lanes; s++) {
		int64_t *cells = cells_at(f, s, bucket);

		for (uint64_t i = 0; cells && i < f->nr_cells; i++)
			if (load_cell(&cells[i]))
				__atomic_store_n(&cells[i], 0,
						 __ATOMIC_RELAXED);
	}
}

/* Allocate the state and both copies of a bucket, all 0. */
static int make_folded(const struct fold *f, uint64_t bucket)
{
	struct layout *l = f->layout;
	struct tally_slice *folded = &layout_folded(l, f->node)[f->plane];
	uint64_t *len_copy = &layout_folded_lens(l, f->node)[f->plane];
	const struct tally_region *region = &l->regions[f->node];
	uint64_t start = l->places[f->node].region_offset;
	uint64_t from = tally_slice_len(folded);
	int err = 0;

	for (uint32_t copy = 0; copy < 2 && !err; copy++)
		err = layout_populate(l, region,
				      layout_copies_offset(l, f->node, copy,
							   f->plane, bucket) -
					      start,
				      l->plan->copy_bytes);
	if (!err && from <= bucket)
		err = layout_populate(
			l, region,
			layout_states_offset(l, f->node, f->plane) +
				from * sizeof(uint64_t) - start,
			(bucket + 1 - from) * sizeof(uint64_t));
	for (uint64_t b = from; !err && b <= bucket; b++)
		__atomic_store_n(state_at(f, b), layout_state_word(0),
				 __ATOMIC_RELAXED);
	if (!err)
		err = layout_grow(folded,
				  layout_states_offset(l, f->node, f->plane),
				  l->plan->nr_buckets, bucket + 1);
	if (!err)
		layout_raise(len_copy, bucket + 1);
	return err;
}

static bool any(const int64_t *cells, uint64_t nr)
{
	int64_t bits = 0;

	for (uint64_t i = 0; i < nr; i++)
		bits |= cells[i];
	return bits != 0;
}

static uint64_t nr_row_cells(const struct layout *l)
{
	return l->plan->row_bytes / sizeof(int64_t);
}

/* Return those of the rows that are not zero in this copy. */
static uint64_t not_clean(const struct layout *l, const int64_t *copy,
			  uint64_t rows)
{
	uint64_t found = 0, nr = nr_row_cells(l);

	for (; rows; rows &= rows - 1) {
		unsigned int row = (unsigned int)__builtin_ctzll(rows);

		if (any(copy + row * nr, nr))
			found |= UINT64_C(1) << row;
	}
	return found;
}

static void put_cell(int64_t *cell, uint64_t amount)
{
	__atomic_store_n(cell, (int64_t)amount, __ATOMIC_RELAXED);
}

/* A reclaimed row's counters stay in the totals; its gauges don't. */
static void add_rest(const struct fold *f, const int64_t *old, unsigned int row,
		     int64_t *rest)
{
	const struct layout *l = f->layout;
	uint64_t at = row * nr_row_cells(l);

	for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
		if (column_kind(l, i) == TALLY_COUNTER)
			put_cell(&rest[i], (uint64_t)rest[i] +
						   (uint64_t)old[at + i] +
						   (uint64_t)f->sums[at + i]);
}

static void fill_copy(const struct fold *f, const int64_t *old, int64_t *new,
		      uint64_t reclaimable)
{
	uint64_t nr = nr_row_cells(f->layout), i = 0;

	for (unsigned int row = 0; row < LAYOUT_BUCKET_ROWS; row++) {
		bool is_reclaimable = reclaimable >> row & 1;

		for (uint64_t end = i + nr; i < end; i++)
			put_cell(&new[i],
				 is_reclaimable ? 0
						: (uint64_t)old[i] +
							  (uint64_t)f->sums[i]);
	}
	for (uint64_t end = i + nr; i < end; i++)
		put_cell(&new[i], (uint64_t)old[i]);
	for (; reclaimable; reclaimable &= reclaimable - 1)
		add_rest(f, old, (unsigned int)__builtin_ctzll(reclaimable),
			 &new[LAYOUT_BUCKET_ROWS * nr]);
}

static int fold_bucket(const struct fold *f, uint64_t bucket)
{
	uint64_t reclaimable =
		directory_reclaimable(f->layout, bucket, f->epoch);
	bool dirty = false;
	const struct tally_slice *folded =
		&layout_folded(f->layout, f->node)[f->plane];
	uint64_t state = 0;
	int err;

	if (bucket < tally_slice_len(folded))
		state = layout_state(*state_at(f, bucket));
	if (state >> 1 != f->epoch) {
		if (state)
			dirty = not_clean(f->layout,
					  copy_at(f, state & 1, bucket),
					  reclaimable);
		if (!sum_lanes(f, bucket) && !dirty) {
			unmark(f, bucket);
			return 0;
		}
		/* The copies are allocated before the first fold. */
		if (!state) {
			err = make_folded(f, bucket);
			if (err)
				return err;
		}
		fill_copy(f, copy_at(f, state & 1, bucket),
			  copy_at(f, !(state & 1), bucket), reclaimable);
		__atomic_store_n(
			state_at(f, bucket),
			layout_state_word(f->epoch << 1 | !(state & 1)),
			__ATOMIC_RELEASE);
	}
	/* A reader that sees a zeroed cell sees the new state. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	zero_lanes(f, bucket);
	unmark(f, bucket);
	return 0;
}

/* Also what is only folded: rows in it may be reclaimable. */
static int fold_plane(const struct fold *f)
{
	uint64_t end = nr_buckets(f);
	int err = 0;

	memset(f->marked, 0, (end + 63) / 64 * sizeof(*f->marked));
	find_marked(f);
	for (uint64_t b = 0; b < end && !err; b++)
		if (f->marked[b / 64] >> b % 64 & 1 ||
		    directory_reclaimable(f->layout, b, f->epoch))
			err = fold_bucket(f, b);
	return err;
}

int fold(struct layout *layout, uint64_t epoch)
{
	struct fold f = {
		.layout = layout,
		.epoch = epoch,
		.bank = (uint32_t)(epoch - 1) & 1,
		.nr_cells = layout->plan->bucket_bytes / sizeof(int64_t),
	};
	uint32_t nr_nodes = layout->header.params.nr_planes;
	int err = 0;

	f.sums = malloc(layout->plan->bucket_bytes);
	f.marked = calloc(layout->plan->nr_buckets / 64 + 1, sizeof(*f.marked));
	if (!f.sums || !f.marked)
		err = -ENOMEM;
	for (f.node = 0; f.node < nr_nodes; f.node++)
		for (f.plane = 0; f.plane < nr_nodes && !err; f.plane++)
			err = fold_plane(&f);
	free(f.sums);
	free(f.marked);
	return err;
}

bool fold_is_clean(const struct layout *l, uint32_t row)
{
	uint32_t nr_nodes = l->header.params.nr_planes;
	uint64_t bucket = row / LAYOUT_BUCKET_ROWS;

	for (uint32_t n = 0; n < nr_nodes; n++) {
		for (uint32_t p = 0; l->places[n].nr_lanes && p < nr_nodes;
		     p++) {
			const uint64_t *states =
				(const uint64_t *)(l->origin +
						   layout_states_offset(l, n,
									p));
			const int64_t *copy;

			if (bucket >=
				    tally_slice_len(&layout_folded(l, n)[p]) ||
			    !states[bucket])
				continue;
			copy = (const int64_t *)(l->origin +
						 layout_copies_offset(
							 l, n,
							 states[bucket] & 1, p,
							 bucket));
			if (not_clean(l, copy,
				      UINT64_C(1) << row % LAYOUT_BUCKET_ROWS))
				return false;
		}
	}
	return true;
}
