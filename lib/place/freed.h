/* SPDX-License-Identifier: MIT */
/*
 * A machine without some of its candidates: what is free there then, and whether
 * the request fits. To fit is what tally_place_fit() says. What is free changes in
 * small steps, so that it can be known by less:
 *
 *	TOTALS	nodes don't matter: enough is free in sum
 *	NODE	one part, on one node: some node has enough
 *	PARTS	all else: place_take() says; and what fitted fits on, as long as
 *		each node has what the parts took of it, and none got more: the
 *		search takes the first set of nodes that will do, and those
 *		before it still will not
 */
#ifndef PLACE_FREED_H
#define PLACE_FREED_H

#include "place/candidates.h"
#include "place/internal.h"

enum place_way {
	PLACE_TOTALS,
	PLACE_NODE,
	PLACE_PARTS,
};

struct place_freed {
	struct place_fitting fitting;
	const uint8_t *row_of;	  /* [resource]; PLACE_ROWS: none */
	enum place_way way, here; /* of the request; on this machine */
	bool monotone;		  /* what fits, fits where more is free */
	bool on_nodes; /* PARTS: each needs a node, whichever has enough */
	bool taken;    /* used[][] is set */
	uint64_t look; /* nodes that changed since they were looked at */
	uint64_t fits; /* NODE: that have enough */
	int64_t has[PLACE_ROWS][PLACE_NODES];
	int64_t used[PLACE_ROWS][PLACE_NODES];
};

/* The fitting has begun. */
void place_freed_begin(struct place_freed *freed);

/* Whether the machine, or a node of it, could have enough if all candidates were
 * released: what it has then is at most free and held. */
bool place_freed_could(const struct place_freed *freed, int64_t *const *held,
		       uint32_t machine);

/* Begin with a machine with all of its candidates, or without any. Errors as
 * place_load(). */
int place_freed_load(struct place_freed *freed, int64_t *const *held,
		     uint32_t machine, bool without);

/* Release what an entry has (sign 1), or bring it back (-1). */
static inline void place_freed_change(struct place_freed *freed,
				      const struct place_home *home,
				      const struct place_entry *entry, int sign)
{
	const struct place_amount *a = &home->amounts[entry->from];

	for (uint32_t i = 0; i < entry->nr; i++) {
		unsigned int row = freed->row_of[a[i].resource], n = a[i].node;

		if (row == PLACE_ROWS ||
		    !(freed->fitting.machine.kept >> n & 1))
			continue;
		freed->has[row][n] += sign * a[i].amount;
		freed->look |= UINT64_C(1) << n;
	}
}

/* Whether each part would fit if it were alone; if not, then not with less free
 * either, whatever the policy. */
bool place_freed_might_fit(struct place_freed *freed);

/* Whether the request fits: 0, -ENOSPC, or another error of place_take(). */
int place_freed_fits(struct place_freed *freed);

/* Take the parts, which fit. Errors as place_take(). */
int place_freed_take(struct place_freed *freed);

#endif
