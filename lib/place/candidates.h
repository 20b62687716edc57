/* SPDX-License-Identifier: MIT */
/*
 * Candidates. A decision goes through a machine's from the first to the last, so
 * what it reads of them lies together:
 *
 *	machine ──> entries, the most important first
 *	            ┌─────────┬─────────┬─────────┬───
 *	            │ rank    │ rank    │ rank    │      of the unit
 *	            │ unit    │ unit    │ unit    │
 *	            │ from, nr│ from, nr│ from, nr│
 *	            └────┼────┴────┼────┴─────────┴───
 *	        ──> ┌────v────┬────v─────────┬────────
 *	            │ amounts │ amounts      │           in no order
 *	            └─────────┴──────────────┴────────
 *
 * A candidate has an entry on each machine where it has something. A unit is a
 * group, or a candidate without one, and its entries on a machine are neighbours.
 * The arrays of candidates and units have holes, which are chained.
 */
#ifndef PLACE_CANDIDATES_H
#define PLACE_CANDIDATES_H

#include <numatally/place_room.h>

#include "place/map.h"

/* How important a candidate is. No two have the same rank. */
struct place_rank {
	int64_t start_ns;
	int32_t priority;
	struct tally_account account;
};

struct place_amount {
	uint32_t node; /* its index; in an entry: on its machine */
	unsigned int resource;
	int64_t amount;
};

struct place_candidate {
	struct place_rank rank;
	uint32_t unit;
	uint32_t next; /* of its unit, or hole; PLACE_NONE: no more */
	uint32_t budget;
	bool kept;
	unsigned int nr;	      /* 0: has no amounts */
	struct place_amount *amounts; /* by node */
};

struct place_unit {
	struct place_rank rank; /* of the most important member */
	uint32_t first;		/* member, or next hole */
	uint32_t group;		/* 0: of one candidate */
	bool kept;		/* some member is */
	bool budgeted;		/* some member has a budget */
};

struct place_entry {
	struct place_rank rank; /* of the unit */
	uint32_t unit, candidate;
	uint32_t from, nr; /* amounts */
	bool kept, budgeted;
};

struct place_home {
	struct place_entry *entries;
	struct place_amount *amounts;
	unsigned int nr_entries, cap_entries, nr_amounts, cap_amounts;
	unsigned int nr_budgeted, nr_kept; /* entries */
};

struct tally_candidates {
	struct tally_place place;
	uint32_t *machine;	  /* [node] */
	int64_t **held, *cells;	  /* [resource][node]: what candidates have */
	struct place_home *homes; /* [machine] */
	struct place_candidate *of;
	struct place_unit *units;
	unsigned int nr, cap, nr_units, cap_units;
	uint32_t hole, unit_hole; /* PLACE_NONE: none */
	struct place_map accounts, groups;
};

/* Below 0: a is more important. */
static inline int place_rank_order(const struct place_rank *a,
				   const struct place_rank *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->account.row != b->account.row)
		return a->account.row < b->account.row ? -1 : 1;
	if (a->account.generation != b->account.generation)
		return a->account.generation < b->account.generation ? -1 : 1;
	return 0;
}

static inline uint64_t place_key(struct tally_account account)
{
	return (uint64_t)account.row << 32 | account.generation;
}

/* Make room on machines for the entries of a candidate. -ENOMEM */
int place_homes_reserve(struct tally_candidates *c,
			const struct place_candidate *candidate);

/* Enter a candidate on its machines, under its unit's rank, for which there is
 * room; or remove it from there. */
void place_homes_enter(struct tally_candidates *c, uint32_t candidate);
void place_homes_leave(struct tally_candidates *c, uint32_t candidate);

#endif
