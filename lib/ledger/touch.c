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

static struct tally_slice *headers_of(const struct layout *l, uint32_t lane,
				      uint32_t bank, uint32_t plane)
{
	return (struct tally_slice *)(l->origin + layout_headers_offset(l, lane,
									bank,
									plane));
}

static struct tally_slice *record_of(const struct layout *l, uint32_t lane,
				     uint32_t bank, uint32_t plane)
{
	const struct layout_lane *at = &l->lanes[lane];

	return &layout_record(
		l, at->node,
		at->slot)[bank * l->header.params.nr_planes + plane];
}

/* The cap is stored last: since then its cells exist, and readers know. */
static bool is_laid(const struct tally_slice *header, uint64_t cells)
{
	return __atomic_load_n(&header->cap, __ATOMIC_ACQUIRE) ==
		       LAYOUT_BUCKET_ROWS &&
	       __atomic_load_n(&header->base, __ATOMIC_RELAXED) == cells &&
	       tally_slice_len(header) <= LAYOUT_BUCKET_ROWS;
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
	struct tally_slice *headers = record_of(layout, lane, bank, plane);
	uint64_t first = layout_headers_offset(layout, lane, bank, plane);
	uint64_t cells = layout_cells_offset(layout, lane, bank, plane, bucket);
	uint64_t from = tally_slice_len(headers);
	struct tally_slice *header =
		headers_of(layout, lane, bank, plane) + bucket;
	int err = 0;

	if (from > bucket && is_laid(header, cells))
		return 0; /* by another process */
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
	/* A reader takes it for touched from here on. */
	__atomic_store_n(&header->base, cells, __ATOMIC_RELEASE);
	err = layout_grow(headers, first, plan->nr_buckets, bucket + 1);
	if (err)
		return err;
	layout_raise(&layout_record_lens(
			     layout, layout_record(layout, at->node, at->slot))
			     [bank * layout->header.params.nr_planes + plane],
		     bucket + 1);
	/* A reader that sees the add looks at the headers again. */
	__atomic_fetch_add(&layout_region_head(layout, at->node)->touches, 1,
			   __ATOMIC_RELEASE);
	tally_slice_lay(header, cells, LAYOUT_BUCKET_ROWS, LAYOUT_BUCKET_ROWS);
	return 0;
}

/* ---- marks --------------------------------------------------------------- */

static bool is_swept(const struct tally_ledger *l, uint32_t lane,
		     uint32_t plane)
{
	return l->tables && lane < l->nr_cpus &&
	       plane == l->layout->lanes[lane].node;
}

/* No bucket passes adds any more. Nothing is lost if another thread has marked
 * one since: it is marked again. */
static void forget(struct tally_ledger *l, uint32_t lane, uint32_t bank,
		   uint32_t plane, uint64_t tag)
{
	uint64_t *touched =
		(uint64_t *)(void *)ledger_touched(l, lane, bank, plane);

	if (is_swept(l, lane, plane))
		__atomic_store_n(&l->banks[bank]->end[lane], 0,
				 __ATOMIC_RELEASE);
	for (uint64_t i = 0; i < ledger_table_bytes(l) / sizeof(*touched); i++)
		if (__atomic_load_n(&touched[i], __ATOMIC_RELAXED))
			__atomic_store_n(&touched[i], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&l->tags[ledger_table(l, lane, bank, plane)], tag,
			 __ATOMIC_RELEASE);
}

bool ledger_mark(struct tally_ledger *l, uint64_t epoch_word, uint32_t lane,
		 uint32_t plane, uint64_t bucket)
{
	const struct layout *layout = l->layout;
	uint32_t bank = ledger_bank(epoch_word);
	uint64_t cells = layout_cells_offset(layout, lane, bank, plane, bucket);
	uint64_t tag = ledger_tag(epoch_word);
	struct tally_slice *header =
		headers_of(layout, lane, bank, plane) + bucket;

	if (bucket >= tally_slice_len(record_of(layout, lane, bank, plane)) ||
	    layout_grow(header, cells, LAYOUT_BUCKET_ROWS, LAYOUT_BUCKET_ROWS))
		return false;
	if (__atomic_load_n(&l->tags[ledger_table(l, lane, bank, plane)],
			    __ATOMIC_ACQUIRE) != tag)
		forget(l, lane, bank, plane, tag);
	__atomic_store_n(&ledger_touched(l, lane, bank, plane)[bucket], 1,
			 __ATOMIC_RELEASE);
	if (is_swept(l, lane, plane))
		move_end(l, lane, bank);
	return true;
}

/* Other tables are looked at with their tags. */
void ledger_unmark(struct tally_ledger *l, uint64_t epoch_word)
{
	uint32_t bank = ledger_bank(epoch_word);

	for (uint32_t cpu = 0; l->inlined && cpu < l->nr_cpus; cpu++) {
		uint32_t plane = l->layout->lanes[cpu].node;
		uint64_t tag = __atomic_load_n(
			&l->tags[ledger_table(l, cpu, bank, plane)],
			__ATOMIC_ACQUIRE);

		if (tag && tag != ledger_tag(epoch_word))
			forget(l, cpu, bank, plane, ledger_tag(epoch_word));
	}
}
