/* SPDX-License-Identifier: MIT */
/* limit_reservation: reservations as they are in the file, and how they end.
 * The caller must hold the lock (limit/lock.h). */
#ifndef LIMIT_RESERVATION_H
#define LIMIT_RESERVATION_H

#include "limit/cells.h"

/* Find the reservation. -ESTALE: it has ended, or its lease has run out. */
int limit_reservation_find(struct tally_ledger *ledger,
			   struct tally_token token,
			   struct layout_reservation **reservation);

/* Whether its lease has run out, or that of a parent above it. */
bool limit_reservation_has_lapsed(const struct layout *layout, uint32_t row);

/* Find the cells in which the row's reservation counts. Errors as
 * limit_cells_of(). */
int limit_reservation_cells(struct tally_ledger *ledger, uint32_t row,
			    struct limit_cells *cells);

/* Start a reservation in the account's row, which has none. What it needs must
 * exist: limit_uncommitted_touch(), limit_reap_predecessor(). */
void limit_reservation_start(struct tally_ledger *ledger,
			     struct tally_account account, uint64_t state,
			     int64_t lease_ns, struct tally_token *token);

/* If it is uncommitted, begin its lease anew, as limit_reservation_start(). */
void limit_reservation_renew(struct tally_ledger *ledger, uint32_t row,
			     int64_t lease_ns);

/* Commit it, if it is uncommitted. */
void limit_reservation_commit(struct tally_ledger *ledger, uint32_t row);

/* Give back an amount. -ERANGE: the account holds less on the node. */
int limit_give_back(const struct limit_cells *cells, uint32_t node,
		    unsigned int resource, int64_t amount);

/* End it, with all that is drawn from it, and give back all that it holds: in
 * parts, if that takes more changes than can be undone. What the caller has
 * changed before is whole with the first part. */
int limit_reservation_end(struct tally_ledger *ledger, uint32_t row);

/* Draw the row's reservation from the parent's instead of from the nodes. The
 * caller undoes on failure. -EBUSY: the parent has not so much; -ENOSPC */
int limit_reservation_draw(struct tally_ledger *ledger, uint32_t row,
			   uint32_t parent);

/* Go on with an end in parts whose process died. */
int limit_reservation_recover(struct tally_ledger *ledger);

#endif
