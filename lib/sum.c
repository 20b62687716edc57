// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sum.h"

/* More folds than can happen while one bucket is read, unless a hostile writer
 * makes them up. */
#define MAX_TRIES 1000

/* A cache line of cells. Loads of cells that change meanwhile are whole, cell
 * by cell, on every machine that has 64-bit registers. */
typedef uint64_t line __attribute__((vector_size(64), aligned(64), may_alias));

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define FOR_EACH_CPU \
	__attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

#if defined(__SANITIZE_THREAD__)
static void add_lines(uint64_t *to, const uint64_t *rows, uint64_t nr_rows,
		      uint64_t nr_cells)
{
	for (uint64_t i = 0; i < nr_rows * nr_cells; i++)
		to[i % nr_cells] += __atomic_load_n(&rows[i], __ATOMIC_RELAXED);
}
#else
/* Rows, of nr_lines cache lines each, on top of one. */
FOR_EACH_CPU
static void add_rows(line *to, const line *rows, uint64_t nr_rows,
		     uint64_t nr_lines)
{
	if (nr_lines == 1) {
		line a = to[0], b = {0};
		uint64_t i;

		for (i = 0; i + 2 <= nr_rows; i += 2) {
			a += rows[i];
			b += rows[i + 1];
		}
		to[0] = i < nr_rows ? a + b + rows[i] : a + b;
		return;
	}
	for (uint64_t i = 0; i < nr_rows; i++)
		for (uint64_t j = 0; j < nr_lines; j++)
			to[j] += rows[i * nr_lines + j];
}

static void add_lines(uint64_t *to, const uint64_t *rows, uint64_t nr_rows,
		      uint64_t nr_cells)
{
	add_rows((line *)to, (const line *)rows, nr_rows,
		 nr_cells * sizeof(uint64_t) / sizeof(line));
}
#endif

/* One bucket of one plane, in one region. */
struct part {
	const struct sum *s;
	uint32_t node;
	uint32_t plane;
	uint64_t bucket;
	uint64_t from, to; /* rows in the bucket */
	uint64_t *sums;
};

/* A header from the file, copied once; it must say what the plan says. */
static int load(const struct tally_slice *from, uint64_t base, uint64_t cap,
		uint64_t *len)
{
	uint64_t n = tally_slice_len(from);

	if (n && (n > cap ||
		  __atomic_load_n(&from->base, __ATOMIC_RELAXED) != base ||
		  __atomic_load_n(&from->cap, __ATOMIC_RELAXED) != cap))
		return -EBADMSG;
	*len = n;
	return 0;
}

static void add_cells(const struct part *p, uint64_t offset, uint64_t to)
{
	const struct layout *l = p->s->layout;

	if (to > p->from)
		add_lines(p->sums,
			  (const uint64_t *)(l->origin + offset +
					     p->from * l->plan->row_bytes),
			  to - p->from, sum_cells(l));
}

static int add_lane(const struct part *p, uint32_t slot, uint32_t bank)
{
	const struct layout *l = p->s->layout;
	uint32_t lane = layout_lane_at(l, p->node, slot);
	const struct tally_slice *record =
		tally_slice_at(l->origin, &p->s->records[p->node],
			       l->plan->record_bytes, slot);
	uint64_t at = layout_headers_offset(l, lane, bank, p->plane);
	uint64_t cells, len;
	int err = load(&record[bank * l->header.params.nr_nodes + p->plane], at,
		       l->plan->nr_buckets, &len);

	if (err || p->bucket >= len)
		return err;
	cells = layout_cells_offset(l, lane, bank, p->plane, p->bucket);
	err = load((const struct tally_slice *)(l->origin + at) + p->bucket,
		   cells, LAYOUT_BUCKET_ROWS, &len);
	if (!err)
		add_cells(p, cells, p->to < len ? p->to : len);
	return err;
}

static int add_lanes(const struct part *p, uint32_t bank)
{
	int err = 0;

	for (uint32_t s = 0; s < p->s->layout->nodes[p->node].nr_lanes && !err;
	     s++)
		err = add_lane(p, s, bank);
	return err;
}

static int load_state(const struct part *p, uint64_t *state)
{
	const struct layout *l = p->s->layout;
	uint64_t at = layout_states_offset(l, p->node, p->plane);
	uint64_t len;
	int err = load(&layout_settled(l, p->node)[p->plane], at,
		       l->plan->nr_buckets, &len);

	if (err)
		return err;
	*state = 0;
	if (p->bucket < len)
		*state = __atomic_load_n((const uint64_t *)(l->origin + at) +
						 p->bucket,
					 __ATOMIC_ACQUIRE);
	return 0;
}

