/* SPDX-License-Identifier: MIT */
/*
 * limit_family: which reservation is drawn from which: struct layout_family. The
 * caller must hold the lock (limit/lock.h).
 */
#ifndef LIMIT_FAMILY_H
#define LIMIT_FAMILY_H

#include "file/reserved.h"
#include "ledger/mapped.h"

#define LIMIT_MAX_PARENTS 24 /* above a reservation */

/* Allocate the families of the row's bucket, which has reservations. -ENOSPC */
int limit_family_touch(struct tally_ledger *ledger, uint32_t row);

/* Make the row's reservation a child of the parent's. Both are touched. */
void limit_family_join(struct layout *layout, uint32_t row, uint32_t parent);

/* End that, if it is a child. It has no children itself. */
void limit_family_leave(struct layout *layout, uint32_t row);

/* Parents above the row's reservation, at most LIMIT_MAX_PARENTS + 1. */
unsigned int limit_family_height(const struct layout *layout, uint32_t row);

/* Find a reservation below the row's that has no children. -ENOENT: the row's
 * has none; -EBADMSG */
int limit_family_lowest(const struct layout *layout, uint32_t row,
			uint32_t *lowest);

/* Check that the row's reservation has what its children have: -EBUSY. */
int limit_family_check(const struct layout *layout, uint32_t row);

#endif
