// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "view/block.h"
#include "view/bucket.h"

#if defined(__SANITIZE_THREAD__)
static void add_cells(uint64_t *to, const char *from, uint64_t bytes)
{
	const uint64_t *cells = (const uint64_t *)from;

	for (uint64_t i = 0; i < bytes / sizeof(*cells); i++)
		to[i] += __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
}
#else
FOR_EACH_CPU
static void add_cells(uint64_t *to, const char *from, uint64_t bytes)
{
	const line *cells = (const line *)from;
	line *sums = (line *)to;

	for (uint64_t i = 0; i < bytes / sizeof(line); i++)
		sums[i] += cells[i];
}
#endif

static uint64_t run_bytes(const struct part *p)
{
	return (p->to - p->from) * p->s->layout->plan->row_bytes;
}

static void add_folded(const struct part *p, const struct part_found *f,
		       uint64_t *sums)
{
	const struct layout *l = p->s->layout;
	uint32_t copy = f->state & 1;

	if (f->state && part_has_copy(p, copy, part_copies(f)))
		add_cells(sums,
			  l->origin +
				  layout_copies_offset(l, p->node, copy,
						       p->plane, p->bucket) +
				  p->from * l->plan->row_bytes,
			  run_bytes(p));
}

static void add_lanes(const struct part *p, const struct part_found *f,
		      uint32_t bank, uint64_t *sums)
{
	const struct layout *l = p->s->layout;
	uint64_t nr_words = layout_lane_words(l, p->node);
	const uint64_t *sets = f->sets + bank * nr_words;
	char *const *cells = l->cells + l->first_slot[p->node];
	uint64_t rows = part_cells(p, bank) + p->from * l->plan->row_bytes;

	for (uint64_t w = 0; w < nr_words; w++) {
		uint64_t set = __atomic_load_n(&sets[w], __ATOMIC_RELAXED);

		for (; set; set &= set - 1)
			add_cells(sums,
				  cells[w * 64 +
					(unsigned int)__builtin_ctzll(set)] +
					  rows,
				  run_bytes(p));
	}
}

/* Add what lies in the region of one node. -EAGAIN: the bucket was folded
 * meanwhile, and the sums are of no use. */
static int add_part(const struct part *p, uint64_t *sums)
{
	struct part_found f;
	int err = part_find(p, &f);

	if (err)
		return err;
	add_folded(p, &f, sums);
	for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++)
		if (f.banks >> b & 1)
			add_lanes(p, &f, b, sums);
	return part_stands(p, &f) ? 0 : -EAGAIN;
}

/* ends: of the plane, by region. */
static int sum_once(struct part *p, const uint32_t *ends, uint64_t *sums)
{
	uint32_t nr_regions = p->s->layout->header.params.nr_planes;
	int err = 0;

	memset(sums, 0, run_bytes(p));
	for (p->node = 0; p->node < nr_regions && !err; p->node++)
		if (p->bucket < ends[p->node])
			err = add_part(p, sums);
	return err;
}

static int sum_plane(struct part *p, const uint32_t *ends, uint64_t *sums)
{
	uint64_t nr_parts = p->s->layout->header.params.nr_planes;
	uint64_t tries = PART_MAX_TRIES * nr_parts;
	int err = -EAGAIN;

	while (err == -EAGAIN && tries--)
		err = sum_once(p, ends, sums);
	return err == -EAGAIN ? -EBADMSG : err;
}

static uint64_t nr_planes(const struct sum *s)
{
	return s->end_plane > s->first_plane ? s->end_plane - s->first_plane
					     : 0;
}

size_t block_bytes(const struct sum *s, uint64_t nr_rows)
{
	return nr_planes(s) * nr_rows * s->layout->plan->row_bytes;
}

int block_look(const struct sum *s, struct block_planes *planes)
{
	const struct layout *l = s->layout;
	uint32_t nr_regions = l->header.params.nr_planes;
	uint32_t *ends;

	planes->ends = calloc(nr_planes(s) * nr_regions + 1, sizeof(*ends));
	planes->used = calloc(nr_planes(s) + 1, 1);
	if (!planes->ends || !planes->used)
		return -ENOMEM;
	ends = planes->ends;
	for (uint32_t p = s->first_plane; p < s->end_plane; p++)
		for (uint32_t n = 0; n < nr_regions; n++, ends++)
			if (l->places[n].nr_lanes)
				*ends = (uint32_t)sum_end_bucket(s, n, p);
	return 0;
}

static bool is_touched(const uint32_t *ends, uint32_t nr, uint64_t bucket)
{
	for (uint32_t n = 0; n < nr; n++)
		if (bucket < ends[n])
			return true;
	return false;
}

int block_sum(const struct sum *s, const struct block_planes *planes,
	      uint64_t *sums)
{
	uint32_t nr_regions = s->layout->header.params.nr_planes;
	uint64_t bucket = s->from / LAYOUT_BUCKET_ROWS;
	struct part p = {
		.s = s,
		.bucket = bucket,
		.from = s->from - bucket * LAYOUT_BUCKET_ROWS,
		.to = s->to - bucket * LAYOUT_BUCKET_ROWS,
	};
	const uint32_t *ends = planes->ends;
	unsigned char *used = planes->used;
	int err = 0;

	for (p.plane = s->first_plane; p.plane < s->end_plane && !err;
	     p.plane++, used++, ends += nr_regions) {
		*used = is_touched(ends, nr_regions, bucket);
		if (*used)
			err = sum_plane(&p, ends, sums);
		sums += run_bytes(&p) / sizeof(*sums);
	}
	return err;
}
