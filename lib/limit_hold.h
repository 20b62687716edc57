/* SPDX-License-Identifier: MIT */
/* limit_hold: reservations as they are in the file, and how they end. All of it
 * under the lock (limit_lock.h). */
#ifndef LIMIT_HOLD_H
#define LIMIT_HOLD_H

#include "limit_cells.h"

/* The reservation, or -ESTALE: it is gone, or its lease has run out. */
int limit_hold_find(struct tally_ledger *ledger, struct tally_token token,
		    struct layout_hold **hold);

/* A new one in the account's row, over nodes (as struct layout_hold has them),
 * which has none; in the list of those that are uncommitted, if it is. */
void limit_hold_start(struct tally_ledger *ledger, struct tally_account account,
		      uint64_t state, uint64_t nodes, int64_t lease_ns,
		      struct tally_token *token);

/* Is uncommitted no more. */
void limit_hold_commit(struct tally_ledger *ledger, uint32_t row);

/* Ends it, with all that it holds; or only where it holds nothing. */
int limit_hold_end(struct tally_ledger *ledger, uint32_t row);
int limit_hold_end_empty(struct tally_ledger *ledger, uint32_t row);

/* Ends the row's, if it is uncommitted and its lease has run out, or its
 * process is dead. 1: it has ended. */
int limit_hold_reap(struct tally_ledger *ledger, uint32_t row);

/* The same for all rows, and keeps what that sets. How many have ended; their
 * processes are looked at only if that was long ago, or they must be. */
int limit_hold_reap_all(struct tally_ledger *ledger, bool processes);

/* Makes what is idle of a resource free, and what is to be reaped. How many of
 * both there were. */
int limit_make_free(struct tally_ledger *ledger, unsigned int resource);

/* Of a ledger that is being opened: the tables of holds and quotas, and what
 * others that have died left, unless somebody is at it. */
int limit_hold_open(struct tally_ledger *ledger);

#endif
