/* SPDX-License-Identifier: MIT */
/* A ledger file that is mapped, and where things lie in it. */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <numatally/region.h>
#include <numatally/slice.h>

#include "file/descriptor.h"
#include "file/layout.h"

/* A ledger file, mapped and checked. Pointers that are not into the file are to
 * memory of our own. */
struct layout {
	char *origin;
	const uint64_t *seal; /* in the file's last word */
	struct descriptor *file;
	void *kept;	/* a mapping; see file/writer.h */
	uint64_t owner; /* this process's owner word; 0: it has no slot */
	bool unshared; /* a private file, of which this process needs no lock */
	bool writable;
	bool stale;    /* created before this boot */
	bool too_many; /* changes under the lock of limits: limit/lock.h */
	struct layout_header header;
	const struct layout_plan *plan; /* &header.plan */
	struct layout_node *nodes;
	struct layout_machine *machines;
	uint32_t *first_node;	     /* by machine, and the end */
	struct layout_place *places; /* by plane */
	struct layout_lane *lanes;
	struct layout_resource *resources;
	struct tally_region *regions; /* by plane */
	uint32_t *by_slot;	      /* lanes, region by region */
	uint32_t *first_slot;	      /* in by_slot, by plane */
	char **cells; /* as by_slot: the first cell, of bank 0 and plane 0 */
	/* As by_slot: the bytes to the next lane's first cell, if the next
	 * LAYOUT_EVEN_LANES lanes lie evenly; else 0. */
	uint64_t *steps;
	uint64_t *seen; /* see layout_seen() */
	uint64_t seen_bytes;
	uint64_t *first_seen; /* in seen, by plane */
	uint64_t *known;      /* in seen; see layout_known() */
};

/* What a new file is to have, as struct layout has it. */
struct layout_content {
	struct layout_params params;
	struct layout_node *nodes;
	struct layout_machine *machines;
	struct layout_lane *lanes; /* as layout_place() takes them */
	struct layout_resource *resources;
};
void layout_content_free(struct layout_content *content);

/*
 * Fill the empty file in fd and map it. The file is not ready until
 * layout_publish(). Take over fd and the content, whose arrays are from malloc();
 * on failure too.
 */
int layout_create(int fd, const struct layout_content *content,
		  struct layout **layout);
void layout_publish(struct layout *layout);

/* Map the file in fd and check it; errors as tally_reader_open(); -EROFS: it is
 * to be writable, and is a saved one. Take over fd, on failure too. */
int layout_map(int fd, bool writable, struct layout **layout);
void layout_unmap(struct layout *layout);

/* Populate a part of a region in the file. Errors as tally_region_populate();
 * -EBADF as descriptor_get(). */
int layout_populate(const struct layout *layout,
		    const struct tally_region *region, size_t offset,
		    size_t bytes);

/* Return the index of the node with this number, or -ENOENT. */
int layout_node_index(const struct layout *layout, int node);

/* Whether the file is whole. If so, all that was read of it before is valid. */
static inline bool layout_is_whole(const struct layout *l)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(l->seal, __ATOMIC_RELAXED) == LAYOUT_SEAL;
}

static inline struct layout_control *layout_control(const struct layout *l)
{
	return (struct layout_control *)(l->origin + l->plan->control_offset);
}

static inline struct layout_thread *layout_thread(const struct layout *l,
						  uint32_t thread)
{
	const struct layout_table *table = &l->plan->threads;

	return (struct layout_thread *)(l->origin + table->offset +
					thread * table->stride);
}

/* Thread slots that were ever used. */
static inline uint32_t layout_nr_threads(const struct layout *l)
{
	uint32_t n = __atomic_load_n(&layout_control(l)->nr_threads,
				     __ATOMIC_ACQUIRE);

	return n < LAYOUT_NR_THREADS ? n : LAYOUT_NR_THREADS;
}

/* The number of the slot-th lane in a node's region. */
static inline uint32_t layout_lane_at(const struct layout *l, uint32_t node,
				      uint32_t slot)
{
	return l->by_slot[l->first_slot[node] + slot];
}

