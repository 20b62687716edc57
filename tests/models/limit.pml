/* SPDX-License-Identifier: MIT */
/*
 * Changes of reservations under the lock (lib/limit/lock.c), by callers that may be
 * killed at any step, beside a reader (lib/file/reserved.c). Two words, A and B,
 * are changed together, and one of them twice.
 *
 *   caller:
 *	lock ─▶ undo_all ─▶ set A ─▶ set B ─▶ set A ─▶ keep or undo_all ─▶ unlock
 *
 *   set:	sequence odd, fence		if nothing is noted yet
 *		note of the old value
 *		count of notes + 1
 *		the word
 *   keep:	count = 0		the call counts from here on
 *		sequence even
 *   undo_all:	the word of the last note, count - 1; until no note is left
 *		sequence even
 *
 * The lock is taken from a dead process, and its next holder sees all stores of
 * the last one.
 *
 * Holds: after undo_all the holder of the lock finds every call that was kept and
 * none that was not, in both words; a reader finds both words of the same calls,
 * all that were unlocked before it began, and none that is undone later.
 *
 * must fail:
 *   -DVALUE_FIRST	a word is stored before its old value is noted
 *   -DCOUNT_FIRST	a note is counted before it is written
 *   -DCOUNT_LATE	... or after the word is stored
 *   -DODD_LATE		the sequence is odd only after the first word
 *   -DNO_FENCE		nothing keeps the word behind the odd sequence (fails on
 *			weak machines)
 *   -DEVEN_FIRST	the sequence is even before the notes are dropped
 *   -DKEEP_LATE	keep after unlock
 *   -DUNDO_FORWARD	the first note is put back first
 *   -DUNDO_COUNT_FIRST	undo_all counts down before it puts back
 *   -DNO_UNDO		the next holder of the lock does not undo
 *   -DNO_AGAIN		the reader does not read the sequence again
 */
#define NR_CPUS	 2
#define NR_WORDS 10
#define NR_SLOTS 3

#define SEQUENCE 0
#define COUNT	 1
#define A	 2
#define B	 3
#define WORD(i)	 (4 + (i))
#define VALUE(i) (7 + (i))

#include "memory.pml"

byte owner; /* 0: none */
bool dead[2];
byte nr_done;

byte kept;     /* calls */
byte unlocked; /* of these */
byte seen;     /* the most that a reader found */

inline fate()
{
	if
	:: skip
	:: dead[m] = true; goto out
	fi
}

inline lock()
{
	atomic {
		if
		:: owner == 0
		:: owner == 2 - m && dead[1 - m] && is_drained(1 - m)
		fi;
		owner = m + 1
	};
	fate()
}

inline make_even()
{
	load(m, SEQUENCE, value);
	if
	:: value & 1 -> store_release(m, SEQUENCE, value + 1)
	:: else
	fi;
	fate()
}

inline make_odd()
{
	load(m, COUNT, count);
	if
	:: count == 0 ->
		load(m, SEQUENCE, value);
		store(m, SEQUENCE, value | 1);
#ifndef NO_FENCE
		fence(m);
#endif
		fate()
	:: else
	fi
}

inline note(w)
{
	load(m, w, value);
	store(m, WORD(count), w);
	fate();
	store(m, VALUE(count), value);
	fate()
}

inline raise_count()
{
	store_release(m, COUNT, count + 1);
	fate()
}

inline store_word(w, n)
{
	load(m, w, value);
	store(m, w, value + (n));
	fate()
}

/* The value before the word was stored. */
inline set(w, n)
{
#ifndef ODD_LATE
	make_odd();
#endif
	load(m, COUNT, count);
#ifdef VALUE_FIRST
	load(m, w, old);
	store_word(w, n);
	store(m, WORD(count), w);
	store(m, VALUE(count), old);
	fate();
	raise_count();
#elif defined(COUNT_FIRST)
	raise_count();
	note(w);
	store_word(w, n);
#elif defined(COUNT_LATE)
	note(w);
	store_word(w, n);
	raise_count();
#else
	note(w);
	raise_count();
	store_word(w, n);
#endif
#ifdef ODD_LATE
	load(m, SEQUENCE, value);
	store(m, SEQUENCE, value | 1);
	fence(m);
	fate()
#endif
}

inline undo_all()
{
	old = 0;
	load(m, COUNT, count);
	do
	:: count == 0 -> break
	:: else ->
#ifdef UNDO_FORWARD
		load(m, WORD(old), word);
		load(m, VALUE(old), value);
		old++;
#else
		load(m, WORD(count - 1), word);
		load(m, VALUE(count - 1), value);
#endif
#ifdef UNDO_COUNT_FIRST
		store_release(m, COUNT, count - 1);
		fate();
		store_release(m, word, value);
		fate();
#else
		store_release(m, word, value);
		fate();
		store_release(m, COUNT, count - 1);
		fate();
#endif
		count--
	od;
	old = 0;
	word = 0;
	make_even()
}

/* From here on the call has happened. */
inline drop_notes()
{
	atomic {
		buffers[m].nr < NR_SLOTS;
		store_release(m, COUNT, 0);
		kept++
	};
	fate()
}

inline keep()
{
#ifdef EVEN_FIRST
	make_even();
	drop_notes()
#else
	drop_notes();
	make_even()
#endif
}

inline unlock(n)
{
	atomic {
		fence(m);
		owner = 0;
		unlocked = unlocked + n
	}
}

proctype caller(byte m)
{
	byte count, value, old, word;

	lock();
#ifndef NO_UNDO
	undo_all();
#endif
	load(m, A, value);
	assert(value == 2 * kept);
	load(m, B, value);
	assert(value == 2 * kept);
	set(A, 1);
	set(B, 2);
	set(A, 1);
	if
	:: skip ->
#ifdef KEEP_LATE
		unlock(0);
		keep()
#else
		keep();
		unlock(1)
#endif
	:: skip -> /* refused */
		undo_all();
		unlock(0)
	fi;
out:
	nr_done++
}

proctype reader()
{
	byte sequence, least, a, b;

	least = unlocked;
again:
	sequence = mem[SEQUENCE];
	if
	:: sequence & 1 -> goto out /* a change is in progress, or was interrupted */
	:: else
	fi;
	a = mem[A];
	b = mem[B];
#ifndef NO_AGAIN
	if
	:: mem[SEQUENCE] != sequence -> goto again
	:: else
	fi;
#endif
	d_step {
		assert(a == b);
		assert(a >= 2 * least);
		seen = a
	};
out:
	nr_done++
}

/* The next process, after all of them. */
init {
	byte word;

	atomic {
		run memory(0);
		run memory(1);
		run caller(0);
		run caller(1);
		run reader()
	};
end:
	nr_done == 3 && is_drained(0) && is_drained(1);
	d_step {
		do
		:: mem[COUNT] > 0 ->
			mem[COUNT]--;
			word = mem[COUNT];
			word = mem[WORD(word)];
			mem[word] = mem[7 + mem[COUNT]]
		:: else -> break
		od;
		assert(mem[A] == 2 * kept);
		assert(mem[B] == 2 * kept);
		assert(seen <= mem[A])
	}
}
