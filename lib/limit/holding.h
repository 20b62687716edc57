/* SPDX-License-Identifier: MIT */
/*
 * limit_holding: what accounts have on nodes, as records on a list of their
 * reservation. The caller must hold the lock (limit/lock.h).
 */
#ifndef LIMIT_HOLDING_H
#define LIMIT_HOLDING_H

#include "file/reserved.h"
#include "ledger/mapped.h"

/* Allocate places for as many holdings as a request makes, and an entry in the
 * node's roster. -ENOSPC */
int limit_holding_room(struct tally_ledger *ledger, uint32_t node);

/* Find what the row holds on the node, or make an empty holding there.
 * NULL: there is no place. */
struct layout_holding *limit_holding_make(struct tally_ledger *ledger,
					  uint32_t row, uint32_t node);

/* The same of what the row's children have there. The row has a family. */
struct layout_holding *limit_holding_draw(struct tally_ledger *ledger,
					  uint32_t row, uint32_t node);

bool limit_holding_is_empty(const struct layout *layout,
			    const struct layout_holding *holding);

/* Once nothing can refuse the transaction: enter the row's new holdings in their
 * nodes' rosters, and remove those that are empty; free their places, but for a
 * few. Free those of the row's parent that become empty thereby. Return how many
 * are not empty. */
uint32_t limit_holding_finish(struct tally_ledger *ledger, uint32_t row);

#endif
