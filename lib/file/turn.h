/* SPDX-License-Identifier: MIT */
/*
 * turn: a robust lock (file/robust.h) that processes take again and again.
 *
 * What follows another CPU's use of the lock takes many times as long as what
 * follows one's own: all that the lock protects lies in the other's cache. So a
 * waiter looks at the lock less and less often, and then sleeps for a while,
 * and the owner takes the lock many times meanwhile. One that waits for long
 * puts its name into a second word:
 *
 *	turn: who takes the lock next; 0: who comes first
 *
 * and while it is there, the others leave the lock to it. A turn that is not
 * taken for TURN_NS is void, since its thread may be dead or stopped: nobody
 * relies on it, and the lock is as robust as without.
 */
#ifndef FILE_TURN_H
#define FILE_TURN_H

#include "file/robust.h"

/* Take the lock if it is free and nobody's turn. */
static inline bool turn_try(const struct layout *layout, uint64_t *word,
			    const uint64_t *turn)
{
	return !__atomic_load_n(turn, __ATOMIC_RELAXED) &&
	       robust_try(layout, word);
}

/* Take the lock. Returns as robust_take(); robust_leave() releases it. */
int turn_take(const struct layout *layout, uint64_t *word, uint64_t *turn,
	      int64_t timeout_ns);

#endif
