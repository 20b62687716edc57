/* SPDX-License-Identifier: MIT */
/*
 * The epoch flip: writers choose a bank, movers freeze one (lib/epoch.c,
 * lib/mark.h, lib/ledger_add.c).
 *
 *   writer, for each charge                  mover, who owns
 *
 *   ┌─ mark_thread: a slot, nr_threads       ┌─ epoch_pin: own
 *   │                                        │
 *   ├─ mark_enter: mark = epoch              ├─ move_on ─ pinned ──▶ join, or
 *   │    (a fence where no membarrier is)    │    │                  -EBUSY
 *   ├─ enter: bank = epoch & 1               │    ├─ settle: fold ─▶ folded
 *   │                                        │    ├─ epoch + 1
 *   ├─ add, add: to the bank's cells         │    └─ grace: barrier, wait for
 *   │                                        │         older marks ─▶ frozen
 *   └─ mark_leave: mark = 0                  ├─ pins + 1, disown
 *                                            ├─ the sums
 *   or, -DSEQUENCES, in one sequence,        │
 *   that a membarrier restarts:              └─ epoch_unpin: the last one
 *      bank = epoch & 1, add                      settles
 *
 * Writer 0 posts A, of two amounts, and says so to writer 1, which then adds
 * B. Each is a process of its own, that may be stopped or killed at any step.
 *
 * Holds: a snapshot has A whole or not at all, or names it as doubtful; it has
 * no B without A; it stands still; two that pin one epoch see the same; nobody
 * waits for ever for one that is stopped; what was acknowledged counts once.
 *
 *   -DFENCED		no membarrier: writers and movers have fences
 *   -DSEQUENCES	B is added by a sequence, unmarked
 * must fail:
 *   -DNO_BARRIER	the mover goes without the membarrier
 *   -DNO_FENCE		with FENCED: the writers' fence is left out
 *   -DNO_RESTART	with SEQUENCES: a membarrier that restarts no sequence
 *   -DMARK_LATE	the bank is read before the mark is stored
 *   -DTHREADS_EARLY	nr_threads is read before the barrier
 *   -DLEAVE_EARLY	the mark is cleared before the second amount
 *   -DNO_WAIT		marks are not waited for
 *   -DNO_DEADLINE	they are waited for without a bound
 *   -DNO_DOUBT		the mark of one who died is dropped, and not named
 *   -DPIN_AFTER	the pin is set after disown
 */
#define NR_CPUS	 4
#define NR_WORDS 12
#define NR_SLOTS 3

#define EPOCH		 0
#define MARK(t)		 (1 + (t))
#define SAID		 3
#define CELL(bank, t, h) (4 + (bank) * 4 + (t) * 2 + (h))

#include "memory.pml"

#define MOVER(m) (2 + (m))

byte nr_threads;
bool dead[2];
bool gone; /* writer 0, with A said or not */
byte nr_acked[2];

/* Under owner, whose compare-and-exchange orders them. */
byte owner;
byte frozen;
byte folded;
byte pins;

byte settled[4];
bool doubted; /* a charge was ever named as doubtful */
byte nr_done;

/* In the sequence, and to start it again. */
bool in_sequence;
bool restart;

/* It may be stopped here for good, or killed. */
inline fate(t)
{
	if
	:: skip
	:: goto out
	:: dead[t] = true; goto out
	fi
}

inline take_slot(t)
{
	atomic {
		if
		:: nr_threads <= t -> nr_threads = t + 1
		:: else
		fi
	}
}

inline mark(t)
{
	load(t, EPOCH, e);
	store(t, MARK(t), e << 1 | 1);
#if defined(FENCED) && !defined(NO_FENCE)
	fence(t);
#endif
}

inline enter(t)
{
#ifdef MARK_LATE
	load(t, EPOCH, b);
	mark(t);
#else
	mark(t);
	load(t, EPOCH, b);
#endif
	b = b & 1;
	fate(t)
}

inline leave(t)
{
	store_release(t, MARK(t), 0)
}

/* tally_ledger_post(): atomic adds. */
proctype post_a()
{
	byte e, b;

	take_slot(0);
	enter(0);
	mem[CELL(b, 0, 0)]++;
	fate(0);
#ifdef LEAVE_EARLY
	leave(0);
	mem[CELL(b, 0, 1)]++;
#else
	mem[CELL(b, 0, 1)]++;
	fate(0);
	leave(0);
#endif
	nr_acked[0]++;
	store_release(0, SAID, 1);
out:
	gone = true;
	nr_done++
}

/* tally_ledger_add(), in add_marked() or in the inlined sequence: its cell is
 * its CPU's alone. */
