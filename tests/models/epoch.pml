/* SPDX-License-Identifier: MIT */
/*
 * The epoch flip: writers choose a bank, movers freeze one (lib/epoch.c,
 * lib/mark.h, lib/ledger_add.c).
 *
 *   writer, for each charge                  mover, who owns
 *
 *   ┌─ mark_thread: a slot, nr_threads       ┌─ epoch_pin: own
 *   │                                        │
 *   ├─ mark_enter: mark = tag                ├─ move_on ─ pinned ──▶ join, or
 *   │    (a fence where no membarrier is)    │    │                  -EBUSY
 *   ├─ enter: bank = tag & 1                 │    ├─ settle: fold ─▶ folded
 *   ├─ is the generation as it was?          │    ├─ epoch + 1
 *   ├─ add, add: to the bank's cells         │    └─ grace: tag, barrier, wait
 *   │                                        │         for older marks ─▶ frozen
 *   └─ mark_leave: mark = 0                  ├─ pins + 1, disown
 *                                            ├─ the sums
 *   or, -DSEQUENCES, in one sequence,        │
 *   that a membarrier restarts:              └─ epoch_unpin: the last one
 *      bank = tag & 1, add                        settles
 *
 * The inlined marked sequence is the writer's left side, in which the tag that
 * the mark was made of may be an older one; it then adds nothing unless the
 * second look shows the same.
 *
 * Writer 0 posts A, of two amounts, and says so to writer 1, which then adds
 * B. Each is a process of its own, that may be stopped or killed at any step.
 *
 * Holds: a snapshot has A whole or not at all, or names it as doubtful; it has
 * no B without A; it stands still; two that pin one epoch see the same; nobody
 * waits for ever for one that is stopped; what was acknowledged counts once.
 * With ENDS mover 0 first ends the account of B, whose row another may have
 * after the grace period: nothing is added to B then.
 *
 *   -DFENCED		no membarrier: writers and movers have fences
 *   -DSEQUENCES	B is added by a sequence, unmarked
 *   -DENDS		B's account ends
 * must fail:
 *   -DNO_BARRIER	the mover goes without the membarrier
 *   -DNO_FENCE		with FENCED: the writers' fence is left out
 *   -DNO_RESTART	with SEQUENCES: a membarrier that restarts no sequence
 *   -DUNCHECKED	with ENDS: the generation is not looked at
 *   -DGENERATION_EARLY	with ENDS: it is, before the mark is stored
 *   -DMARK_LATE	the bank is read before the mark is stored
 *   -DTHREADS_EARLY	nr_threads is read before the barrier
 *   -DLEAVE_EARLY	the mark is cleared before the second amount
 *   -DNO_WAIT		marks are not waited for
 *   -DNO_DEADLINE	they are waited for without a bound
 *   -DNO_DOUBT		the mark of one who died is dropped, and not named
 *   -DPIN_AFTER	the pin is set after disown
 */
#define NR_CPUS	 4
#ifdef ENDS
#define NR_WORDS 13
#else
#define NR_WORDS 12
#endif
#define NR_SLOTS 3

#define TAG		 0
#define MARK(t)		 (1 + (t))
#define SAID		 3
#define CELL(bank, t, h) (4 + (bank) * 4 + (t) * 2 + (h))
#define GENERATION	 12

#include "memory.pml"

#define MOVER(m) (2 + (m))

byte nr_threads;
bool dead[2];
bool gone; /* writer 0, with A said or not */
byte nr_acked[2];

/* Under owner, whose compare-and-exchange orders them. */
byte owner;
byte epoch_word;
byte frozen;
byte folded;
byte pins;

byte settled[4];
#ifdef ENDS
bool ended; /* B's account, and what was under way was waited for */
#define NOT_ENDED !ended
#else
#define NOT_ENDED true
#endif
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
	load(t, TAG, e);
	store(t, MARK(t), e << 1 | 1);
#if defined(FENCED) && !defined(NO_FENCE)
	fence(t);
#endif
}

inline enter(t)
{
#ifdef MARK_LATE
	load(t, TAG, b);
	mark(t);
#else
	mark(t);
	load(t, TAG, b);
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

/* Of B's account, in is_stale(): it may have been ended. */
inline check_generation()
{
#if defined(ENDS) && !defined(UNCHECKED)
	load(1, GENERATION, v);
	if
	:: v != 0 ->
		store_release(1, MARK(1), 0);
		goto out
	:: else
	fi
#else
	skip
#endif
}

/* tally_ledger_add(), with a mark or in the inlined sequence: its cell is
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
	load(1, TAG, b);
	b = b & 1;
	check_generation();
	fate(1);
	atomic {
		if
		:: restart -> goto again
		:: else
		fi;
		assert(NOT_ENDED);
		load(1, CELL(b, 1, 0), v);
		store(1, CELL(b, 1, 0), v + 1);
		in_sequence = false
	}
#else
	take_slot(1);
#ifdef GENERATION_EARLY
	check_generation();
	enter(1);
#else
	enter(1);
	check_generation();
#endif
	assert(NOT_ENDED);
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
	store_release(MOVER(m), TAG, epoch);
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
		epoch = epoch_word;
#ifdef ENDS
		if
		:: m == 0 -> store(MOVER(m), GENERATION, 1)
		:: else
		fi;
#endif
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
				epoch_word = epoch;
				grace(m)
#ifdef ENDS
				;
				if
				:: !err && m == 0 -> ended = true
				:: else
				fi
#endif
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
				epoch = epoch_word;
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
