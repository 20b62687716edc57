// SPDX-License-Identifier: MIT
#include "config.h"

#include "view/bucket.h"
#include "view/row.h"

#if defined(SUM_ROW)

PART_INLINE void add_folded(const struct part *p, const struct part_found *f,
			    line *to)
{
	const struct layout *l = p->s->layout;
	uint32_t copy = f->state & 1;

	if (f->state && part_has_copy(p, copy, part_copies(f)))
		*to += *(const line *)(l->origin +
				       layout_copies_offset(l, p->node, copy,
							    p->plane,
							    p->bucket) +
				       p->from * sizeof(line));
}

/*
 * Lanes that lie evenly are found without a load for each. Four sums depend
 * less on each other than one.
 */
PART_INLINE void add_even(const char *row, uint64_t step, line sums[4])
{
	for (int i = 0; i < LAYOUT_EVEN_LANES; i += 4) {
		sums[0] += *(const line *)row;
		sums[1] += *(const line *)(row + step);
		sums[2] += *(const line *)(row + 2 * step);
		sums[3] += *(const line *)(row + 3 * step);
		row += 4 * step;
	}
}

PART_INLINE void add_lanes(const struct part *p, const struct part_found *f,
			   uint32_t bank, line *to)
{
	const uint64_t even = UINT64_MAX >> (64 - LAYOUT_EVEN_LANES);
	const struct layout *l = p->s->layout;
	uint64_t nr_words = layout_lane_words(l, p->node);
	const uint64_t *sets = f->sets + bank * nr_words;
	char *const *cells = l->cells + l->first_slot[p->node];
	const uint64_t *steps = l->steps + l->first_slot[p->node];
	uint64_t row = part_cells(p, bank) + p->from * sizeof(line);
	line sums[4] = {{0}};

	for (uint64_t w = 0; w < nr_words; w++, cells += 64, steps += 64) {
		uint64_t set = __atomic_load_n(&sets[w], __ATOMIC_RELAXED);

		for (int i = 0; set; i += LAYOUT_EVEN_LANES) {
			uint64_t some = set & even;

			set >>= LAYOUT_EVEN_LANES;
			if (some == even && steps[i]) {
				add_even(cells[i] + row, steps[i], sums);
				continue;
			}
			for (; some; some &= some - 1) {
				int next = __builtin_ctzll(some);

				sums[0] +=
					*(const line *)(cells[i + next] + row);
			}
		}
	}
	*to += (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

PART_INLINE int add_part(const struct part *p, line *to)
{
	for (int try = 0; try < PART_MAX_TRIES; try++) {
		struct part_found f;
		int err = part_find(p, &f);
		line got = {0};

		if (err == -EAGAIN)
			continue;
		if (err)
			return err;
		add_folded(p, &f, &got);
		if (f.banks & 1)
			add_lanes(p, &f, 0, &got);
		if (f.banks & 2)
			add_lanes(p, &f, 1, &got);
		if (part_stands(p, &f)) {
			*to += got;
			return 0;
		}
	}
	return -EBADMSG;
}

FOR_EACH_CPU
static int add_parts(const struct sum *s, line *to)
{
	const struct layout *l = s->layout;
	uint32_t nr_nodes = l->header.params.nr_planes;
	struct part p = {
		.s = s,
		.bucket = s->from / LAYOUT_BUCKET_ROWS,
		.from = s->from % LAYOUT_BUCKET_ROWS,
	};
	int err = 0;

	*to = (line){0};
	for (p.node = 0; p.node < nr_nodes; p.node++) {
		if (!l->places[p.node].nr_lanes)
			continue;
		for (p.plane = s->first_plane; p.plane < s->end_plane && !err;
		     p.plane++)
			err = add_part(&p, to);
	}
	return err;
}

int sum_row(const struct sum *s, uint64_t *sums)
{
	return add_parts(s, (line *)sums);
}

#endif
