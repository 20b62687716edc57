// SPDX-License-Identifier: MIT
#include "config.h"

#include "view/bucket.h"

/*
 * Return 1 if a bucket's header says that its cells exist, else 0; or -EBADMSG.
 * A writer stores it word by word, once the cells exist. A header with only
 * some of the words counts too: it is being stored, its writer died, or a fold
 * has set len to 0.
 */
static int is_laid(const struct tally_slice *header, uint64_t cells)
{
	uint64_t len = tally_slice_len(header);
	uint64_t base = __atomic_load_n(&header->base, __ATOMIC_RELAXED);
	uint64_t cap = __atomic_load_n(&header->cap, __ATOMIC_RELAXED);

	if (len == LAYOUT_BUCKET_ROWS && base == cells &&
	    cap == LAYOUT_BUCKET_ROWS)
		return 1;
	if (len || (base && base != cells) ||
	    (cap && cap != LAYOUT_BUCKET_ROWS))
		return -EBADMSG;
	return base || cap;
}

/* Return 1 if the bucket is touched in a lane and its cells really exist,
 * else 0; or -EBADMSG. */
static int is_touched(const struct part *p, uint32_t slot, uint32_t bank)
{
	const struct layout *l = p->s->layout;
	uint32_t lane = layout_lane_at(l, p->node, slot);
	struct tally_slice *record =
		tally_slice_at(l->origin, &p->s->records[p->node],
			       l->plan->record_bytes, slot);
	uint32_t slice = bank * l->header.params.nr_planes + p->plane;
	uint64_t at = layout_headers_offset(l, lane, bank, p->plane);
	uint64_t *known = layout_known(l, lane, bank, p->plane);
	uint64_t cells = layout_cells_offset(l, lane, bank, p->plane, 0);
	uint64_t len;
	int err = part_load(&record[slice],
			    &layout_record_lens(l, record)[slice], at,
			    l->plan->nr_buckets, &len);

	if (err || p->bucket >= len)
		return err;
	if (!sparse_has(l, &known[0], at, sizeof(*record), p->bucket))
		return -EBADMSG;
	err = is_laid((const struct tally_slice *)(l->origin + at) + p->bucket,
		      cells + p->bucket * l->plan->bucket_bytes);
	if (err <= 0)
		return err;
	return sparse_has_part(l, &known[1], cells, l->plan->bucket_bytes,
			       p->bucket);
}

int part_look(const struct part *p, uint64_t *seen, uint64_t touches)
{
	const struct layout *l = p->s->layout;
	uint64_t nr_words = layout_lane_words(l, p->node);

	for (uint32_t bank = 0; bank < LAYOUT_NR_BANKS; bank++) {
		uint64_t *set = seen + LAYOUT_SEEN_SETS + bank * nr_words;

		for (uint32_t s = 0; s < l->places[p->node].nr_lanes; s++) {
			int touched = is_touched(p, s, bank);

			if (touched < 0)
				return touched;
			if (touched)
				__atomic_fetch_or(&set[s / 64],
						  UINT64_C(1) << s % 64,
						  __ATOMIC_RELAXED);
		}
	}
	__atomic_store_n(seen, touches, __ATOMIC_RELEASE);
	return 0;
}

bool part_has_copy(const struct part *p, uint32_t copy, uint64_t *have)
{
	const struct layout *l = p->s->layout;

	if (__atomic_load_n(have, __ATOMIC_RELAXED) >> copy & 1)
		return true;
	if (!sparse_begins(
		    l,
		    layout_copies_offset(l, p->node, copy, p->plane, p->bucket),
		    l->plan->copy_bytes))
		return false;
	__atomic_fetch_or(have, UINT64_C(1) << copy, __ATOMIC_RELAXED);
	return true;
}
