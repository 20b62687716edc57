// SPDX-License-Identifier: MIT
/* First touch: allocating a bucket of a lane. */
#include "config.h"

#include <errno.h>

#include <numatally/region.h>

#include "ledger/mapped.h"

/* Move the end of the rows that are touched without a gap, from the first. Two
 * threads at once can leave it too low, which does no harm. */
static void move_end(struct tally_ledger *l, uint32_t lane, uint32_t bank)
{
	const struct layout_plan *plan = l->layout->plan;
	const unsigned char *touched = l->banks[bank]->touched[lane];
	uint64_t *end = &l->banks[bank]->end[lane];
	uint64_t from = __atomic_load_n(end, __ATOMIC_RELAXED);
	uint64_t b = from / plan->bucket_bytes;

	while (b < plan->nr_buckets &&
	       __atomic_load_n(&touched[b], __ATOMIC_ACQUIRE))
		b++;
	if (b * plan->bucket_bytes > from)
		__atomic_store_n(end, b * plan->bucket_bytes, __ATOMIC_RELEASE);
}

/*
 * Pages exist before a header says so: below a len there is never a hole, which
 * on a full file system would raise SIGBUS. Several threads may do this at
 * once, or after one that died: each step does nothing if it was done before.
 */
int ledger_touch(struct tally_ledger *l, uint32_t lane, uint32_t bank,
		 uint32_t plane, uint64_t bucket)
{
	struct layout *layout = l->layout;
	const struct layout_plan *plan = layout->plan;
	const struct layout_lane *at = &layout->lanes[lane];
	const struct tally_region *region = &layout->regions[at->node];
	uint64_t start = layout->places[at->node].region_offset;
	struct tally_slice *headers = &layout_record(
		layout, at->node,
		at->slot)[bank * layout->header.params.nr_planes + plane];
	uint64_t first = layout_headers_offset(layout, lane, bank, plane);
	uint64_t cells = layout_cells_offset(layout, lane, bank, plane, bucket);
	uint64_t from = tally_slice_len(headers);
	struct tally_slice *header =
		(struct tally_slice *)(layout->origin + first) + bucket;
	int err = 0;

	if (from > bucket && tally_slice_len(header))
		goto touched; /* by another process */
	err = layout_populate(layout, region, cells - start,
			      plan->bucket_bytes);
	if (!err && from <= bucket)
		err = layout_populate(layout, region,
				      first + from * sizeof(*header) - start,
				      (bucket + 1 - from) * sizeof(*header));
	if (!layout_is_whole(layout))
		err = -EBADMSG;
	if (err)
		return err;
	tally_slice_lay(header, cells, LAYOUT_BUCKET_ROWS, LAYOUT_BUCKET_ROWS);
	err = layout_grow(headers, first, plan->nr_buckets, bucket + 1);
	if (err)
		return err;
touched:
	layout_raise(&layout_record_lens(
			     layout, layout_record(layout, at->node, at->slot))
			     [bank * layout->header.params.nr_planes + plane],
		     bucket + 1);
	/* A reader that sees the add looks at the headers again. */
	__atomic_fetch_add(&layout_region_head(layout, at->node)->touches, 1,
			   __ATOMIC_RELEASE);
	__atomic_store_n(&ledger_touched(l, lane, bank, plane)[bucket], 1,
			 __ATOMIC_RELEASE);
	if (l->tables && lane < l->nr_cpus && plane == at->node)
		move_end(l, lane, bank);
	return 0;
}
