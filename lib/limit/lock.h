/* SPDX-License-Identifier: MIT */
/*
 * limit_lock: the lock of a ledger's limits. If its owner dies, its changes are
 * undone: see struct layout_limits.
 *
 *   lock -> set, set, … -> keep ┐            killed before a keep: undone
 *             └── undo ─────────┴-> unlock   killed after it: done
 */
#ifndef LIMIT_LOCK_H
#define LIMIT_LOCK_H

#include <stdint.h>

#include "file/layout_limit.h"

/* Take the lock, as the process that has layout->owner. With wait, try for at
 * most TALLY_LIMIT_WAIT_NS. -EAGAIN: another process has it; -EBADMSG: the undo
 * table is damaged. */
int limit_lock(struct layout *layout, bool wait);
/* Release the lock. Every change must be kept or undone before. */
void limit_unlock(struct layout *layout);

/*
 * Change a word of the file. Only a damaged file makes more than LAYOUT_NR_UNDO
 * changes before they are kept or undone: from the first one too many on until
 * the lock is released, limit_state() is -EBADMSG, nothing is changed, and
 * keeping undoes.
 */
void limit_set(struct layout *layout, void *word, uint64_t value);
void limit_keep(struct layout *layout);
/* The same, while readers go on to wait for what follows. */
void limit_keep_part(struct layout *layout);
void limit_undo(struct layout *layout);
int limit_state(const struct layout *layout);

static inline uint64_t limit_get(const void *word)
{
	return __atomic_load_n((const uint64_t *)word, __ATOMIC_RELAXED);
}

#endif
