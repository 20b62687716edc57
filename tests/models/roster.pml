/* SPDX-License-Identifier: MIT */
/*
 * Edits of a roster (lib/limit/roster.c), by writers that may be killed at any
 * step, beside a reader (lib/limit/view.c). A list has two entries, X and Y, and
 * two copies; an edit sets one entry to the edit's number.
 *
 *   edit:	number = begun + 1, or one more: not the current copy
 *		begun of the roster, begun of the copy
 *		the copy catches up by the log, or takes all of the current one
 *		edit of the copy = unknown
 *		the entry
 *		edit of the copy = number, the log
 *		note of current
 *		current = number
 *		keep: the note is dropped
 *
 *   reader:	current ─▶ the copy's entries ─▶ begun of the copy: the same?
 *
 * One writer at a time has the lock; the next one takes it from a dead one, and
 * puts current back if it is noted. What writers alone read is in memory at once.
 *
 * Holds: each copy that becomes current, and each list that a reader is told to
 * be whole, is what the edit of that number made.
 *
 * must fail:
 *   -DBEGUN_LATE	begun of the copy is stored after the entry
 *   -DREUSED		an edit that was undone gives its number to the next one
 *   -DKNOWN		the copy's edit stays known while the entry changes
 *   -DSAME_COPY	a number may lead to the current copy
 *   -DCURRENT_FIRST	current is stored before the entry
 *   -DNO_FENCE		nothing keeps current behind the entry (fails on weak
 *			machines)
 *   -DNO_AGAIN		the reader does not look at begun
 */
#define NR_CPUS	 2
#define NR_WORDS 7
#define NR_SLOTS 3
#define NR_EDITS 2 /* of one writer; 1 of the other */
#define MOST	 10 /* numbers */

#define CURRENT	 0
#define BEGUN(c) (1 + (c))
#define X(c)	 (3 + 2 * (c))
#define Y(c)	 (4 + 2 * (c))

#include "memory.pml"

byte owner; /* 0: none */
bool dead[2];
byte nr_done;

/* What writers alone read. */
byte begun;
byte edit_of[2]; /* the copies'; MOST: unknown */
byte log_number[2], log_before[2], log_entry[2]; /* the value is the number */
bool noted;
byte note;

/* What each edit makes. */
byte made_x[MOST], made_y[MOST];

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
	if
	:: noted -> store_release(m, CURRENT, note); fate(); noted = false
	:: else
	fi
}

inline begin()
{
	load(m, CURRENT, current);
	d_step {
#ifdef REUSED
		number = current + 1;
#else
		number = begun + 1;
#endif
#ifndef SAME_COPY
		if
		:: number % 2 == current % 2 -> number++
		:: else
		fi;
#endif
		copy = number % 2;
		made_x[number] = (entry == 0 -> number : made_x[current]);
		made_y[number] = (entry == 1 -> number : made_y[current]);
		begun = number
	};
	fate();
#ifndef BEGUN_LATE
	store_release(m, BEGUN(copy), number);
	fate()
#endif
}

/* The copy lacks one edit, or is made anew. */
inline catch_up()
{
	if
	:: log_number[current % 2] == current &&
	   log_before[current % 2] == edit_of[copy] && current != 0 ->
		if
		:: log_entry[current % 2] == 0 ->
			store_release(m, X(copy), current)
		:: else -> store_release(m, Y(copy), current)
		fi;
		fate()
	:: else ->
		edit_of[copy] = MOST;
		fate();
		load(m, X(current % 2), value);
		store_release(m, X(copy), value);
		fate();
		load(m, Y(current % 2), value);
		store_release(m, Y(copy), value);
		fate()
	fi
}

inline log()
{
	log_number[copy] = 0;
	fate();
	d_step {
		log_before[copy] = current;
		log_entry[copy] = entry
	};
	fate();
	log_number[copy] = number;
	fate()
}

inline make_current()
{
	d_step {
		note = current;
		noted = true
	};
	fate();
#ifdef NO_FENCE
	store(m, CURRENT, number);
#else
	store_release(m, CURRENT, number);
#endif
	fate()
}

inline set_entry()
{
#ifdef NO_FENCE
	store(m, X(copy) + entry, number);
#else
	store_release(m, X(copy) + entry, number);
#endif
	fate()
}

inline edit()
{
	begin();
	catch_up();
#ifndef KNOWN
	edit_of[copy] = MOST;
	fate();
#endif
#ifdef CURRENT_FIRST
	make_current();
#endif
	set_entry();
#ifdef BEGUN_LATE
	store_release(m, BEGUN(copy), number);
	fate();
#endif
	edit_of[copy] = number;
	fate();
	log();
#ifndef CURRENT_FIRST
	make_current();
#endif
	load(m, X(copy), value);
	assert(value == made_x[number]);
	load(m, Y(copy), value);
	assert(value == made_y[number]);
	/* keep */
	atomic { fence(m); noted = false };
	fate()
}

proctype writer(byte m)
{
	byte current, number, copy, entry, value, nr;

	do
	:: nr + m < NR_EDITS ->
		lock();
		if
		:: entry = 0
		:: entry = 1
		fi;
		edit();
		atomic { fence(m); owner = 0 };
		nr++
	:: else -> break
	od;
out:
	nr_done++
}

proctype reader()
{
	byte current, x, y;

	current = mem[CURRENT];
	x = mem[X(current % 2)];
	y = mem[Y(current % 2)];
#ifndef NO_AGAIN
	if
	:: mem[BEGUN(current % 2)] != current -> goto out
	:: else
	fi;
#endif
	assert(x == made_x[current]);
	assert(y == made_y[current]);
out:
	nr_done++
}

/* The next process, after all of them. */
init {
	byte current;

	edit_of[1] = MOST;
	atomic {
		run memory(0);
		run memory(1);
		run writer(0);
		run writer(1);
		run reader()
	};
end:
	nr_done == 3 && is_drained(0) && is_drained(1);
	d_step {
		current = (noted -> note : mem[CURRENT]);
		assert(mem[BEGUN(current % 2)] == current);
		assert(mem[X(current % 2)] == made_x[current]);
		assert(mem[Y(current % 2)] == made_y[current])
	}
}
