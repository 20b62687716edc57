/* SPDX-License-Identifier: MIT */
/*
 * limit_lock: the lock of a ledger's limits, and what is put back where its
 * holder dies: see struct layout_limits.
 *
 *   lock -> set, set, … -> keep ┐            killed before a keep: undone
 *             └── undo ─────────┴-> unlock   killed behind it: done
 */
#ifndef LIMIT_LOCK_H
#define LIMIT_LOCK_H

#include <stdint.h>

#include "layout_limit.h"

/* As the process in that writer slot. With wait: for at most
 * TALLY_LIMIT_WAIT_NS. -EAGAIN: somebody else has it; -EBADMSG: as
 * numatally/limit.h says. */
int limit_lock(struct layout *layout, uint32_t writer, bool wait);
/* Nothing may be set that is not kept or undone. */
void limit_unlock(struct layout *layout, uint32_t writer);

/* Who has just taken that slot does not have the lock, though one before may
 * have died with it. */
void limit_lock_join(struct layout *layout, uint32_t writer);

/* Changes a word of the file. As many as LAYOUT_NR_UNDO at once. */
void limit_set(struct layout *layout, void *word, uint64_t value);
void limit_keep(struct layout *layout);
void limit_undo(struct layout *layout);

static inline uint64_t limit_get(const void *word)
{
	return __atomic_load_n((const uint64_t *)word, __ATOMIC_RELAXED);
}

#endif
