/* SPDX-License-Identifier: MIT */
/*
 * part: one bucket of one plane, in one region, while it is summed. Summing an
 * account visits every part that may have cells of it: so the code for each is
 * inlined, and short.
 */
#ifndef VIEW_BUCKET_H
#define VIEW_BUCKET_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "file/sparse.h"
#include "file/file.h"
#include "view/sum.h"

/* A cache line of cells. On every machine with 64-bit registers, loading one
 * never tears a cell that changes meanwhile. */
typedef uint64_t line __attribute__((vector_size(64), aligned(64), may_alias));

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define FOR_EACH_CPU \
	__attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

#define PART_INLINE static inline __attribute__((always_inline))

/* More folds than can happen while one bucket is read, unless a hostile writer
 * pretends so. */
#define PART_MAX_TRIES 1000

struct part {
	const struct sum *s;
	uint32_t node;
	uint32_t plane;
	uint64_t bucket;
	uint64_t from, to; /* rows in the bucket */
};

/* Which cells of a part count. */
struct part_found {
	const uint64_t *state_at; /* NULL: it was never folded */
	uint64_t state;
	uint64_t *sets; /* of lanes, by bank; see layout_seen() */
	unsigned int banks;
};

/* Read every lane's headers of the bucket, and fill in the sets. -EBADMSG */
int part_look(const struct part *part, uint64_t *seen, uint64_t touches);

/* Whether that copy of the folded cells exists. Remember it in *have if so. */
bool part_has_copy(const struct part *part, uint32_t copy, uint64_t *have);

PART_INLINE uint64_t part_lines(const struct layout *l)
{
	return l->plan->row_bytes / sizeof(line);
}

/* The bytes from a lane's first cell, of bank 0 and plane 0, to the
 * bucket's. */
PART_INLINE uint64_t part_cells(const struct part *p, uint32_t bank)
{
	const struct layout *l = p->s->layout;

	return (((uint64_t)bank * l->header.params.nr_planes + p->plane) *
			l->plan->nr_buckets +
		p->bucket) *
	       l->plan->bucket_bytes;
}

/* Load the len of a header in the file. The header must agree with the plan,
 * and its len must not be below the len's copy. */
PART_INLINE int part_load(const struct tally_slice *from,
			  const uint64_t *len_copy, uint64_t base, uint64_t cap,
			  uint64_t *len)
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

/* Find the sets; fill them in again if anything was touched in the region since
 * that was done. */
PART_INLINE int part_find_lanes(const struct part *p, struct part_found *f)
{
	const struct layout *l = p->s->layout;
	uint64_t *seen = layout_seen(l, p->node, p->plane, p->bucket);
	uint64_t touches =
		__atomic_load_n(&layout_region_head(l, p->node)->touches,
				__ATOMIC_ACQUIRE) +
		1;

	f->sets = seen + LAYOUT_SEEN_SETS;
	if (__atomic_load_n(seen, __ATOMIC_ACQUIRE) == touches && touches)
		return 0;
	return touches ? part_look(p, seen, touches) : -EBADMSG;
}

PART_INLINE int part_find_state(const struct part *p, struct part_found *f)
{
	const struct layout *l = p->s->layout;
	uint64_t states = layout_states_offset(l, p->node, p->plane);
	uint64_t len, word;
	int err = part_load(&layout_folded(l, p->node)[p->plane],
			    &layout_folded_lens(l, p->node)[p->plane], states,
			    l->plan->nr_buckets, &len);

	f->state_at = NULL;
	f->state = 0;
	if (err || p->bucket >= len)
		return err;
	if (!sparse_has(l, layout_known_states(l, p->node, p->plane), states,
			sizeof(word), p->bucket))
		return -EBADMSG;
	f->state_at = (const uint64_t *)(l->origin + states) + p->bucket;
	word = __atomic_load_n(f->state_at, __ATOMIC_ACQUIRE);
	f->state = layout_state(word);
	return layout_state_word(f->state) == word ? 0 : -EBADMSG;
}

/* Return false if the epoch advances just now, or is damaged. Each of these
 * words follows the one that is read after it, by at most 1. */
PART_INLINE bool part_load_epoch(const struct layout *l, uint64_t *epoch)
{
	const struct layout_control *c = layout_control(l);
	uint64_t folded = __atomic_load_n(&c->folded, __ATOMIC_ACQUIRE);
	uint64_t frozen = __atomic_load_n(&c->frozen, __ATOMIC_ACQUIRE);

	*epoch = __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
	return frozen - folded <= 1 && *epoch - frozen <= 1 &&
	       *epoch - folded <= 1;
}

/*
 * Find which cells count. In a live view, the bank of the epoch before counts
 * until the bucket's state says that it is folded. If that happens while the
 * bucket is read, part_stands() is false, and the caller reads again.
 *
 * -EAGAIN	the epoch advances just now
 * -EBADMSG	the file is damaged
 */
PART_INLINE int part_find(const struct part *p, struct part_found *f)
{
	uint64_t epoch = p->s->frozen - 1;
	int err;

	if (!p->s->frozen && !part_load_epoch(p->s->layout, &epoch))
		return -EAGAIN;
	err = part_find_state(p, f);
	if (!err)
		err = part_find_lanes(p, f);
	if (err)
		return err;
	f->banks = 1u << (epoch & 1);
	if (p->s->frozen)
		return 0;
	/* Folded after the epoch was read: its own bank is included. */
	if (f->state >> 1 > epoch)
		return -EAGAIN;
	if (f->state >> 1 != epoch)
		f->banks = 3;
	return 0;
}

/* The set of copies of folded cells that are known to exist. */
PART_INLINE uint64_t *part_copies(const struct part_found *f)
{
	return f->sets - 1;
}

PART_INLINE bool part_stands(const struct part *p, const struct part_found *f)
{
	if (p->s->frozen)
		return true;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (f->state_at)
		return __atomic_load_n(f->state_at, __ATOMIC_ACQUIRE) ==
		       layout_state_word(f->state);
	return p->bucket >=
	       tally_slice_len(&layout_folded(p->s->layout, p->node)[p->plane]);
}

#endif
