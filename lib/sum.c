// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/ledger.h>

#include "directory.h"
#include "extent.h"
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
/* Rows, of nr_lines cache lines each, on top of one. */
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

#if defined(__SANITIZE_THREAD__)
#define add_line add_set
#else
/* The same for one row of one line, into a line of its own: what was stored by
 * narrower stores just before would have to be waited for. */
FOR_EACH_CPU
static void sum_line(line *to, const struct rows *r)
{
	line a = {0}, b = {0};

	for (uint64_t w = 0; w < r->nr_words; w++) {
		uint64_t set = __atomic_load_n(&r->set[w], __ATOMIC_RELAXED);
		char *const *lanes = r->lanes + w * 64;

		if (set == UINT64_MAX) {
			for (unsigned int i = 0; i < 64; i += 2) {
				a += *(const line *)(lanes[i] + r->offset);
				b += *(const line *)(lanes[i + 1] + r->offset);
			}
			continue;
		}
		for (; set; set &= set - 1)
			a += *(const line *)(lanes[__builtin_ctzll(set)] +
					     r->offset);
	}
	*to = a + b;
}

static void add_line(uint64_t *to, const struct rows *r)
{
	line got;

	sum_line(&got, r);
	for (unsigned int i = 0; i < sizeof(got) / sizeof(*to); i++)
		to[i] += got[i];
}
#endif

FOR_EACH_CPU
static void add_one(uint64_t *to, const char *rows, uint64_t nr_rows,
		    uint64_t nr_lines)
{
	add_rows(to, rows, nr_rows, nr_lines);
}

/* One bucket of one plane, in one region. */
struct part {
	const struct sum *s;
	uint32_t node;
	uint32_t plane;
	uint64_t bucket;
	uint64_t from, to; /* rows in the bucket */
	uint64_t *sums;
};

/* A header from the file, copied once; it must say what the plan says, and not
 * less than the copy of its len. */
static int load(const struct tally_slice *from, const uint64_t *len_copy,
		uint64_t base, uint64_t cap, uint64_t *len)
{
	uint64_t copy = __atomic_load_n(len_copy, __ATOMIC_ACQUIRE);
	uint64_t n = tally_slice_len(from);

	if (n < copy ||
	    (n && (n > cap ||
		   __atomic_load_n(&from->base, __ATOMIC_RELAXED) != base ||
		   __atomic_load_n(&from->cap, __ATOMIC_RELAXED) != cap)))
		return -EBADMSG;
	*len = n;
	return 0;
}

/*
 * Whether a bucket's header says that its cells are there: 1, 0. It is laid
 * word by word, len last, once they are: also one that says so in part only,
 * for it is being laid, or its maker died, or it lost its len.
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

static uint64_t nr_lines(const struct layout *l)
{
	return l->plan->row_bytes / sizeof(line);
}

/* The settled cells, in the copy that counts; holes are 0. Behind all rows
 * stands what gone ones have counted. *have: which copies
 * are known to exist. */
static void add_settled(const struct part *p, uint64_t state, uint64_t *have)
{
	const struct layout *l = p->s->layout;
	uint64_t nr_rows = p->to - p->from;
	uint32_t copy = state & 1;
	uint64_t offset =
		layout_copies_offset(l, p->node, copy, p->plane, p->bucket);

	if (!state)
		return;
	if (!(__atomic_load_n(have, __ATOMIC_RELAXED) >> copy & 1)) {
		if (!extent_begins(l, offset, l->plan->copy_bytes))
			return;
		__atomic_fetch_or(have, UINT64_C(1) << copy, __ATOMIC_RELAXED);
	}
	if (p->s->totals && nr_rows == LAYOUT_BUCKET_ROWS)
		nr_rows++;
	add_one(p->sums, l->origin + offset + p->from * l->plan->row_bytes,
		nr_rows, nr_lines(l));
}

/* Whether the bucket is touched in a lane, and not by a claim alone: 1, 0. */
static int is_touched(const struct part *p, uint32_t slot, uint32_t bank)
{
	const struct layout *l = p->s->layout;
	uint32_t lane = layout_lane_at(l, p->node, slot);
	struct tally_slice *record =
		tally_slice_at(l->origin, &p->s->records[p->node],
			       l->plan->record_bytes, slot);
	uint32_t slice = bank * l->header.params.nr_nodes + p->plane;
	uint64_t at = layout_headers_offset(l, lane, bank, p->plane);
	uint64_t *known = layout_known(l, lane, bank, p->plane);
	uint64_t cells = layout_cells_offset(l, lane, bank, p->plane, 0);
	uint64_t len;
	int err = load(&record[slice], &layout_record_lens(l, record)[slice],
		       at, l->plan->nr_buckets, &len);

	if (err || p->bucket >= len)
		return err;
	if (!extent_has(l, &known[0], at, sizeof(*record), p->bucket))
		return -EBADMSG;
	err = is_laid((const struct tally_slice *)(l->origin + at) + p->bucket,
		      cells + p->bucket * l->plan->bucket_bytes);
	if (err <= 0)
		return err;
	return extent_has_part(l, &known[1], cells, l->plan->bucket_bytes,
			       p->bucket);
}

