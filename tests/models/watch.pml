/* SPDX-License-Identifier: MIT */
/*
 * A watch (lib/watch/wait.c, lib/limit/room.h) beside a call that changes what is
 * free: its look takes no lock, so that store buffers count. The rest of the
 * protocol is that of room.pml.
 *
 *   watch:   read made ─▶ set the bit ─▶ lock, unlock ─▶ look ─▶ sleep
 *
 *   change:  lock ─▶ store the amount ─▶ the bit is set: clear it, made + 1 ─▶
 *            unlock ─▶ wake
 *
 * The bit is set without order, as a relaxed atomic may be on aarch64. A sleep
 * compares made and begins to sleep in one step, as futex(2) does; here it does
 * not end by itself, and one that sleeps for ever is an invalid end state.
 *
 * Holds: the watch sees the amount.
 *
 * must fail:
 *   -DNO_LOCK		the watch does not take the lock
 *   -DLOOK_FIRST	it looks before it takes the lock
 *   -DBIT_LATE		it sets the bit after it had the lock
 */
#define NR_CPUS	 2
#define NR_WORDS 4
#define NR_SLOTS 4
#include "memory.pml"

#define AMOUNT	0
#define AWAITED 1
#define MADE	2
#define LOCK	3

bool asleep;
byte nr_done;

/* An acquire. On x86 it empties the buffer, too. */
inline take_lock(cpu)
{
	atomic {
#ifndef WEAK
		is_drained(cpu) &&
#endif
		mem[LOCK] == 0 -> mem[LOCK] = 1
	}
}

inline leave_lock(cpu)
{
	store_release(cpu, LOCK, 0)
}

inline set_bit()
{
	store(0, AWAITED, 1)
}

inline pass_lock()
{
	take_lock(0);
	leave_lock(0)
}

proctype watch()
{
	byte seen, amount;

	do
	::
		load(0, MADE, seen);
#ifndef BIT_LATE
		set_bit();
#endif
#ifdef LOOK_FIRST
		load(0, AMOUNT, amount);
#endif
#ifndef NO_LOCK
		pass_lock();
#endif
#ifdef BIT_LATE
		set_bit();
#endif
#ifndef LOOK_FIRST
		load(0, AMOUNT, amount);
#endif
		if
		:: amount -> break
		:: else
		fi;
		fence(0); /* futex(2) */
		atomic {
			if
			:: mem[MADE] == seen -> asleep = true
			:: else
			fi
		};
		!asleep
	od;
	nr_done++
}

proctype change()
{
	byte awaited, made;

	take_lock(1);
	store(1, AMOUNT, 1);
	load(1, AWAITED, awaited);
	if
	:: awaited ->
		store(1, AWAITED, 0);
		load(1, MADE, made);
		store_release(1, MADE, made + 1)
	:: else
	fi;
	leave_lock(1);
	if
	:: awaited ->
		fence(1); /* futex(2) */
		asleep = false
	:: else
	fi;
	nr_done++
}

init
{
	atomic {
		run memory(0);
		run memory(1);
		run watch();
		run change()
	};
	nr_done == 2
}
