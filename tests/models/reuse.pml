/* SPDX-License-Identifier: MIT */
/*
 * A row of the directory that goes from one account to another (free_row() in
 * lib/account/reclaim.c), beside processes that search and add without a lock
 * (search_find() in lib/account/search.c, and adding a key). Two chains; the row
 * is in the first one, before another row; it is used again in either. A load or
 * store whose order matters there is an acquire or a release, so memory is in
 * order here.
 *
 *   a mover ends and frees              a process adds
 *
 *   ┌─ GONE                             ┌─ find ── found ──▶ a handle
 *   ├─ generation: even                 ├─ FREE ─▶ CLAIMED, by one process
 *   ├─ unlink_row: off the chain        ├─ fill: key, then generation: odd
 *   ├─ n + 1                            ├─ next = head
 *   └─ FREE                             ├─ head, n ─▶ row, n + 1  ── changed
 *                                       │     │          since find: find again;
 *   find                                │     │          then give the row back
 *                                       │     ▼
 *   ┌─ head, n                          └─ READY
 *   ├─ row: generation, key, phase,
 *   │       generation again
 *   ├─ next, …
 *   └─ not certain: is n the same? else once more
 *
 * Every process but the one that finds may be killed at any step; another mover
 * continues.
 *
 * Holds: a search for an existing key finds it; what it finds is an account of
 * that key, and linked; a key has one row; a live process loses no row.
 *
 *   -DOTHER		one adds to the other chain, and one searches for a key that
 *			exists all the time
 *   -DOLD		one searches for the account that ends
 * must fail:
 *   -DNO_COUNT		a row is unlinked without n + 1
 *   -DCOUNT_LATE	n + 1 after FREE
 *   -DCOUNT_ONCE	a mover that finds the row unlinked does not count
 *   -DNO_AGAIN		find does not read n again
 *   -DROW_ALONE	linking compares the row of the head, not n
 *   -DONE_LOOK		the generation is not read again
 *   -DCLAIMED_TOO	a claimed row counts as certain
 *   -DODD_FIRST	the generation is odd before the key is written
 */
#define NR_ROWS 3

#define FREE	0
#define CLAIMED 1
#define READY	2
#define GONE	3

/* Keys; all but the last are of chain 0. */
#define A 1
#define C 2
#define D 3
#define E 4
#define CHAIN(k) (k == E -> 1 : 0)

typedef chain {
	byte head; /* row + 1 */
	byte n
}
chain chains[2];

typedef row {
	byte phase;
	byte generation;
	byte key;
	byte next
}
row rows[NR_ROWS];

typedef names {
	byte key[4] /* by generation */
}
names named[NR_ROWS];
bool linked[NR_ROWS];

#ifdef OTHER
#define NR 4
#else
#define NR 3
#endif
bool mover_died;
byte nr_done;

inline fate()
{
	if
	:: skip
	:: goto killed
	fi
}

#ifdef OTHER
#define adder_fate() skip
#else
#define adder_fate() fate()
#endif

#define IS_THERE (ph == CLAIMED || ph == READY)
#ifdef ONE_LOOK
#define IS_SAME true
#else
#define IS_SAME (rows[cur - 1].generation == g)
#endif
#ifdef CLAIMED_TOO
#define IS_CERTAIN true
#else
#define IS_CERTAIN (ph == READY)
#endif
#ifdef ROW_ALONE
#define IS_AS_IT_WAS(c) (c.head == head)
#else
#define IS_AS_IT_WAS(c) (c.head == head && c.n == n)
#endif

/* cur: the row found + 1, or 0; g: its generation. */
inline find(k)
{
	do
	:: atomic { head = chains[CHAIN(k)].head; n = chains[CHAIN(k)].n };
	   cur = head;
	   steps = 0;
	   certain = false;
	   broken = false;
	   do
	   :: cur == 0 -> break
	   :: cur && steps == NR_ROWS -> broken = true; break
	   :: cur && steps < NR_ROWS ->
		steps++;
		if
		:: rows[cur - 1].phase == FREE -> broken = true; break
		:: else
		fi;
		g = rows[cur - 1].generation;
		if
		:: (g & 1) && rows[cur - 1].key == k ->
			ph = rows[cur - 1].phase;
			if
			:: IS_THERE && IS_SAME -> certain = IS_CERTAIN; break
			:: else
			fi
		:: else
		fi;
		cur = rows[cur - 1].next
	   od;
	   if
	   :: certain -> break
#ifdef NO_AGAIN
	   :: !certain -> break
#else
	   :: !certain && chains[CHAIN(k)].n == n -> break
	   :: !certain && chains[CHAIN(k)].n != n
#endif
	   fi
	od;
	assert(!broken);
	d_step {
		if
		:: cur ->
			assert(named[cur - 1].key[g] == k);
			assert(linked[cur - 1] || k == A)
		:: else
		fi;
		steps = 0;
		ph = 0;
		certain = false
	}
}