/* Raise a word that only grows. */
static inline void layout_raise(uint64_t *word, uint64_t to)
{
	uint64_t n = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (n < to &&
	       !__atomic_compare_exchange_n(word, &n, to, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* Raise the len of a slice in the file, which lies over cap elements at base.
 * -EBADMSG: its header is damaged. Checked mode would end the process. */
static inline int layout_grow(struct tally_slice *s, uint64_t base,
			      uint64_t cap, uint64_t len)
{
	if (__atomic_load_n(&s->base, __ATOMIC_RELAXED) != base ||
	    __atomic_load_n(&s->cap, __ATOMIC_RELAXED) != cap ||
	    tally_slice_len(s) > cap || tally_slice_grow(s, len))
		return -EBADMSG;
	return 0;
}

/*
 * A bucket's state: the epoch of its last fold << 1 | the valid copy of its
 * folded cells; 0 before the first fold. The word has a check above the state,
 * by which damage shows.
 */
#define LAYOUT_STATE_SHIFT 48
static inline uint64_t layout_state_word(uint64_t state)
{
	uint64_t check = state * UINT64_C(0x9e3779b97f4a7c15);

	return state |
	       ((check >> LAYOUT_STATE_SHIFT ^ 0xa5c3) << LAYOUT_STATE_SHIFT);
}

static inline uint64_t layout_state(uint64_t word)
{
	return word & ((UINT64_C(1) << LAYOUT_STATE_SHIFT) - 1);
}

/* The slices over a node's bucket states, one for each plane. */
static inline struct tally_slice *layout_folded(const struct layout *l,
						uint32_t node)
{
	return (struct tally_slice *)(l->origin +
				      l->places[node].region_offset +
				      LAYOUT_LINE);
}

/* The copies of these slices' lens. */
static inline uint64_t *layout_folded_lens(const struct layout *l,
					   uint32_t node)
{
	return (uint64_t *)(layout_folded(l, node) +
			    l->header.params.nr_planes);
}

/* The record of the slot-th lane in a node's region: slices over bucket
 * headers, [bank][plane]. */
static inline struct tally_slice *layout_record(const struct layout *l,
						uint32_t node, uint32_t slot)
{
	return (struct tally_slice *)((char *)layout_folded(l, node) +
				      l->plan->folded_bytes +
				      slot * l->plan->record_bytes);
}

/* The copies of a lane record's lens. */
static inline uint64_t *layout_record_lens(const struct layout *l,
					   struct tally_slice *record)
{
	return (uint64_t *)(record + (size_t)LAYOUT_NR_BANKS *
					     l->header.params.nr_planes);
}

/* The offset of a node's folded area in the file. */
static inline uint64_t layout_folded_offset(const struct layout *l,
					    uint32_t node)
{
	return l->places[node].region_offset + l->places[node].folded_offset;
}

/* The offset of a plane's bucket states, which are first in that area. */
static inline uint64_t layout_states_offset(const struct layout *l,
					    uint32_t node, uint32_t plane)
{
	return layout_folded_offset(l, node) +
	       plane * l->plan->nr_buckets * sizeof(uint64_t);
}

/* A thread's add in flight, in the region of a node. */
static inline struct layout_inflight *
layout_inflight(const struct layout *l, uint32_t node, uint32_t thread)
{
	return (struct layout_inflight *)(l->origin +
					  l->places[node].region_offset +
					  l->places[node].inflight_offset +
					  (uint64_t)thread * LAYOUT_LINE);
}

#define LAYOUT_INFLIGHT_SHIFT  27
#define LAYOUT_EPOCH_WORD_BANK (UINT64_C(1) << LAYOUT_INFLIGHT_SHIFT)

/* The epoch as words in flight hold it. Adds read it in this form, so that such
 * a word takes one addition. */
static inline uint64_t layout_epoch_word(uint64_t epoch)
{
	return epoch << LAYOUT_INFLIGHT_SHIFT;
}

static inline uint64_t layout_inflight_word(uint64_t epoch_word, uint32_t row)
{
	return epoch_word | (uint64_t)row << 1 | 1;
}

/* Whether an add is in flight, of another epoch. A word holds the lower bits of
 * its epoch, which don't repeat while a thread stands still. */
static inline bool layout_inflight_differs(uint64_t word, uint64_t epoch)
{
	return word && ((word >> LAYOUT_INFLIGHT_SHIFT ^ epoch) &
			UINT64_MAX >> LAYOUT_INFLIGHT_SHIFT) != 0;
}

static inline uint32_t layout_inflight_row(uint64_t word)
{
	return (uint32_t)(word >> 1) & (LAYOUT_MAX_ACCOUNTS - 1);
}

static inline struct layout_region_head *
layout_region_head(const struct layout *l, uint32_t node)
{
	return (struct layout_region_head *)(l->origin +
					     l->places[node].region_offset);
}

/* The words of a set of the lanes in a node's region. */
static inline uint64_t layout_lane_words(const struct layout *l, uint32_t node)
{
	return (l->places[node].nr_lanes + 63) / 64;
}

/*
 * What this process knows of a bucket, so that it need not read every lane's
 * header again: touches at that time, plus 1; the set of folded copies that
 * exist; and, for each bank, the set of slots whose header is valid and
 * touched.
 */
#define LAYOUT_SEEN_SETS 2u
static inline uint64_t *layout_seen(const struct layout *l, uint32_t node,
				    uint32_t plane, uint64_t bucket)
{
	return l->seen + l->first_seen[node] +
	       (plane * l->plan->nr_buckets + bucket) *
		       (LAYOUT_SEEN_SETS +
			LAYOUT_NR_BANKS * layout_lane_words(l, node));
}

/* What is known to exist (see file/sparse.h) of the accounts' records; of a
 * lane's headers, and of its cells; and of a node's bucket states. */
static inline uint64_t *layout_known_rows(const struct layout *l)
{
	return l->known;
}

static inline uint64_t *layout_known(const struct layout *l, uint32_t lane,
				     uint32_t bank, uint32_t plane)
{
	uint64_t nr_planes = l->header.params.nr_planes;

	return l->known + 1 +
	       2 * ((lane * (uint64_t)LAYOUT_NR_BANKS + bank) * nr_planes +
		    plane);
}

static inline uint64_t *layout_known_states(const struct layout *l,
					    uint32_t node, uint32_t plane)
{
	return layout_known(l, l->header.params.nr_lanes, 0, 0) +
	       (uint64_t)node * l->header.params.nr_planes + plane;
}

/* Offsets in the file, by the plan. */
uint64_t layout_headers_offset(const struct layout *layout, uint32_t lane,
			       uint32_t bank, uint32_t plane);
uint64_t layout_cells_offset(const struct layout *layout, uint32_t lane,
			     uint32_t bank, uint32_t plane, uint64_t bucket);
uint64_t layout_copies_offset(const struct layout *layout, uint32_t node,
			      uint32_t copy, uint32_t plane, uint64_t bucket);

#endif