proctype add_b()
{
	byte e, b, v;

	if
	:: mem[SAID] == 1
	:: gone && is_drained(0) && mem[SAID] == 0 -> goto out
	fi;
#ifdef SEQUENCES
again:
	atomic { in_sequence = true; restart = false };
	load(1, EPOCH, b);
	b = b & 1;
	fate(1);
	atomic {
		if
		:: restart -> goto again
		:: else
		fi;
		load(1, CELL(b, 1, 0), v);
		store(1, CELL(b, 1, 0), v + 1);
		in_sequence = false
	}
#else
	take_slot(1);
	enter(1);
	load(1, CELL(b, 1, 0), v);
	store(1, CELL(b, 1, 0), v + 1);
	fate(1);
	leave(1);
#endif
	nr_acked[1]++;
out:
	in_sequence = false;
	nr_done++
}

inline barrier(m)
{
	fence(MOVER(m));
#if !defined(NO_BARRIER) && !defined(FENCED)
	d_step {
		drain_all();
#ifndef NO_RESTART
		restart = in_sequence
#endif
	}
#endif
}

/* wait_for_mark(), and doubt_reap() of one who died. A process is known to be
 * dead after its stores are out. */
inline wait_for_mark(t)
{
	do
	:: d_step { mem[MARK(t)] == 0 || mem[MARK(t)] >> 1 >= epoch } -> break
	:: d_step { mem[MARK(t)] != 0 && dead[t] && is_drained(t) ->
			mem[MARK(t)] = 0;
#ifndef NO_DOUBT
			doubted = true
#endif
		}
#ifndef NO_DEADLINE
	:: d_step { mem[MARK(t)] != 0 && mem[MARK(t)] >> 1 < epoch } ->
		err = true;
		break
#endif
	od
}

inline grace(m)
{
#ifdef THREADS_EARLY
	nr = nr_threads;
	barrier(m);
#else
	barrier(m);
	nr = nr_threads;
#endif
#ifndef NO_WAIT
	if
	:: nr > 0 -> wait_for_mark(0)
	:: else
	fi;
	if
	:: nr > 1 && !err -> wait_for_mark(1)
	:: else
	fi;
#endif
	if
	:: !err -> frozen = epoch
	:: else
	fi
}

/* The fold is one step here; fold.pml has it in its own. */
inline fold()
{
	d_step {
		i = 0;
		do
		:: i < 4 ->
			settled[i] = settled[i] + mem[4 + bank * 4 + i];
			mem[4 + bank * 4 + i] = 0;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline settle(m)
{
	if
	:: folded != epoch ->
		if
		:: frozen != epoch -> grace(m)
		:: else
		fi;
		if
		:: !err ->
			bank = (epoch - 1) & 1;
			fold();
			folded = epoch
		:: else
		fi
	:: else
	fi
}

inline own(m)
{
	atomic { owner == 0 -> owner = m + 1 }
}

inline disown(m)
{
	atomic { fence(MOVER(m)) -> owner = 0 }
}

#define IN(i) (settled[i] + mem[4 + bank * 4 + (i)])

inline look()
{
	d_step {
		assert(doubted || IN(0) == IN(1));
		assert(doubted || IN(2) == 0 || IN(0) == 1);
		assert(IN(0) <= 1 && IN(1) <= 1 && IN(2) <= 1);
		sum = IN(0) + IN(1) + IN(2)
	}
}

/* Takes NR snapshots, each of which may be an older one that it joins. Two
 * movers with one each use both banks anew. */
#ifndef NR
#define NR 1
#endif

proctype mover(byte m)
{
	byte epoch, bank, nr, i, sum, first, tries;
	bool err;

	do
	:: tries < NR ->
		tries++;
		err = false;
		own(m);
		load(MOVER(m), EPOCH, epoch);
		if
		:: folded != epoch && frozen == epoch && pins > 0 ->
			if
			:: skip /* join */
			:: err = true /* -EBUSY */
			fi
		:: else ->
			settle(m);
			if
			:: !err ->
				epoch++;
				store_release(MOVER(m), EPOCH, epoch);
				grace(m)
			:: else
			fi
		fi;
#ifdef PIN_AFTER
		disown(m);
		if
		:: !err -> pins++
		:: else
		fi;
#else
		if
		:: !err -> pins++
		:: else
		fi;
		disown(m);
#endif
		if
		:: err
		:: else ->
			bank = (epoch - 1) & 1;
			look();
			first = sum;
			look();
			assert(sum == first);
			d_step { pins--; first = 0; sum = 0; bank = 0 };
			own(m);
			if
			:: pins == 0 ->
				load(MOVER(m), EPOCH, epoch);
				settle(m)
			:: else
			fi;
			disown(m)
		fi;
		d_step { epoch = 0; bank = 0; nr = 0 }
	:: else -> break
	od;
	nr_done++
}

#define ALL(i) (settled[i] + mem[4 + (i)] + mem[8 + (i)])

init {
	atomic {
		run memory(0);
		run memory(1);
		run memory(2);
		run memory(3);
		run post_a();
		run add_b();
		run mover(0);
		run mover(1)
	};
end:
	nr_done == 4 && is_drained(0) && is_drained(1);
	d_step {
		assert(ALL(0) >= nr_acked[0] && ALL(0) <= 1);
		assert(ALL(1) >= nr_acked[0] && ALL(1) <= 1);
		assert(ALL(2) >= nr_acked[1] && ALL(2) <= 1)
	}
}
