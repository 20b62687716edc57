// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/ledger.h>

#include "account/directory.h"
#include "file/column.h"
#include "view/sum.h"
#include "view/bucket.h"
#include "view/row.h"

#if defined(__SANITIZE_THREAD__)
static void add_rows(uint64_t *to, const char *rows, uint64_t nr_rows,
		     uint64_t nr_lines)
{
	const uint64_t *cells = (const uint64_t *)rows;
	uint64_t nr_cells = nr_lines * sizeof(line) / sizeof(*to);

	for (uint64_t i = 0; i < nr_rows * nr_cells; i++)
		to[i % nr_cells] +=
			__atomic_load_n(&cells[i], __ATOMIC_RELAXED);
}
#else
/* Add rows, of nr_lines cache lines each, to one. */
static inline __attribute__((always_inline)) void
add_rows(uint64_t *sums, const char *cells, uint64_t nr_rows, uint64_t nr_lines)
{
	const line *rows = (const line *)cells;
	line *to = (line *)sums;

	if (nr_lines == 1) {
		line a = to[0], b = {0}, c = {0}, d = {0};
		uint64_t i;

		for (i = 0; i + 4 <= nr_rows; i += 4) {
			a += rows[i];
			b += rows[i + 1];
			c += rows[i + 2];
			d += rows[i + 3];
		}
		for (; i < nr_rows; i++)
			a += rows[i];
		to[0] = (a + b) + (c + d);
		return;
	}
	for (uint64_t i = 0; i < nr_rows; i++)
		for (uint64_t j = 0; j < nr_lines; j++)
			to[j] += rows[i * nr_lines + j];
}
#endif

/* The same rows in each lane of a set. */
struct rows {
	char *const *lanes;
	const uint64_t *set;
	uint64_t nr_words;
	uint64_t offset;
	uint64_t nr_rows;
	uint64_t nr_lines; /* in a row */
};

FOR_EACH_CPU
static void add_set(uint64_t *to, const struct rows *r)
{
	for (uint64_t w = 0; w < r->nr_words; w++) {
		uint64_t set = __atomic_load_n(&r->set[w], __ATOMIC_RELAXED);
		char *const *lanes = r->lanes + w * 64;

		for (; set; set &= set - 1)
			add_rows(to, lanes[__builtin_ctzll(set)] + r->offset,
				 r->nr_rows, r->nr_lines);
	}
}

FOR_EACH_CPU
static void add_one(uint64_t *to, const char *rows, uint64_t nr_rows,
		    uint64_t nr_lines)
{
	add_rows(to, rows, nr_rows, nr_lines);
}

/* Add the folded cells of the valid copy; holes are 0. The row behind the
 * others has the counters of gone accounts. */
static void add_folded(const struct part *p, const struct part_found *f,
		       uint64_t *sums)
{
	const struct layout *l = p->s->layout;
	uint64_t nr_rows = p->to - p->from;
	uint32_t copy = f->state & 1;

	if (!f->state || !part_has_copy(p, copy, part_copies(f)))
		return;
	if (p->s->totals && nr_rows == LAYOUT_BUCKET_ROWS)
		nr_rows++;
	add_one(sums,
		l->origin +
			layout_copies_offset(l, p->node, copy, p->plane,
					     p->bucket) +
			p->from * l->plan->row_bytes,
		nr_rows, part_lines(l));
}

static void add_lanes(const struct part *p, const struct part_found *f,
		      uint32_t bank, uint64_t *sums)
{
	const struct layout *l = p->s->layout;
	uint64_t nr_words = layout_lane_words(l, p->node);
	const struct rows rows = {
		.lanes = l->cells + l->first_slot[p->node],
		.set = f->sets + bank * nr_words,
		.nr_words = nr_words,
		.offset = part_cells(p, bank) + p->from * l->plan->row_bytes,
		.nr_rows = p->to - p->from,
		.nr_lines = part_lines(l),
	};

	for (uint64_t w = 0; w < nr_words; w++)
		if (__atomic_load_n(&rows.set[w], __ATOMIC_RELAXED)) {
			add_set(sums, &rows);
			break;
		}
}

static void add_banks(const struct part *p, const struct part_found *f,
		      uint64_t *sums)
{
	add_folded(p, f, sums);
	for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++)
		if (f->banks >> b & 1)
			add_lanes(p, f, b, sums);
}

