/* SPDX-License-Identifier: MIT */
/*
 * The columns of a ledger: its resources, in the order in which they were
 * declared. Those that it was made with are in the part that is written once.
 * Columns that were left spare get one each, in their order:
 *
 *  spares                              nr_declared: 2 << 1
 *  ┌─────────────┬─────────────┬───────┬───────┐
 *  │ description │ description │ spare │ spare │
 *  └─────────────┴─────────────┴───────┴───────┘
 *
 * A process with the lock of limits sets capacities and writes the description;
 * then it sets the quotas and the lowest bit of the number, as a change that is
 * undone if the process is killed; and once that is kept, it adds 1 to the number,
 * or the next owner of the lock does. So every other process finds all of it or
 * nothing. A description never changes after that, and the number only grows. See
 * tests/models/declare.pml.
 */
#ifndef FILE_COLUMN_H
#define FILE_COLUMN_H

#include "file/layout_limit.h"

/* How many columns have a resource. */
static inline uint32_t column_nr(const struct layout *l)
{
	uint64_t nr = __atomic_load_n(&layout_limits(l)->nr_declared,
				      __ATOMIC_ACQUIRE);
	uint32_t spare = l->header.params.nr_spare;

	nr /= 2;
	return (uint32_t)l->plan->resources.count +
	       (nr < spare ? (uint32_t)nr : spare);
}

uint32_t column_declared_kind(const struct layout *layout, uint32_t column);

/* An enum tally_kind, or 0 if the column has no resource. */
static inline uint32_t column_kind(const struct layout *l, uint32_t column)
{
	return column < l->plan->resources.count
		       ? l->resources[column].kind
		       : column_declared_kind(l, column);
}

/* -ENOENT: the column has no resource; -EBADMSG: its description is damaged. */
int column_read(const struct layout *layout, uint32_t column,
		struct layout_resource *resource);

/* Return the column of a name; errors as column_read(). */
int column_find(const struct layout *layout, const char *name,
		struct layout_resource *resource);

/* Describe this resource in a spare column, the first one. The caller has the lock
 * of limits. */
void column_describe(struct layout *layout, uint32_t column,
		     const struct layout_resource *resource);

/* Declare what was described, if the lowest bit of the number is set. The caller
 * has the lock of limits. */
void column_declare(struct layout *layout);

#endif
