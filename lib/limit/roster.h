/* SPDX-License-Identifier: MIT */
/*
 * limit_roster: the accounts on a node, as an array that can be read at any
 * time: see struct layout_roster. The caller must hold the lock (limit/lock.h).
 *
 * A transaction edits a roster once at most, when nothing can refuse it any
 * more. So no reader sees an account that gets nothing, and the copy to which
 * an undo leads back is whole.
 */
#ifndef LIMIT_ROSTER_H
#define LIMIT_ROSTER_H

#include "file/layout_limit.h"
#include "ledger/mapped.h"
#include "limit/lock.h"

/* Allocate memory for so many entries. -ENOSPC */
int limit_roster_room(struct tally_ledger *ledger, uint32_t node, uint64_t len);
uint64_t limit_roster_len(const struct layout *layout, uint32_t node);

/* Whether there is memory for one entry more: mostly. */
static inline bool limit_roster_has_room(const struct layout *l, uint32_t node)
{
	const struct layout_roster *r = layout_roster(l, node);
	uint64_t len;

	if (!__atomic_load_n(layout_roster_byte(l, node), __ATOMIC_ACQUIRE))
		return false;
	len = layout_copy_len(r, limit_get(&r->current));
	return len >> 1 <
	       (len & 1 ? limit_get(&r->exist) : LAYOUT_SHORT_ROSTER);
}

/* The entry of the account that has the row. */
uint64_t limit_roster_entry(const struct layout *layout, uint32_t row);

/* Enter the holding's account, or remove it. */
void limit_roster_add(struct layout *layout, struct layout_holding *holding);
void limit_roster_remove(struct layout *layout, struct layout_holding *holding);

/* Where the holding of the last entry most likely is; NULL: not known. */
const struct layout_holding *limit_roster_last(const struct layout *layout,
					       uint32_t node);

/* Make the roster anew, of these entries, for which there is room. This is no
 * change that can be undone. */
void limit_roster_make(struct layout *layout, uint32_t node,
		       const uint64_t *entries, uint64_t nr);

#endif
