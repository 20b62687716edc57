/* SPDX-License-Identifier: MIT */
/*
 * A reader without write permission pins a frozen bank, and a mover folds it
 * (lib/snapshot/pin.c, ask.c, epoch.c).
 *
 *   reader                                mover, with the epoch lock
 *
 *   ┌─ pin_lock: the byte of E, a fence   ┌─ pin_try_close: closing = E, a fence
 *   ├─ stands: frozen == E,               ├─ is the byte locked?
 *   │    closing < E, or try again        │    ├─ yes, and not for too long:
 *   ├─ sum: reads the bank                │    │    closing = E - 1; -EBUSY
 *   ├─ pin_is_lost: closed < E            │    └─ else closed = E, a fence
 *   └─ unlock                             └─ fold: the bank is changed
 *
 * and, where no writer lives (bank 1 is the one that it begins with):
 *
 *   ┌─ pin_lock, PIN_BYTE_STILL, a fence  ┌─ writer_join: the slot, a fence
 *   ├─ does a writer live? no:            ├─ leave_bank: is the byte locked?
 *   │    the ledger is its snapshot       │    yes: the epoch moves (or
 *   └─ sum: reads the bank, then          │    closed = E, if that can't be)
 *        closed and the epoch again       └─ an add: to the epoch's bank
 *
 * The kernel keeps the locks; a query that finds the list of locks empty takes no
 * lock itself, so it is a plain load here.
 *
 * Holds: what a reader has read, and then finds not lost, was not changed since
 * it was pinned. A reader that no mover finds too old never loses its pin.
 *
 *   -DOLD	the mover may find the reader's lock too old
 *   -DJOINS	no writer lives, and one comes
 *   -DFAILS	with JOINS: the writer can't move the epoch
 * must fail:
 *   -DNO_LOOK		the mover does not look for locks
 *   -DNO_SECOND	the reader does not look again after its lock
 *   -DNO_READER_FENCE	the reader has no fence
 *   -DNO_MOVER_FENCE	the mover has no fence before it looks
 *   -DNO_CLOSED	with OLD: the mover folds without closed
 *   -DFOLD_EARLY	with OLD: it folds before closed
 *   -DLOST_CLOSING	the reader takes closing for closed
 *   -DNO_JOIN_LOOK	with JOINS: the writer does not look for locks
 *   -DNO_JOIN_FENCE	with JOINS: it has no fence
 *   -DNO_JOIN_CLOSED	with FAILS: it adds all the same
 */
#define NR_CPUS	 2
#define NR_WORDS 6
#define NR_SLOTS 3

#define LOCK	0 /* of the byte, in the kernel */
#define CLOSING 1
#define CLOSED	2
#define BANK	3
#define LIVES	4 /* a writer does */
#define EPOCH	5 /* 1: it has moved */

#include "memory.pml"

bool too_old;
byte nr_done;

inline reader_fence()
{
#ifndef NO_READER_FENCE
	fence(0)
#else
	skip
#endif
}

inline look_if_lost()
{
#ifdef LOST_CLOSING
	load(0, CLOSING, lost);
#else
	load(0, CLOSED, lost);
#endif
}

#ifndef JOINS
proctype reader()
{
	byte v, sum, lost, closing;

	store(0, LOCK, 1);
	reader_fence();
#ifndef NO_SECOND
	load(0, CLOSING, closing);
	if
	:: closing != 0 -> goto out
	:: else
	fi;
#endif
	load(0, BANK, sum);
	look_if_lost();
	assert(lost != 0 || sum == 0);
	/* No mover found it too old. */
	assert(lost == 0 || too_old);
out:
	store(0, LOCK, 0);
	nr_done++
}

proctype writer()
{
	byte locked;

	store(1, CLOSING, 1);
#ifndef NO_MOVER_FENCE
	fence(1);
#endif
#ifdef NO_LOOK
	locked = 0;
#else
	load(1, LOCK, locked);
#endif
	if
	:: locked != 0 -> store_release(1, CLOSING, 0); goto out
#ifdef OLD
	:: locked != 0 -> too_old = true
#endif
	:: locked == 0
	fi;
#ifdef FOLD_EARLY
	store(1, BANK, 1);
#endif
#ifndef NO_CLOSED
	store(1, CLOSED, 1);
	fence(1);
#endif
	store(1, BANK, 1);
out:
	nr_done++
}
#else
proctype reader()
{
	byte lives, lost, sum, epoch;

	store(0, LOCK, 1);
	reader_fence();
	load(0, LIVES, lives);
	if
	:: lives != 0 -> goto out
	:: else
	fi;
	/* Twice, as two reads of a view. */
	load(0, BANK, sum);
	look_if_lost();
	load(0, EPOCH, epoch);
	assert(lost != 0 || epoch != 0 || sum == 0);
out:
	store(0, LOCK, 0);
	nr_done++
}

proctype writer()
{
	byte locked;

	store(1, LIVES, 1);
#ifndef NO_JOIN_FENCE
	fence(1);
#endif
#ifdef NO_JOIN_LOOK
	locked = 0;
#else
	load(1, LOCK, locked);
#endif
	if
	:: locked == 0 -> store(1, BANK, 1)
	:: locked != 0 ->
#ifdef FAILS
#ifndef NO_JOIN_CLOSED
		store(1, CLOSED, 1);
		fence(1);
#endif
		store(1, BANK, 1)
#else
		/* Adds go to the other bank from now on. */
		store(1, EPOCH, 1);
		fence(1)
#endif
	fi;
	nr_done++
}
#endif

init {
	atomic {
		run memory(0);
		run memory(1);
		run reader();
		run writer()
	};
end:
	nr_done == 2 && is_drained(0) && is_drained(1)
}