static int look_anew(const struct part *p, uint64_t *seen, uint64_t touches)
{
	const struct layout *l = p->s->layout;
	uint64_t nr_words = layout_lane_words(l, p->node);

	for (uint32_t bank = 0; bank < LAYOUT_NR_BANKS; bank++) {
		uint64_t *set = seen + LAYOUT_SEEN_SETS + bank * nr_words;

		for (uint32_t s = 0; s < l->nodes[p->node].nr_lanes; s++) {
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

/* Every lane's headers of the bucket are looked at, unless nothing was touched
 * in the region since they were. */
static int look(const struct part *p, uint64_t **sets)
{
	const struct layout *l = p->s->layout;
	uint64_t *seen = layout_seen(l, p->node, p->plane, p->bucket);
	uint64_t touches =
		__atomic_load_n(&layout_region_head(l, p->node)->touches,
				__ATOMIC_ACQUIRE) +
		1;

	*sets = seen + LAYOUT_SEEN_SETS;
	if (__atomic_load_n(seen, __ATOMIC_ACQUIRE) == touches && touches)
		return 0;
	return touches ? look_anew(p, seen, touches) : -EBADMSG;
}

static void add_lanes(const struct part *p, const uint64_t *sets, uint32_t bank)
{
	const struct layout *l = p->s->layout;
	const struct layout_plan *plan = l->plan;
	uint64_t nr_words = layout_lane_words(l, p->node);
	uint64_t nr_planes = l->header.params.nr_nodes;
	const struct rows rows = {
		.lanes = l->cells + l->first_slot[p->node],
		.set = sets + bank * nr_words,
		.nr_words = nr_words,
		.offset = ((bank * nr_planes + p->plane) * plan->nr_buckets +
			   p->bucket) *
				  plan->bucket_bytes +
			  p->from * plan->row_bytes,
		.nr_rows = p->to - p->from,
		.nr_lines = nr_lines(l),
	};

	for (uint64_t w = 0; w < nr_words; w++) {
		if (!__atomic_load_n(&rows.set[w], __ATOMIC_RELAXED))
			continue;
		if (rows.nr_rows == 1 && rows.nr_lines == 1)
			add_line(p->sums, &rows);
		else
			add_set(p->sums, &rows);
		break;
	}
}

/* Rows' sums, most of which are a cache line. */
static void copy_sums(uint64_t *to, const uint64_t *from, uint64_t bytes)
{
	if (bytes == sizeof(line))
		memcpy(to, from, sizeof(line));
	else
		memcpy(to, from, bytes);
}

/* A set of banks, and the copy that the state names. */
static void add_banks(const struct part *p, uint64_t state, uint64_t *sets,
		      unsigned int banks)
{
	add_settled(p, state, sets - 1);
	for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++)
		if (banks >> b & 1)
			add_lanes(p, sets, b);
}

/* What gone accounts hold still of stocks is nobody's. */
static __attribute__((noinline)) void take_stocks(const struct part *p,
						  uint64_t gone, uint64_t state,
						  uint64_t *sets,
						  unsigned int banks)
{
	const struct layout *l = p->s->layout;
	uint64_t sums[512] __attribute__((aligned(64)));

	for (; gone; gone &= gone - 1) {
		struct part row = *p;

		row.from = (unsigned int)__builtin_ctzll(gone);
		row.to = row.from + 1;
		row.sums = sums;
		memset(sums, 0, l->plan->row_bytes);
		add_banks(&row, state, sets, banks);
		for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
			if (l->resources[i].kind == TALLY_STOCK)
				p->sums[i] -= sums[i];
	}
}

static void add_bucket(const struct part *p, uint64_t state, uint64_t *sets,
		       unsigned int banks)
{
	const struct sum *s = p->s;
	uint64_t gone =
		s->totals ? directory_gone(s->layout, p->bucket, s->frozen) : 0;

	add_banks(p, state, sets, banks);
	if (gone)
		take_stocks(p, gone, state, sets, banks);
}

/* The bucket's state, and where it is, or NULL: it was never settled. */
static int load_state(const struct part *p, const uint64_t **at,
		      uint64_t *state)
{
	const struct layout *l = p->s->layout;
	uint64_t states = layout_states_offset(l, p->node, p->plane);
	uint64_t len, word;
	int err = load(&layout_settled(l, p->node)[p->plane],
		       &layout_settled_lens(l, p->node)[p->plane], states,
		       l->plan->nr_buckets, &len);

	*at = NULL;
	*state = 0;
	if (err || p->bucket >= len)
		return err;
	if (!extent_has(l, layout_known_states(l, p->node, p->plane), states,
			sizeof(word), p->bucket))
		return -EBADMSG;
	*at = (const uint64_t *)(l->origin + states) + p->bucket;
	word = __atomic_load_n(*at, __ATOMIC_ACQUIRE);
	*state = layout_state(word);
	return layout_state_word(*state) == word ? 0 : -EBADMSG;
}

/* Whether it is as it was. */
static bool state_stands(const struct part *p, const uint64_t *at,
			 uint64_t state)
{
	if (at)
		return __atomic_load_n(at, __ATOMIC_ACQUIRE) ==
		       layout_state_word(state);
	return p->bucket >= tally_slice_len(&layout_settled(p->s->layout,
							    p->node)[p->plane]);
}

static int add_frozen(const struct part *p)
{
	const uint64_t *state_at;
	uint64_t state, *sets;
	int err = look(p, &sets);

	if (!err)
		err = load_state(p, &state_at, &state);
	if (err)
		return err;
	add_bucket(p, state, sets, 1u << ((p->s->frozen - 1) & 1));
	return 0;
}

/* False: it moves on, or is damaged. Each of these words follows the one that
 * is read after it, in at most one step. */
static bool load_epoch(const struct layout *l, uint64_t *epoch)
{
	const struct layout_control *c = layout_control(l);
	uint64_t folded = __atomic_load_n(&c->folded, __ATOMIC_ACQUIRE);
	uint64_t frozen = __atomic_load_n(&c->frozen, __ATOMIC_ACQUIRE);

	*epoch = __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
	return frozen - folded <= 1 && *epoch - frozen <= 1 &&
	       *epoch - folded <= 1;
}

/*
 * Live: the bank of the epoch before counts until the bucket is settled, which
 * is when the state says so. Should that happen while the bucket is read, it is
 * read again.
 */
static int add_live(const struct part *p)
{
	const struct layout *l = p->s->layout;
	uint64_t bytes = l->plan->row_bytes;
	uint64_t before[512];

	copy_sums(before, p->sums, bytes);
	for (int try = 0; try < MAX_TRIES; try++) {
		uint64_t epoch, state, *sets;
		const uint64_t *state_at;
		int err;

		if (!load_epoch(l, &epoch))
			continue;
		err = load_state(p, &state_at, &state);
		if (!err)
			err = look(p, &sets);
		if (err)
			return err;
		/* Settled after the epoch was read: its own bank is in it. */
		if (state >> 1 > epoch)
			continue;
		add_bucket(p, state, sets,
			   state >> 1 != epoch ? 3 : 1u << (epoch & 1));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (state_stands(p, state_at, state))
			return 0;
		copy_sums(p->sums, before, bytes);
	}
	return -EBADMSG;
}

/* A len, or more where there was more before. */
static uint64_t longest(const struct tally_slice *header, const uint64_t *copy)
{
	uint64_t before = __atomic_load_n(copy, __ATOMIC_RELAXED);
	uint64_t len = tally_slice_len(header);

	return len > before ? len : before;
}

/* The end of the buckets of a plane that any lane of the region touched. */
static uint64_t end_bucket(const struct sum *s, uint32_t node, uint32_t plane)
{
	const struct layout *l = s->layout;
	uint64_t end = longest(&layout_settled(l, node)[plane],
			       &layout_settled_lens(l, node)[plane]);

	for (uint32_t slot = 0; slot < l->nodes[node].nr_lanes; slot++) {
		struct tally_slice *record = layout_record(l, node, slot);
		const uint64_t *lens = layout_record_lens(l, record);

		for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++) {
			uint32_t i = b * l->header.params.nr_nodes + plane;
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
	uint64_t bytes = s->layout->plan->row_bytes;
	int err = 0;

	memset(sums, 0, sizeof(line));
	if (bytes > sizeof(line))
		memset(sums, 0, bytes);
	for (uint32_t n = 0; n < nr_nodes; n++) {
		if (!s->layout->nodes[n].nr_lanes)
			continue;
		for (uint32_t p = s->first_plane; p < s->end_plane && !err; p++)
			err = sum_plane(s, n, p, sums);
	}
	if (!err && !layout_is_whole(s->layout))
		err = -EBADMSG;
	if (!err)
		copy_sums((uint64_t *)amounts, sums,
			  s->layout->header.params.nr_resources *
				  sizeof(*amounts));
	return err;
}
