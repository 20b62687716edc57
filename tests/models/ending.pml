/* SPDX-License-Identifier: MIT */
/*
 * An account ends beside a process that reserves for it and releases (finish() in
 * lib/account/end.c; limit_look_again() in lib/limit/cells.c,
 * finish_ended() in lib/limit/transaction.c).
 * Each stores, then reads what the other one stores, and one of the two finds that
 * the account is gone.
 *
 *   holder, reserves and releases         ender, in the directory's lock
 *
 *   ┌─ held = 1                           ┌─ phase = terminating
 *   ├─ fence                              ├─ finish: fence
 *   ├─ phase is terminating?              └─ … nothing held? phase = gone
 *   │     held = 0, finish, no grant
 *   ├─ … granted …
 *   ├─ held = 0
 *   ├─ fence
 *   └─ phase is terminating? finish, in the directory's lock
 *
 * Holds: nothing is held of an account that is gone; one that was ended and holds
 * nothing is gone once both have returned.
 *
 * must fail:
 *   -DRELEASE_UNFENCED	no fence between releasing and reading the phase
 *   -DRESERVE_UNFENCED	none between reserving and reading it
 *   -DEND_UNFENCED	none between ending and reading what is held
 *   -DNO_SECOND_LOOK	the phase is read before reserving alone
 */
#define NR_CPUS	 2
#define NR_WORDS 3
#define NR_SLOTS 3

#define HELD  0
#define PHASE 1
#define LOCK  2

#define READY	    0
#define TERMINATING 1
#define GONE	    2

#include "memory.pml"

bool granted; /* and not released */
byte nr_done;

/* An exchange, which on x86 waits for the stores before it. */
inline lock(cpu)
{
	atomic {
#ifndef WEAK
		fence(cpu);
#endif
		mem[LOCK] == 0;
		mem[LOCK] = 1
	}
}

inline unlock(cpu)
{
	store_release(cpu, LOCK, 0)
}

inline finish(cpu)
{
	load(cpu, PHASE, value);
	if
	:: value == TERMINATING ->
#ifndef END_UNFENCED
		fence(cpu);
#endif
		load(cpu, HELD, value);
		if
		:: value == 0 ->
			assert(!granted);
			store_release(cpu, PHASE, GONE)
		:: else
		fi
	:: else
	fi;
	value = 0
}

inline finish_locked(cpu)
{
	lock(cpu);
	finish(cpu);
	unlock(cpu)
}

#define HOLDER 0
#define ENDER  1

proctype holder()
{
	byte value;

	load(HOLDER, PHASE, value);
	if
	:: value != READY -> goto out
	:: else
	fi;
	store(HOLDER, HELD, 1);
#ifndef NO_SECOND_LOOK
#ifndef RESERVE_UNFENCED
	fence(HOLDER);
#endif
	load(HOLDER, PHASE, value);
	if
	:: value != READY ->
		value = 0;
		store(HOLDER, HELD, 0);
		finish_locked(HOLDER);
		goto out
	:: else
	fi;
#endif
	/* Nobody may have found that it holds nothing. */
	granted = true;
	assert(mem[PHASE] != GONE);
	granted = false;
	store(HOLDER, HELD, 0);
#ifndef RELEASE_UNFENCED
	fence(HOLDER);
#endif
	load(HOLDER, PHASE, value);
	if
	:: value == TERMINATING ->
		value = 0;
		finish_locked(HOLDER)
	:: else
	fi;
out:
	nr_done++
}

proctype ender()
{
	byte value;

	lock(ENDER);
	store_release(ENDER, PHASE, TERMINATING);
	finish(ENDER);
	unlock(ENDER);
	nr_done++
}

init {
	atomic {
		run memory(HOLDER);
		run memory(ENDER);
		run holder();
		run ender()
	};
end:
	nr_done == 2 && is_drained(HOLDER) && is_drained(ENDER);
	assert(mem[HELD] == 0 && mem[PHASE] == GONE)
}
