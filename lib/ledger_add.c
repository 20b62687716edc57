// SPDX-License-Identifier: MIT
/* The path of every update: this CPU's lane, the bucket's header, the cell. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>

#include <numatally/ledger.h>
#include <numatally/region.h>

#include "layout.h"
#include "ledger_internal.h"

/*
 * First touch. Pages exist before a header says so: whoever trusts a len never
 * meets a hole, which on a full file system would raise SIGBUS. All of it may
 * be done by several at once, or begun by one that died: each step does
 * nothing where it was done.
 */
static int touch(struct tally_ledger *l, uint32_t lane, uint32_t plane,
		 uint64_t bucket)
{
	struct layout *layout = l->layout;
	const struct layout_plan *plan = layout->plan;
	const struct layout_lane *at = &layout->lanes[lane];
	const struct tally_region *region = &layout->regions[at->node];
	uint64_t start = layout->nodes[at->node].region_offset;
	struct tally_slice *headers = &l->lanes[lane].record[plane];
	uint64_t cells = layout_cells_offset(layout, lane, plane, bucket);
	uint64_t from = tally_slice_len(headers);
	struct tally_slice *header;
	int err;

	err = tally_region_fault(region, cells - start, plan->bucket_bytes);
	if (err)
		return err;
	if (from <= bucket) {
		uint64_t first = layout_headers_offset(layout, lane, plane) +
				 from * sizeof(*header);

		err = tally_region_fault(region, first - start,
					 (bucket + 1 - from) * sizeof(*header));
		if (err)
			return err;
	}
	header = &l->lanes[lane].headers[plane * plan->nr_buckets + bucket];
	tally_slice_place(header, cells, LAYOUT_BUCKET_ROWS);
	err = tally_slice_grow(header, LAYOUT_BUCKET_ROWS);
	return err ? err : tally_slice_grow(headers, bucket + 1);
}

static inline struct ledger_lane *this_lane(struct tally_ledger *l)
{
	unsigned int cpu = (unsigned int)sched_getcpu();

	/* Where the CPU is not known any lane is exact, if not local. */
	return &l->lanes[cpu < l->nr_lanes ? cpu : 0];
}

static inline int64_t *cell_at(struct tally_ledger *l,
			       const struct tally_slice *header, uint32_t row,
			       unsigned int resource)
{
	return (int64_t *)tally_slice_at(l->origin, header, l->row_bytes, row) +
	       resource;
}

/*
 * The header whose bucket holds the row, touched. The record is asked before
 * the header is: what lies above its len may be a hole.
 */
static inline int ready_header(struct tally_ledger *l, struct ledger_lane *lane,
			       uint32_t plane, uint32_t row,
			       struct tally_slice **header)
{
	uint64_t bucket = row / LAYOUT_BUCKET_ROWS;
	struct tally_slice *h = &lane->headers[plane * l->nr_buckets + bucket];

	if (__builtin_expect(bucket >= tally_slice_len(&lane->record[plane]) ||
				     row % LAYOUT_BUCKET_ROWS >=
					     tally_slice_len(h),
			     0)) {
		int err = touch(l, (uint32_t)(lane - l->lanes), plane, bucket);

		if (err)
			return err;
	}
	*header = h;
	return 0;
}

int tally_ledger_add(struct tally_ledger *l, struct tally_account account,
		     unsigned int resource, int64_t amount)
{
	struct ledger_lane *lane = this_lane(l);
	struct tally_slice *header;
	int err;

	assert(account.row < l->layout->header.params.max_accounts &&
	       resource < l->layout->header.params.nr_resources);
	err = ready_header(l, lane, lane->local, account.row, &header);
	if (err)
		return err;
	/* Atomic, since the thread may have left the lane's CPU by now. */
	__atomic_fetch_add(
		cell_at(l, header, account.row % LAYOUT_BUCKET_ROWS, resource),
		amount, __ATOMIC_RELAXED);
	return 0;
}

int tally_ledger_charge(struct tally_ledger *l, struct tally_account account,
			int node, const struct tally_amount *amounts,
			unsigned int nr_amounts)
{
	struct ledger_lane *lane = this_lane(l);
	struct tally_slice *header;
	uint32_t row = account.row % LAYOUT_BUCKET_ROWS;
	uint32_t plane = lane->local;
	int err;

	assert(account.row < l->layout->header.params.max_accounts);
	if (node != TALLY_NODE_LOCAL) {
		int index = layout_node_index(l->layout, node);

		if (index < 0)
			return index;
		plane = (uint32_t)index;
	}
	err = ready_header(l, lane, plane, account.row, &header);
	if (err)
		return err;
	for (unsigned int i = 0; i < nr_amounts; i++) {
		assert(amounts[i].resource <
		       l->layout->header.params.nr_resources);
		__atomic_fetch_add(cell_at(l, header, row, amounts[i].resource),
				   amounts[i].amount, __ATOMIC_RELAXED);
	}
	return 0;
}