/* Subtract the gauges of gone accounts: totals leave them out. */
static __attribute__((noinline)) void take_gauges(const struct part *p,
						  const struct part_found *f,
						  uint64_t gone, uint64_t *sums)
{
	const struct layout *l = p->s->layout;
	uint64_t theirs[LAYOUT_MAX_COLUMNS]
		__attribute__((aligned(LAYOUT_LINE)));

	for (; gone; gone &= gone - 1) {
		struct part row = *p;

		row.from = (unsigned int)__builtin_ctzll(gone);
		row.to = row.from + 1;
		memset(theirs, 0, l->plan->row_bytes);
		add_banks(&row, f, theirs);
		for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
			if (column_kind(l, i) != TALLY_COUNTER)
				sums[i] -= theirs[i];
	}
}

static void add_found(const struct part *p, const struct part_found *f,
		      uint64_t *sums)
{
	const struct sum *s = p->s;
	uint64_t gone =
		s->totals ? directory_gone(s->layout, p->bucket, s->frozen) : 0;

	add_banks(p, f, sums);
	if (gone)
		take_gauges(p, f, gone, sums);
}

static int add_part(const struct part *p, uint64_t *sums)
{
	uint64_t bytes = p->s->layout->plan->row_bytes;
	uint64_t before[LAYOUT_MAX_COLUMNS];

	memcpy(before, sums, bytes);
	for (int try = 0; try < PART_MAX_TRIES; try++) {
		struct part_found f;
		int err = part_find(p, &f);

		if (err == -EAGAIN)
			continue;
		if (err)
			return err;
		add_found(p, &f, sums);
		if (part_stands(p, &f))
			return 0;
		memcpy(sums, before, bytes);
	}
	return -EBADMSG;
}

/* A len, or its copy if that is higher. */
static uint64_t longest(const struct tally_slice *header, const uint64_t *copy)
{
	uint64_t before = __atomic_load_n(copy, __ATOMIC_RELAXED);
	uint64_t len = tally_slice_len(header);

	return len > before ? len : before;
}

uint64_t sum_end_bucket(const struct sum *s, uint32_t node, uint32_t plane)
{
	const struct layout *l = s->layout;
	uint64_t end = longest(&layout_folded(l, node)[plane],
			       &layout_folded_lens(l, node)[plane]);

	for (uint32_t slot = 0; slot < l->places[node].nr_lanes; slot++) {
		struct tally_slice *record = layout_record(l, node, slot);
		const uint64_t *lens = layout_record_lens(l, record);

		for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++) {
			uint32_t i = b * l->header.params.nr_planes + plane;
			uint64_t len = longest(&record[i], &lens[i]);

			if (len > end)
				end = len;
		}
	}
	return end < l->plan->nr_buckets ? end : l->plan->nr_buckets;
}

static int sum_plane(const struct sum *s, uint32_t node, uint32_t plane,
		     uint64_t *sums)
{
	struct part p = {.s = s, .node = node, .plane = plane};
	uint64_t first = s->from / LAYOUT_BUCKET_ROWS;
	uint64_t end = (s->to + LAYOUT_BUCKET_ROWS - 1) / LAYOUT_BUCKET_ROWS;
	int err = 0;

	if (end > first + 1) {
		uint64_t touched = sum_end_bucket(s, node, plane);

		if (touched < end)
			end = touched;
	}
	for (p.bucket = first; p.bucket < end && !err; p.bucket++) {
		uint64_t row = p.bucket * LAYOUT_BUCKET_ROWS;

		p.from = s->from > row ? s->from - row : 0;
		p.to = s->to - row < LAYOUT_BUCKET_ROWS ? s->to - row
							: LAYOUT_BUCKET_ROWS;
		err = add_part(&p, sums);
	}
	return err;
}

static __attribute__((noinline)) int sum_rows(const struct sum *s,
					      uint64_t *sums)
{
	const struct layout *l = s->layout;
	int err = 0;

	memset(sums, 0, l->plan->row_bytes);
	for (uint32_t n = 0; n < l->header.params.nr_planes; n++) {
		if (!l->places[n].nr_lanes)
			continue;
		for (uint32_t p = s->first_plane; p < s->end_plane && !err; p++)
			err = sum_plane(s, n, p, sums);
	}
	return err;
}

static bool is_line(const struct sum *s)
{
#if defined(SUM_ROW)
	return s->to - s->from == 1 && part_lines(s->layout) == 1;
#else
	(void)s;
	return false;
#endif
}

int sum(const struct sum *s, uint64_t *sums)
{
	int err = is_line(s) ? sum_row(s, sums) : sum_rows(s, sums);

	return err || layout_is_whole(s->layout) ? err : -EBADMSG;
}