static int add_frozen(const struct part *p)
{
	uint64_t state;
	int err = load_state(p, &state);

	if (err)
		return err;
	if (state)
		add_cells(p,
			  layout_copies_offset(p->s->layout, p->node, state & 1,
					       p->plane, p->bucket),
			  p->to);
	return add_lanes(p, (uint32_t)(p->s->frozen - 1) & 1);
}

/*
 * Live: the bank of the epoch before counts until the bucket is settled, which
 * is when the state says so. Should that happen while the bucket is read, it is
 * read again.
 */
static int add_live(const struct part *p)
{
	const struct layout *l = p->s->layout;
	const uint64_t *epoch_word = &layout_control(l)->epoch;
	uint64_t bytes = l->plan->row_bytes;
	uint64_t before[512];

	memcpy(before, p->sums, bytes);
	for (int try = 0; try < MAX_TRIES; try++) {
		uint64_t epoch, state, again;
		int err;

		epoch = __atomic_load_n(epoch_word, __ATOMIC_ACQUIRE);
		err = load_state(p, &state);
		if (err)
			return err;
		/* Settled after the epoch was read: its own bank is in it. */
		if (state >> 1 > epoch)
			continue;
		if (state)
			add_cells(p,
				  layout_copies_offset(l, p->node, state & 1,
						       p->plane, p->bucket),
				  p->to);
		err = add_lanes(p, (uint32_t)epoch & 1);
		if (!err && state >> 1 != epoch)
			err = add_lanes(p, (uint32_t)(epoch + 1) & 1);
		if (err)
			return err;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		err = load_state(p, &again);
		if (err || again == state)
			return err;
		memcpy(p->sums, before, bytes);
	}
	return -EBADMSG;
}

/* The end of the buckets of a plane that any lane of the region touched. */
static uint64_t end_bucket(const struct sum *s, uint32_t node, uint32_t plane)
{
	const struct layout *l = s->layout;
	uint64_t end = tally_slice_len(&layout_settled(l, node)[plane]);

	for (uint32_t slot = 0; slot < l->nodes[node].nr_lanes; slot++) {
		const struct tally_slice *record = layout_record(l, node, slot);

		for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++) {
			uint64_t len = tally_slice_len(
				&record[b * l->header.params.nr_nodes + plane]);

			if (len > end)
				end = len;
		}
	}
	return end < l->plan->nr_buckets ? end : l->plan->nr_buckets;
}

static int sum_plane(const struct sum *s, uint32_t node, uint32_t plane,
		     uint64_t *sums)
{
	struct part p = {.s = s, .node = node, .plane = plane, .sums = sums};
	uint64_t first = s->from / LAYOUT_BUCKET_ROWS;
	uint64_t end = (s->to + LAYOUT_BUCKET_ROWS - 1) / LAYOUT_BUCKET_ROWS;
	int err = 0;

	if (end > first + 1) {
		uint64_t touched = end_bucket(s, node, plane);

		if (touched < end)
			end = touched;
	}
	for (p.bucket = first; p.bucket < end && !err; p.bucket++) {
		uint64_t row = p.bucket * LAYOUT_BUCKET_ROWS;

		p.from = s->from > row ? s->from - row : 0;
		p.to = s->to - row < LAYOUT_BUCKET_ROWS ? s->to - row
							: LAYOUT_BUCKET_ROWS;
		err = s->frozen ? add_frozen(&p) : add_live(&p);
	}
	return err;
}

int sum(const struct sum *s, int64_t *amounts)
{
	uint64_t sums[512] __attribute__((aligned(64)));
	uint32_t nr_nodes = s->layout->header.params.nr_nodes;
	int err = 0;

	memset(sums, 0, s->layout->plan->row_bytes);
	for (uint32_t n = 0; n < nr_nodes; n++) {
		if (!s->layout->nodes[n].nr_lanes)
			continue;
		for (uint32_t p = s->first_plane; p < s->end_plane && !err; p++)
			err = sum_plane(s, n, p, sums);
	}
	if (!err)
		memcpy(amounts, sums,
		       s->layout->header.params.nr_resources *
			       sizeof(*amounts));
	return err;
}
