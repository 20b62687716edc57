/* SPDX-License-Identifier: MIT */
/* reserved: reads what accounts have reserved, in any process. A reservation is
 * read whole or not at all. */
#ifndef FILE_RESERVED_H
#define FILE_RESERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "file/layout_limit.h"

/*
 * Around reads of words that other processes may change:
 *
 *	do {
 *		err = reserved_begin(layout, &read);
 *		...
 *	} while (reserved_again(layout, &read));
 *
 * -EAGAIN	a process that is changing words takes too long
 */
struct reserved_read {
	uint64_t sequence;
	unsigned int tries;
	int64_t until_ns; /* when to give up; 0: not set yet */
};
int reserved_begin(const struct layout *layout, struct reserved_read *read);
bool reserved_again(const struct layout *layout,
		    const struct reserved_read *read);

/* Whether anything was ever reserved. */
static inline bool reserved_any(const struct layout *layout)
{
	return __atomic_load_n(&layout_limits(layout)->sequence,
			       __ATOMIC_ACQUIRE) != 0;
}

/* Whether the row's reservation and quotas are of the account that has the row
 * now, and not left by one that is gone. */
bool reserved_is_current(const struct layout *layout, uint32_t row);

/*
 * Walk through what the row's reservation holds. The row's bucket must exist.
 *
 *	struct reserved_walk walk = reserved_holdings(layout, row);
 *
 *	while ((holding = reserved_next(layout, &walk)))
 *		...
 *
 * The current holding may be changed, and its place freed. A broken link ends
 * the list.
 */
struct reserved_walk {
	uint64_t row;  /* + 1 */
	uint64_t next; /* place + 1 */
	uint64_t nr;   /* places */
	uint32_t left; /* holdings at most, in a damaged file too */
};

/* Places of holdings that were ever used. */
static inline uint64_t reserved_nr_holdings(const struct layout *l)
{
	const struct layout_limits *limits = layout_limits(l);
	uint64_t exist =
		__atomic_load_n(&limits->holdings_exist, __ATOMIC_ACQUIRE);
	uint64_t nr = __atomic_load_n(&limits->nr_holdings, __ATOMIC_RELAXED);

	nr = nr < exist ? nr : exist;
	return nr < l->plan->holdings.count ? nr : l->plan->holdings.count;
}

/* The node and the row of a holding. They can be used as an index, also if another
 * process damages the file after they were checked. */
static inline uint32_t reserved_node(const struct layout *l,
				     const struct layout_holding *h)
{
	uint64_t node = __atomic_load_n(&h->node, __ATOMIC_RELAXED);

	return node < l->header.params.nr_nodes ? (uint32_t)node : 0;
}

static inline uint32_t reserved_row(const struct layout *l,
				    const struct layout_holding *h)
{
	uint64_t row =
		(__atomic_load_n(&h->row, __ATOMIC_RELAXED) & ~LAYOUT_DRAWN) -
		1;

	return row < l->header.params.max_accounts ? (uint32_t)row : 0;
}

static inline struct reserved_walk reserved_holdings(const struct layout *l,
						     uint32_t row)
{
	return (struct reserved_walk){
		.row = row + UINT64_C(1),
		.next = __atomic_load_n(&layout_reservation(l, row)->holding,
					__ATOMIC_RELAXED),
		.nr = reserved_nr_holdings(l),
		.left = l->header.params.nr_nodes,
	};
}

static inline struct layout_holding *reserved_next(const struct layout *l,
						   struct reserved_walk *walk)
{
	uint64_t place = walk->next - 1;
	struct layout_holding *h;

	if (place >= walk->nr || !walk->left--)
		return NULL;
	h = layout_holding(l, place);
	walk->next = __atomic_load_n(&h->next, __ATOMIC_RELAXED);
	return __atomic_load_n(&h->row, __ATOMIC_RELAXED) == walk->row &&
			       __atomic_load_n(&h->node, __ATOMIC_RELAXED) <
				       l->header.params.nr_nodes
		       ? h
		       : NULL;
}

/* Find what the row holds on the node; NULL: nothing. */
static inline struct layout_holding *
reserved_holding(const struct layout *l, uint32_t row, uint32_t node)
{
	struct reserved_walk walk = reserved_holdings(l, row);
	struct layout_holding *h;

	while ((h = reserved_next(l, &walk)))
		if (__atomic_load_n(&h->node, __ATOMIC_RELAXED) == node)
			return h;
	return NULL;
}

/* The row's family; NULL: it has none. The row's bucket must exist. */
static inline struct layout_family *reserved_family(const struct layout *l,
						    uint32_t row)
{
	return __atomic_load_n(layout_populated(l, row), __ATOMIC_ACQUIRE) &
			       LAYOUT_HAS_FAMILIES
		       ? layout_family(l, row)
		       : NULL;
}

/* A link to a row with a family: row + 1; 0: there is none, or it is broken. */
static inline uint32_t reserved_link(const struct layout *l, uint64_t link)
{
	return link && link <= l->header.params.max_accounts &&
			       reserved_family(l, (uint32_t)link - 1)
		       ? (uint32_t)link
		       : 0;
}

/* Row + 1 of the reservation that the row's is drawn from; 0: of none. */
static inline uint32_t reserved_parent(const struct layout *l, uint32_t row)
{
	const struct layout_family *f = reserved_family(l, row);

	return f ? reserved_link(l,
				 __atomic_load_n(&f->parent, __ATOMIC_RELAXED))
		 : 0;
}

/* Walk through what the children of the row's reservation have. */
static inline struct reserved_walk reserved_drawn(const struct layout *l,
						  uint32_t row)
{
	const struct layout_family *f = reserved_family(l, row);

	return (struct reserved_walk){
		.row = (row + UINT64_C(1)) | LAYOUT_DRAWN,
		.next = f ? __atomic_load_n(&f->drawn, __ATOMIC_RELAXED) : 0,
		.nr = reserved_nr_holdings(l),
		.left = l->header.params.nr_nodes,
	};
}

/* Find what the row's children have on the node; NULL: nothing. */
static inline struct layout_holding *
reserved_drawn_on(const struct layout *l, uint32_t row, uint32_t node)
{
	struct reserved_walk walk = reserved_drawn(l, row);
	struct layout_holding *h;

	while ((h = reserved_next(l, &walk)))
		if (__atomic_load_n(&h->node, __ATOMIC_RELAXED) == node)
			return h;
	return NULL;
}

/* What is left on the node of the row's reservation, that its children have
 * not. */
int64_t reserved_left(const struct layout *layout, uint32_t row, uint32_t node,
		      uint32_t resource);

/* Get the entries of the copy that a roster had at an edit, which are valid
 * unless the copy was changed since. The roster must exist. */
const uint64_t *reserved_roster(const struct layout *layout, uint32_t node,
				uint64_t edit, uint64_t *nr);

/* Whether the account in the row holds anything, or has idle credit. */
bool reserved_any_of(const struct layout *layout, uint32_t row);

/* Return a credit's idle amount: taken, but not held. To be called between
 * reserved_begin() and reserved_again(). */
int64_t reserved_idle(const struct layout *layout, uint64_t credit);
uint64_t reserved_nr_credits(const struct layout *layout);

/*
 * Add to amounts[nr_resources] what all accounts hold on the nodes of index
 * [first, end); or, if row is not NULL, what the account in that row holds.
 * Leave amounts unchanged on failure.
 *
 * -EAGAIN	as reserved_begin()
 * -EBADMSG	the file was cut short
 */
int reserved_add(const struct layout *layout, const uint32_t *row,
		 uint32_t first, uint32_t end, int64_t *amounts);

#endif
