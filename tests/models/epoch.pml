/* SPDX-License-Identifier: MIT */
/*
 * How the epoch moves on: writers choose a bank, movers freeze one
 * (lib/snapshot/epoch.c, lib/add/inflight.h, post.c and add.c).
 *
 *   writer, for each charge                  mover, with the epoch lock
 *
 *   ┌─ inflight_thread: slot, nr_threads     ┌─ epoch_pin: own
 *   │                                        │
 *   ├─ inflight_enter: the word in flight    ├─ move_on ─ pinned ──▶ join, or
 *   │    = epoch word (and a fence if        │    │                  -EBUSY
 *   │    membarrier is refused)              │    ├─ finish_fold ─▶ folded
 *   ├─ enter: bank = epoch word & 1          │    ├─ epoch + 1
 *   ├─ is the generation still the same?     │    └─ grace: epoch word, barrier,
 *   ├─ add, add: to the bank's cells         │         wait_for_inflight ─▶ frozen
 *   │                                        │
 *   └─ inflight_leave: the word = 0          ├─ pins + 1, disown
 *                                            ├─ the sums
 *   or, -DSEQUENCES, in one sequence,        │
 *   which a membarrier restarts:             └─ epoch_unpin: the last one calls
 *      bank = epoch word & 1, add                 finish_fold
 *
 * The inlined sequence that sets the word in flight is the writer's left side. It
 * may make the word of an older epoch word; then it adds nothing unless a second
 * look finds the same.
 *
 * Writer 0 adds A, of two amounts, and tells writer 1, which then adds B. Each is
 * a process that may be stopped or killed at any step.
 *
 * Holds: a snapshot has A whole or not at all, or reports it as in doubt; it has
 * no B without A; it does not change; two pins of one epoch see the same; no
 * mover waits for ever for a stopped writer; an acknowledged add counts once.
 * With ENDS mover 0 first ends the account of B, whose row another account may
 * get after the grace period: nothing is added to B then.
 *
 *   -DFENCED		no membarrier: writers and movers have fences
 *   -DSEQUENCES	B is added by a sequence, which sets no word in flight
 *   -DENDS		B's account ends
 * must fail:
 *   -DNO_BARRIER	the mover calls no membarrier
 *   -DNO_FENCE		with FENCED: the writers have no fence
 *   -DNO_RESTART	with SEQUENCES: a membarrier restarts no sequence
 *   -DUNCHECKED	with ENDS: the generation is not compared
 *   -DGENERATION_EARLY	with ENDS: it is compared before the word is set
 *   -DINFLIGHT_LATE	the bank is read before the word is set
 *   -DTHREADS_EARLY	nr_threads is read before the barrier
 *   -DLEAVE_EARLY	the word is cleared before the second amount
 *   -DNO_WAIT		the mover does not wait for adds in flight
 *   -DNO_DEADLINE	the mover waits for them without a time-out
 *   -DNO_IN_DOUBT	the word of a dead writer is cleared and not reported
 *   -DPIN_AFTER	the pin is set after disown
 */
#define NR_CPUS	 4
#ifdef ENDS
#define NR_WORDS 13
#else
#define NR_WORDS 12
#endif
#define NR_SLOTS 3

#define EPOCH_WORD		 0
#define INFLIGHT(t)		 (1 + (t))
#define SAID		 3
#define CELL(bank, t, h) (4 + (bank) * 4 + (t) * 2 + (h))
#define GENERATION	 12

#include "memory.pml"

#define MOVER(m) (2 + (m))

byte nr_threads;
bool dead[2];
bool gone; /* writer 0, with A said or not */
byte nr_acked[2];

/* Protected by the epoch lock, whose compare-and-exchange orders them. */
byte owner;
byte epoch_word;
byte frozen;
byte folded;
byte pins;

