/* SPDX-License-Identifier: MIT */
/* limit_uncommitted: which reservations are uncommitted, by process and by lease
 * (file/layout_limit.h). The caller must hold the lock (limit/lock.h). */
#ifndef LIMIT_UNCOMMITTED_H
#define LIMIT_UNCOMMITTED_H

#include "ledger/mapped.h"

/* Allocate what one more with a lease needs. Errors as layout_populate(). */
int limit_uncommitted_touch(struct tally_ledger *ledger);

/* Add the row's reservation, of which all else is set; follow a change of its
 * deadline; and remove it. */
void limit_uncommitted_add(struct layout *layout, uint32_t row);
void limit_uncommitted_renew(struct layout *layout, uint32_t row);
void limit_uncommitted_remove(struct layout *layout, uint32_t row);

/* Get the first one of a writer slot, whose owner all of them have. -ENOENT:
 * there is none; -EBADMSG */
int limit_uncommitted_of(const struct layout *layout, uint32_t slot,
			 uint32_t *row);

/* Whether there is any. */
bool limit_uncommitted_any(const struct layout *layout);

/* The slot in an owner word; LAYOUT_NR_WRITERS or more: it is damaged. */
static inline uint32_t limit_uncommitted_slot(uint64_t owner)
{
	return (uint32_t)owner - 1;
}

#endif
