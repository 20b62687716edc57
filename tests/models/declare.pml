/* SPDX-License-Identifier: MIT */
/*
 * Resources are declared in two spare columns (lib/open/declare.c,
 * lib/file/column.h), by writers that may be killed at any step, beside a reader
 * that joins. A description is two words; each writer has a capacity on a node
 * of its own alone, and the second one a quota. The number of columns is in a
 * word * 2; + 1: the limits of the next column are set.
 *
 *   declare:	lock
 *		undo what a dead owner changed and did not keep (its quota, + 1);
 *		if the number has + 1, add another 1
 *		the number ─▶ is it among those descriptions? its column
 *		set_capacities: none, on each node; then its own
 *		column_describe: the description
 *		set_quotas: its own, and + 1 to the number; keep
 *		column_declare: another 1
 *		unlock
 *
 *   reader:	the number ─▶ that many descriptions, capacities, quotas
 *
 * One writer at a time has the lock; the next one takes it from a dead one.
 *
 * Holds: what a reader finds is whole, and has the limits of the writer that
 * declared it; each writer is told the same column of a resource.
 *
 * must fail:
 *   -DCOUNT_FIRST	the number is stored before the description
 *   -DRELAXED		nothing keeps it behind (fails on weak machines)
 *   -DCAPACITY_LATE	capacities are set once the resource is there
 *   -DLEFT		those of a dead writer are not unset
 *   -DQUOTA_LATE	quotas are set once the resource is there
 *   -DNO_UNDO		a dead writer's quota is not undone
 *   -DNO_END		... and what it had kept is not ended
 *   -DNO_LOOK		a writer does not look whether it was declared
 *   -DUNLOCKED		... or looks before it has the lock
 */
#define NR_CPUS	 2
#define NR_WORDS 12
#define NR_SLOTS 3
#define NR_CALLS 2 /* of one writer; 1 of the other */

#define NUMBER	    0
#define UNDO	    1
#define NAME(c)	    (2 + 5 * (c))
#define KIND(c)	    (3 + 5 * (c))
#define LIMIT(c, n) (4 + 5 * (c) + (n))
#define QUOTA(c)    (6 + 5 * (c))

#include "memory.pml"

byte owner; /* 0: none */
bool dead[2];
byte nr_done;

/* Which writer declared the column, + 1; and the column of a resource, + 1. */
byte by[3];
byte column_of[3];

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
	}
}

inline recover()
{
	load(m, UNDO, value);
	load(m, NUMBER, nr);
#ifndef NO_UNDO
	if
	:: value ->
		store(m, QUOTA(nr / 2), 0);
		fate();
		nr = nr - nr % 2;
		store(m, NUMBER, nr);
		fate()
	:: else
	fi;
#endif
	store(m, UNDO, 0);
	fate();
#ifndef NO_END
	if
	:: nr % 2 -> store_release(m, NUMBER, nr + 1)
	:: else
	fi;
	fate();
#endif
	value = 0
}

/* Of those that there are, the one with the resource, or their number. */
inline look()
{
	load(m, NUMBER, nr);
	nr = nr / 2;
	column = 0;
#ifdef NO_LOOK
	column = nr;
#else
	do
	:: column < nr ->
		load(m, NAME(column), value);
		if
		:: value == resource -> break
		:: else -> column++
		fi
	:: else -> break
	od
#endif
}

inline set_capacities()
{
#ifndef LEFT
	store(m, LIMIT(column, 0), 0);
	fate();
	store(m, LIMIT(column, 1), 0);
	fate();
#endif
	store(m, LIMIT(column, m), m + 1);
	fate()
}

inline describe()
{
	store(m, NAME(column), resource);
	fate();
	store(m, KIND(column), resource);
	fate()
}

inline set_quotas()
{
	store(m, UNDO, 1);
	fate();
#ifndef QUOTA_LATE
	if
	:: m == 1 -> store(m, QUOTA(column), 2)
	:: else
	fi;
	fate();
#endif
	store(m, NUMBER, nr * 2 + 1);
	fate();
	atomic {
		by[column] = m + 1;
		store_release(m, UNDO, 0)
	};
	fate()
}

inline count()
{
#ifdef RELAXED
	store(m, NUMBER, nr * 2 + 2);
#else
	store_release(m, NUMBER, nr * 2 + 2);
#endif
	fate()
}

inline declare()
{
	if
	:: column < nr
	:: else ->
		assert(column < 2);
#ifndef CAPACITY_LATE
		set_capacities();
#endif
#ifdef COUNT_FIRST
		set_quotas();
		count();
		describe();
#else
		describe();
		set_quotas();
		count();
#endif
#ifdef CAPACITY_LATE
		set_capacities();
#endif
#ifdef QUOTA_LATE
		if
		:: m == 1 -> store(m, QUOTA(column), 2)
		:: else
		fi;
		fate();
#endif
	fi
}

inline told()
{
	d_step {
		assert(column_of[resource] == 0 ||
		       column_of[resource] == column + 1);
		column_of[resource] = column + 1
	}
}

proctype writer(byte m)
{
	byte resource, column, nr, value, calls;

	do
	:: calls + m < NR_CALLS ->
		if
		:: resource = 1
		:: resource = 2
		fi;
#ifdef UNLOCKED
		look();
		lock();
#else
		lock();
		recover();
		look();
#endif
		declare();
		told();
		atomic { fence(m); owner = 0 };
		calls++
	:: else -> break
	od;
out:
	nr_done++
}

proctype reader()
{
	byte nr, i, name;

	nr = mem[NUMBER] / 2;
	do
	:: i < nr ->
		name = mem[NAME(i)];
		assert(name != 0 && mem[KIND(i)] == name);
		assert(mem[LIMIT(i, 0)] == (by[i] == 1 -> 1 : 0));
		assert(mem[LIMIT(i, 1)] == (by[i] == 2 -> 2 : 0));
		assert(mem[QUOTA(i)] == (by[i] == 2 -> 2 : 0));
		i++
	:: else -> break
	od;
	nr_done++
}

init {
	atomic {
		run memory(0);
		run memory(1);
		run writer(0);
		run writer(1);
		run reader()
	};
end:
	nr_done == 3
}
