/* SPDX-License-Identifier: MIT */
/*
 * limit_cells: the words in which an amount counts, and the limits on them.
 * Changing them needs the lock (limit/lock.h).
 *
 *   capacity of (node, resource) ── holding of (node, account)
 *   quota of (account, resource) ── quota of each account above it that has one
 *
 * Of a reservation that is drawn from another one, the parent's:
 *
 *   drawn holding of (node, parent) ── holding of (node, account)
 */
#ifndef LIMIT_CELLS_H
#define LIMIT_CELLS_H

#include <numatally/limit.h>

#include "ledger/mapped.h"
#include "limit/lock.h"

#define LIMIT_MAX_ABOVE 24 /* '/' in a key that has others below it */

/* An account, and the accounts above it that have quotas; or a reservation that
 * is drawn from another one. */
struct limit_cells {
	struct tally_ledger *ledger;
	struct layout *layout;
	uint32_t parent; /* row + 1; 0: it is drawn from the nodes */
	unsigned int nr_rows;
	uint32_t rows[1 + LIMIT_MAX_ABOVE]; /* its own first */
};

/* A limit, from its word in the file: limit + 1, or 0 for none. */
static inline int64_t limit_value(uint64_t word)
{
	return word ? (int64_t)(word - 1) : TALLY_LIMIT_NONE;
}

/* Whether the resource exists and is reservable. */
bool limit_is_reservable(const struct tally_ledger *ledger,
			 unsigned int resource);

/* The account whose reservation and quotas the row has. */
struct tally_account limit_account_in(const struct tally_ledger *ledger,
				      uint32_t row);

bool limit_is_ending(const struct tally_ledger *ledger,
		     struct tally_account account);

/* Note that the account in the row may hold nothing any more. If it is
 * terminating, limit_finish() tells the directory. */
void limit_note(struct tally_ledger *ledger, uint32_t row);

/* Check that the account may hold more: -ESTALE, -ESHUTDOWN. */
int limit_check_account(const struct tally_ledger *ledger,
			struct tally_account account);

/* The same once more, after the account's amounts were changed: it may have been
 * ended meanwhile. Then note it. */
int limit_look_again(struct tally_ledger *ledger, struct tally_account account);

/* Allocate the row's reservation and quotas, and clear what an account that is
 * gone left in them. */
int limit_touch(struct tally_ledger *ledger, struct tally_account account);

/* Find the account's cells. -ESTALE, -EBADMSG */
int limit_cells_of(struct tally_ledger *ledger, struct tally_account account,
		   struct limit_cells *cells);

/* Find the cells of a reservation of the row that is drawn from that of the
 * parent (row + 1). */
void limit_cells_drawn(struct tally_ledger *ledger, uint32_t row,
		       uint32_t parent, struct limit_cells *cells);

/* Whether the account in the row ever had a quota. From the first one on, its
 * quotas count what the accounts below it hold, too. */
bool limit_had_quota(const struct layout *layout, uint32_t row);

/* Add to what the account holds, wherever that counts. holding: the account's
 * on the node; NULL: a credit has the amount. -EOVERFLOW: 63 bits are not
 * enough; then the caller must undo. */
int limit_cells_change(const struct limit_cells *cells,
		       struct layout_holding *holding, uint32_t node,
		       unsigned int resource, int64_t amount);

/*
 * Add an amount that is not negative if all limits allow it, and raise the
 * peaks. If it is refused, the caller must undo.
 *
 * -ENOSPC	the node's capacity, or the parent, refuses it
 * -EDQUOT	a quota refuses it, of the account in *row
 */
int limit_cells_reserve(const struct limit_cells *cells,
			struct layout_holding *holding, uint32_t node,
			unsigned int resource, int64_t amount, uint32_t *row);
/* Check what counts there against the node's capacity, and against all quotas,
 * as asked. Errors as limit_cells_reserve(). */
int limit_cells_check(const struct limit_cells *cells, uint32_t node,
		      unsigned int resource, bool of_node, bool quotas,
		      uint32_t *row);
/* Add an amount, and raise the peaks, without regard to limits. -ENOSPC: 63
 * bits are not enough; then the caller must undo. */
int limit_cells_adopt(const struct limit_cells *cells,
		      struct layout_holding *holding, uint32_t node,
		      unsigned int resource, int64_t amount);

#endif
