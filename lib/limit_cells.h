/* SPDX-License-Identifier: MIT */
/*
 * limit_cells: the words that an amount counts in, and the limits on them. All
 * of it under the lock (limit_lock.h).
 *
 *   capacity of (node, resource) ── held row of (node, account)
 *   quota of (account, resource) ── quota of each account above it that has one
 */
#ifndef LIMIT_CELLS_H
#define LIMIT_CELLS_H

#include <numatally/limit.h>

#include "ledger_internal.h"
#include "limit_lock.h"

#define LIMIT_MAX_ABOVE 24 /* '/' in a key that covers those below it */

/* An account, and those above it that have quotas. */
struct limit_cells {
	struct tally_ledger *ledger;
	struct layout *layout;
	bool direct; /* without the held row: of a credit */
	unsigned int nr_rows;
	uint32_t rows[1 + LIMIT_MAX_ABOVE]; /* its own first */
};

/* A limit as it is in the file: + 1, and 0 for none. */
static inline int64_t limit_value(uint64_t word)
{
	return word ? (int64_t)(word - 1) : TALLY_LIMIT_NONE;
}

/* Takes the lock, after joining the ledger in a child of fork; keeps what was
 * set, or undoes it where err is not 0, lets go, and returns err. */
int limit_begin(struct tally_ledger *ledger);
int limit_finish(struct tally_ledger *ledger, int err);

/* Whether the resource is one, and a stock. */
bool limit_is_stock(const struct tally_ledger *ledger, unsigned int resource);

/* The account in the row may hold nothing any more: if it is ending, it may be
 * gone, once the lock is free. */
void limit_note(struct tally_ledger *ledger, uint32_t row);

/* Whether it may hold more: -ESTALE, -ESHUTDOWN. */
int limit_check_account(const struct tally_ledger *ledger,
			struct tally_account account);

/* Makes the row's hold and quotas exist, and those of this account, rather than
 * what one left that is gone; or its held row on a node. */
int limit_touch(struct tally_ledger *ledger, struct tally_account account);
int limit_touch_node(struct tally_ledger *ledger, uint32_t node, uint32_t row);

/* -ESTALE, -EBADMSG */
int limit_cells_of(struct tally_ledger *ledger, struct tally_account account,
		   struct limit_cells *cells);

/* Whether a quota of the row was ever set, from where on those below count. */
bool limit_had_quota(const struct layout *layout, uint32_t row);

/* Changes what the account holds, wherever that counts. -EOVERFLOW: 63 bits are
 * not enough; what was set is to be undone. */
int limit_cells_change(const struct limit_cells *cells, uint32_t node,
		       unsigned int resource, int64_t amount);

/*
 * The same for an amount that is not negative, if all limits allow it; peaks
 * follow. -ENOSPC, -EDQUOT: refused, in which case *row is whose quota it was;
 * what was set is to be undone.
 */
int limit_cells_reserve(const struct limit_cells *cells, uint32_t node,
			unsigned int resource, int64_t amount, uint32_t *row);
/* The same, whatever the limits say. */
int limit_cells_adopt(const struct limit_cells *cells, uint32_t node,
		      unsigned int resource, int64_t amount);

#endif
