/* SPDX-License-Identifier: MIT */
/*
 * limit_room: tells threads that wait for room, in any process, that some was
 * made, and those that watch (numatally/watch.h) that amounts or limits changed.
 * Nobody waits: it costs a load of a word beside the lock.
 *
 *   one that waits			one that makes room
 *   --------------			-------------------
 *   read made				take the lock
 *   set its bit in awaited		change amounts or limits
 *   take the lock			if an awaited bit is of that room:
 *   ask: refused			    clear these bits, then made + 1
 *   release the lock			release the lock
 *   sleep while made is as read	wake what sleeps with these bits
 *
 * Either the one that asks finds the room, or the one that makes it finds the
 * bit. A bit that was cleared for others has changed made. Bits of threads that
 * died or gave up cost one wake. models/room.pml has what goes wrong in another
 * order. A watch does the same; it takes the lock and releases it, and asks then.
 */
#ifndef LIMIT_ROOM_H
#define LIMIT_ROOM_H

#include "ledger/mapped.h"
#include "limit/lock.h"

#define ROOM_ELSEWHERE UINT32_C(0x80000000) /* under a quota, in a parent */
#define ROOM_WATCHED   UINT32_C(0x40000000) /* more or less of it than before */
#define ROOM_ANYWHERE  UINT32_MAX

static inline uint32_t room_on(uint32_t node)
{
	return UINT32_C(1) << node % 30;
}

/* Note that the change that the lock's owner is at makes such room. */
static inline void room_made(struct tally_ledger *l, uint32_t bits)
{
	l->room |= bits;
}

/* After the change is kept: the bits of such room whose sleepers are to be woken, once
 * the lock is released. */
static inline uint32_t room_tell(struct layout_limits *limits, uint32_t room)
{
	uint32_t bits = room &
			__atomic_load_n(&limits->awaited, __ATOMIC_RELAXED);

	if (__builtin_expect(bits != 0, 0)) {
		__atomic_fetch_and(&limits->awaited, ~bits, __ATOMIC_RELAXED);
		__atomic_fetch_add(&limits->made, 1, __ATOMIC_RELEASE);
	}
	return bits;
}

#endif
