/* SPDX-License-Identifier: MIT */
/*
 * limit_prefetch: asks for the lines that a call is about to use, before it waits
 * for the lock. In a large ledger nearly none of them is in a cache; one after the
 * other they take some ten times as long as at once:
 *
 *   reservation ─> holdings ─┬─> capacity
 *                            └─> roster ─┬─> edits, entries
 *                                        └─> holding of the last entry
 *
 * Reads without the lock what others change: nothing follows from it but which
 * lines are asked for.
 */
#ifndef LIMIT_PREFETCH_H
#define LIMIT_PREFETCH_H

#include <numatally/limit.h>

#include "ledger/mapped.h"

/* What ends or changes the row's reservation. */
void limit_prefetch_row(const struct tally_ledger *ledger, uint32_t row);

/* What begins one. */
void limit_prefetch_demands(const struct tally_ledger *ledger, uint32_t row,
			    const struct tally_demand *demands,
			    unsigned int nr);

#endif