/* Row 0 ends, and is freed. */
inline count()
{
	chains[0].n++
}

inline unlink_row()
{
	if
	:: atomic { chains[0].head == 1 ->
		chains[0].head = rows[0].next;
#ifndef NO_COUNT
#ifndef COUNT_LATE
		count();
#endif
#endif
		linked[0] = false
	   }
	:: atomic { chains[0].head != 1 ->
		if
		:: rows[1].next == 1 -> rows[1].next = rows[0].next
		:: rows[2].next == 1 && linked[2] ->
			rows[2].next = rows[0].next
		:: else -> seen = false
		fi;
		linked[0] = false
	   };
	   fate();
#ifdef COUNT_ONCE
	   if
	   :: seen -> count()
	   :: !seen
	   fi
#else
#ifndef NO_COUNT
#ifndef COUNT_LATE
	   count()
#endif
#endif
#endif
	fi
}

proctype mover(bit second)
{
	bool seen = true;

	if
	:: second ->
end:
		mover_died
	:: else
	fi;
	if
	:: rows[0].phase == READY -> rows[0].phase = GONE
	:: rows[0].phase == GONE
	:: rows[0].phase == FREE || rows[0].phase == CLAIMED -> goto out
	fi;
	fate();
	rows[0].generation = 2;
	fate();
	unlink_row();
	fate();
	rows[0].phase = FREE;
#ifdef COUNT_LATE
	fate();
	count();
#endif
	goto out;
killed:
	mover_died = true;
out:
	nr_done++
}

proctype adder(byte k)
{
	byte head, n, cur, steps, ph, g, mine;
	bool certain, broken;

	find(k);
	if
	:: cur -> goto out
	:: else
	fi;
	if
	:: atomic { rows[0].phase == FREE -> mine = 0;
		rows[0].phase = CLAIMED }
	:: atomic { rows[2].phase == FREE -> mine = 2;
		rows[2].phase = CLAIMED }
	:: rows[0].phase != FREE && rows[2].phase != FREE -> goto out
	fi;
	adder_fate();
#ifdef ODD_FIRST
	rows[mine].generation = rows[mine].generation | 1;
	named[mine].key[rows[mine].generation] = k;
	adder_fate();
	rows[mine].key = k;
#else
	rows[mine].key = k;
	adder_fate();
	d_step {
		rows[mine].generation = rows[mine].generation | 1;
		named[mine].key[rows[mine].generation] = k
	};
#endif
	do
	:: adder_fate();
	   rows[mine].next = head;
	   adder_fate();
	   if
	   :: atomic { IS_AS_IT_WAS(chains[CHAIN(k)]) ->
		chains[CHAIN(k)].head = mine + 1;
		chains[CHAIN(k)].n++;
		linked[mine] = true
	      };
	      break
	   :: else
	   fi;
	   find(k);
	   if
	   :: cur ->
		rows[mine].generation = rows[mine].generation + 1;
		rows[mine].phase = FREE;
		goto out
	   :: else
	   fi
	od;
	adder_fate();
	if
	:: atomic { rows[mine].phase == CLAIMED -> rows[mine].phase = READY }
	:: else
	fi;
	goto out;
killed:
	skip;
out:
	nr_done++
}

/* Searches for a key that exists all the time, or that did. */
proctype finder(byte k)
{
	byte head, n, cur, steps, ph, g;
	bool certain, broken;

	find(k);
	assert(k == A || cur == 2);
	nr_done++
}

#define HAS(r, k) (linked[r] && rows[r].key == k && rows[r].phase != GONE)

init {
	atomic {
		chains[0].head = 1;
		rows[0].phase = READY;
		rows[0].generation = 1;
		rows[0].key = A;
		rows[0].next = 2;
		named[0].key[1] = A;
		linked[0] = true;
		rows[1].phase = READY;
		rows[1].generation = 1;
		rows[1].key = C;
		named[1].key[1] = C;
		linked[1] = true;
		run mover(0);
		run mover(1);
		run adder(D);
#if defined(OTHER)
		run adder(E);
		run finder(C)
#elif defined(OLD)
		run finder(A)
#else
		run adder(D)
#endif
	};
	nr_done == NR + mover_died;
	d_step {
		assert(!(HAS(0, D) && HAS(2, D)));
		assert(!(HAS(0, E) && HAS(2, E)))
	}
}
