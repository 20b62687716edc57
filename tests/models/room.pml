/* SPDX-License-Identifier: MIT */
/*
 * Waiting for room (lib/limit/room.h, lib/limit/wait.c): two wait, for a node each
 * or for the same one, and take what they find; one makes room for each, on one
 * node after the other.
 *
 *   waiter: read made ─▶ set the bit ─▶ lock, ask, unlock ─▶ refused ─▶ sleep
 *               ^                                                        │
 *               └───────── woken, or made is not as it was read ─────────┘
 *
 *   maker:  lock ─▶ room ─▶ the bit is set: clear it ─▶ made + 1 ─▶ unlock ─▶
 *           wake the bit's sleepers
 *
 * Room that an account's end makes is changed by one store, and told without the
 * lock (limit_tell()).
 *
 * A sleep compares made and begins to sleep in one step, as futex(2) does. In the
 * library it ends by itself after 50 ms; here it does not, and one that sleeps
 * for ever is an invalid end state.
 *
 * Holds: each waiter finds the room that is made for it.
 *
 * must fail:
 *   -DBIT_LATE		the bit is set after it was asked
 *   -DMADE_LATE	made is read after it was asked
 *   -DMADE_AFTER_BIT	made is read after the bit was set
 *   -DCLEAR_LATE	the bit is cleared after made was moved
 *   -DTELL_FIRST	the bits are looked at before the lock is taken
 *   -DTELL_UNLOCKED	the bits are looked at before the room of an end is there
 *   -DCLEAR_ALL	bits are cleared whose sleepers are not woken
 *   -DMADE_KEPT	made does not move
 */
byte lock;
byte awaited; /* bits */
byte made;
byte room[2]; /* on a node */
bool asleep[2]; /* a waiter */
byte node_of[2];
byte nr_found;

inline take_lock()
{
	atomic { !lock -> lock = 1 }
}

inline ask()
{
	take_lock();
	fits = room[node] > 0;
	if
	:: fits -> room[node]--
	:: else
	fi;
	lock = 0
}

inline read_made()
{
	seen = made
}

inline set_bit()
{
	awaited = awaited | (1 << node)
}

proctype waiter(byte me)
{
	byte seen;
	byte node = node_of[me];
	bool fits;

	do
	::
#if defined(BIT_LATE)
		read_made();
		ask();
		set_bit();
#elif defined(MADE_LATE)
		set_bit();
		ask();
		read_made();
#elif defined(MADE_AFTER_BIT)
		set_bit();
		read_made();
		ask();
#else
		read_made();
		set_bit();
		ask();
#endif
		if
		:: fits -> break
		:: else
		fi;
		atomic {
			if
			:: made == seen -> asleep[me] = true
			:: else
			fi
		};
		!asleep[me]
	od;
	nr_found++
}

inline tell()
{
	bits = awaited & (1 << node);
	if
	:: bits ->
#ifdef CLEAR_ALL
		awaited = 0;
#elif !defined(CLEAR_LATE)
		awaited = awaited & ~(1 << node);
#endif
#ifndef MADE_KEPT
		made++;
#endif
#ifdef CLEAR_LATE
		awaited = awaited & ~(1 << node);
#endif
		skip
	:: else
	fi
}

proctype maker()
{
	byte bits;
	byte node, nr;
	bool ends;

	do
	:: nr == 2 -> break
	:: else ->
		node = node_of[nr];
		if
		:: ends = true
		:: ends = false
		fi;
		if
		:: ends ->
#ifdef TELL_UNLOCKED
			tell();
			room[node]++
#else
			room[node]++;
			tell()
#endif
		:: else ->
#ifdef TELL_FIRST
			tell();
			take_lock();
			room[node]++;
#else
			take_lock();
			room[node]++;
			tell();
#endif
			lock = 0
		fi;
		if
		:: bits ->
			atomic {
				if
				:: node_of[0] == node -> asleep[0] = false
				:: else
				fi;
				if
				:: node_of[1] == node -> asleep[1] = false
				:: else
				fi
			}
		:: else
		fi;
		nr++
	od
}

init
{
	atomic {
		if
		:: node_of[1] = 0
		:: node_of[1] = 1
		fi;
		run waiter(0);
		run waiter(1);
		run maker()
	};
	nr_found == 2
}