byte folded_cells[4];
#ifdef ENDS
bool ended; /* B's account, after a grace period */
#define NOT_ENDED !ended
#else
#define NOT_ENDED true
#endif
bool in_doubt; /* a charge was ever reported */
byte nr_done;

/* A sequence runs; it must restart. */
bool in_sequence;
bool restart;

/* The writer may be stopped here for ever, or killed. */
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

inline set_inflight(t)
{
	load(t, EPOCH_WORD, e);
	store(t, INFLIGHT(t), e << 1 | 1);
#if defined(FENCED) && !defined(NO_FENCE)
	fence(t);
#endif
}

inline enter(t)
{
#ifdef INFLIGHT_LATE
	load(t, EPOCH_WORD, b);
	set_inflight(t);
#else
	set_inflight(t);
	load(t, EPOCH_WORD, b);
#endif
	b = b & 1;
	fate(t)
}

inline leave(t)
{
	store_release(t, INFLIGHT(t), 0)
}

/* A charge by atomic adds. */
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

/* is_stale(): B's account may have ended. */
inline check_generation()
{
#if defined(ENDS) && !defined(UNCHECKED)
	load(1, GENERATION, v);
	if
	:: v != 0 ->
		store_release(1, INFLIGHT(1), 0);
		goto out
	:: else
	fi
#else
	skip
#endif
}

/* tally_ledger_add(), with a word in flight or in the inlined sequence: only this
 * CPU writes to the cell. */
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
	load(1, EPOCH_WORD, b);
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

/* wait_for_inflight(), and in_doubt_reap() of a dead writer. A process is known to
 * be dead only after its stores have reached memory. */
inline wait_for_inflight(t)
{
	do
	:: d_step { mem[INFLIGHT(t)] == 0 || mem[INFLIGHT(t)] >> 1 >= epoch } -> break
	:: d_step { mem[INFLIGHT(t)] != 0 && dead[t] && is_drained(t) ->
			mem[INFLIGHT(t)] = 0;
#ifndef NO_IN_DOUBT
			in_doubt = true
#endif
		}
#ifndef NO_DEADLINE
	:: d_step { mem[INFLIGHT(t)] != 0 && mem[INFLIGHT(t)] >> 1 < epoch } ->
		err = true;
		break
#endif
	od
}

inline grace(m)
{
	store_release(MOVER(m), EPOCH_WORD, epoch);
#ifdef THREADS_EARLY
	nr = nr_threads;
	barrier(m);
#else
	barrier(m);
	nr = nr_threads;
#endif
#ifndef NO_WAIT
	if
	:: nr > 0 -> wait_for_inflight(0)
	:: else
	fi;
	if
	:: nr > 1 && !err -> wait_for_inflight(1)
	:: else
	fi;
#endif
	if
	:: !err -> frozen = epoch
	:: else
	fi
}

/* One step here; fold.pml has the steps. */
inline fold()
{
	d_step {
		i = 0;
		do
		:: i < 4 ->
			folded_cells[i] = folded_cells[i] + mem[4 + bank * 4 + i];
			mem[4 + bank * 4 + i] = 0;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline finish_fold(m)
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

#define IN(i) (folded_cells[i] + mem[4 + bank * 4 + (i)])

inline look()
{
	d_step {
		assert(in_doubt || IN(0) == IN(1));
		assert(in_doubt || IN(2) == 0 || IN(0) == 1);
		assert(IN(0) <= 1 && IN(1) <= 1 && IN(2) <= 1);
		sum = IN(0) + IN(1) + IN(2)
	}
}

/* Takes NR snapshots, or joins older ones. Two movers with one each use both
 * banks again. */
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
			finish_fold(m);
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
				finish_fold(m)
			:: else
			fi;
			disown(m)
		fi;
		d_step { epoch = 0; bank = 0; nr = 0 }
	:: else -> break
	od;
	nr_done++
}

#define ALL(i) (folded_cells[i] + mem[4 + (i)] + mem[8 + (i)])

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
