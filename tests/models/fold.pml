/* SPDX-License-Identifier: MIT */
/*
 * The fold of a frozen bank into the folded cells (lib/snapshot/fold.c), by movers
 * that may be killed at any step, beside a live view (lib/view/sum.c) and a
 * writer. One bucket of two cells.
 *
 *   mover: own ─▶ fold ─▶ epoch + 1 ─▶ frozen ─▶ snapshot ─▶ fold ─▶ disown
 *
 *   writer: set the word in flight ─▶ mark the bucket, if it is the first add in
 *           this epoch ─▶ add ─▶ clear the word
 *
 *   fold: fold_bucket, of a bucket that is marked in its bank:
 *                does the state have this epoch? ─── yes ──┐
 *                   │ no                                   │
 *                sum_lanes                                 │
 *                   │                                      │
 *                other copy = this copy + sums             │
 *                   │                                      │
 *                state = epoch << 1 | other copy           │
 *                   │        it counts from here on        │
 *                fence                                     │
 *                   │                                      │
 *                zero_lanes  ◀─────────────────────────────┘
 *                   │
 *                unmark
 *                   │
 *                folded = epoch
 *
 * If a mover is killed anywhere, the next owner repeats the same steps.
 *
 * Holds: a snapshot has exactly what was added before its epoch; a live view has
 * all that was added before it began, and nothing twice; at the end, with all
 * movers dead or done, each add counts once.
 *
 * must fail:
 *   -DZERO_FIRST	zero_lanes before the state is stored
 *   -DIN_PLACE		sums are added to the copy that counts
 *   -DSTATE_UNREAD	what this epoch has folded is folded again
 *   -DFOLDED_EARLY	folded is stored before zero_lanes
 *   -DNO_FENCE		zeros may overtake the state (fails on weak machines)
 *   -DOVERTAKEN		the view accepts a state of a later epoch than its own
 *   -DNO_AGAIN		the view does not read the state again
 *   -DSTEAL_LIVE	the lock is taken from a live owner
 *   -DUNMARK_FIRST	a bucket is unmarked before zero_lanes
 *   -DMARK_KEPT	a writer's add relies on a mark of an older epoch
 *   -DMARK_UNSET	the writer marks before its word is in flight
 */
#define NR_CPUS	 2
#define NR_WORDS 12
#define NR_SLOTS 3

#define EPOCH	      0
#define STATE	      1
#define COPY(c, i)    (2 + (c) * 2 + (i))
#define CELL(bank, i) (6 + (bank) * 2 + (i))
#define MARK(bank)    (10 + (bank))

#include "memory.pml"

byte inflight; /* the writer's word: epoch + 1 */
byte owner;
byte frozen;
byte folded;
bool dead[2];
byte nr_done;

/* Adds to each cell, in all and by epoch. */
byte nr_added[2];
byte nr_in[6]; /* [epoch][cell] */

inline fate()
{
	if
	:: skip
	:: dead[m] = true; goto out
	fi
}

inline sum_cell(i, to)
{
	load(m, CELL(bank, i), to)
}

inline copy_cell(i, amount)
{
	load(m, COPY(state & 1, i), value);
#ifdef IN_PLACE
	store(m, COPY(state & 1, i), value + amount);
#else
	store(m, COPY(1 - (state & 1), i), value + amount);
#endif
	fate()
}

inline zero_cell(i)
{
	load(m, CELL(bank, i), value);
	if
	:: value -> store(m, CELL(bank, i), 0)
	:: else
	fi;
	fate()
}

inline zero_lanes()
{
	zero_cell(0);
	zero_cell(1)
}

inline unmark()
{
	store(m, MARK(bank), 0);
	fate()
}

inline set_folded()
{
	atomic {
		fence(m);
		folded = epoch
	};
	fate()
}

inline fold_bucket()
{
	load(m, STATE, state);
#ifdef STATE_UNREAD
	if
	:: true ->
#else
	if
	:: state >> 1 == epoch
	:: else ->
#endif
		sum_cell(0, sum0);
		sum_cell(1, sum1);
		if
		:: sum0 || sum1 ->
			copy_cell(0, sum0);
			copy_cell(1, sum1);
#ifdef ZERO_FIRST
			zero_lanes();
#endif
#ifdef IN_PLACE
			store_release(m, STATE, epoch << 1 | (state & 1));
#else
			store_release(m, STATE, epoch << 1 | (1 - (state & 1)));
#endif
			fate()
		:: else
		fi
	fi;
#ifndef NO_FENCE
	fence(m);
#endif
#ifdef FOLDED_EARLY
	set_folded();
#endif
#ifdef UNMARK_FIRST
	unmark();
#endif
	zero_lanes();
#ifndef UNMARK_FIRST
	unmark();
#endif
	d_step { bank = 0; state = 0; value = 0; sum0 = 0; sum1 = 0 }
}

inline fold()
{
	if
	:: folded != epoch ->
		assert(frozen == epoch);
		bank = (epoch - 1) & 1;
		load(m, MARK(bank), value);
		if
		:: value -> fold_bucket()
		:: else -> bank = 0
		fi;
		set_folded()
	:: else
	fi
}

/* epoch.pml proves that an add that is waited for has reached the bank. */
inline freeze()
{
	atomic {
		fence(m) && (inflight == 0 || inflight == epoch + 1);
		frozen = epoch
	}
}

inline own()
{
	atomic {
		if
		:: owner == 0
#ifdef STEAL_LIVE
		:: owner == 2 - m
#else
		:: owner == 2 - m && dead[1 - m] && is_drained(1 - m)
#endif
		fi;
		owner = m + 1
	}
}

inline disown()
{
	atomic { fence(m) -> owner = 0 }
}

/* A snapshot's amount: the copy that counts, and the frozen bank. */
#define TAKEN(i) \
	(mem[COPY(mem[STATE] & 1, i)] + mem[CELL((epoch - 1) & 1, i)])
#define BEFORE(i) (nr_in[i] + (epoch > 1 -> nr_in[2 + (i)] : 0))

proctype mover(byte m)
{
	byte epoch, bank, state, value, sum0, sum1;

	own();
	load(m, EPOCH, epoch);
	if
	:: frozen != epoch -> freeze()
	:: else
	fi;
	fold();
	epoch++;
	store_release(m, EPOCH, epoch);
	fate();
	freeze();
	fate();
	d_step {
		assert(TAKEN(0) == BEFORE(0));
		assert(TAKEN(1) == BEFORE(1))
	};
	fold();
	disown();
out:
	nr_done++
}

#ifndef NR_ADDS
#define NR_ADDS 2
#endif

#ifdef MARK_KEPT
#define IS_MARKED (marked[e & 1] != 0)
#else
#define IS_MARKED (marked[e & 1] == e + 1)
#endif

inline mark()
{
	d_step {
		if
		:: !IS_MARKED ->
			mem[MARK(e & 1)] = 1;
			marked[e & 1] = e + 1
		:: else
		fi
	}
}

/* What the writer knows to be marked, by bank: an epoch + 1. */
proctype writer()
{
	byte n, e;
	byte marked[2];

	do
	:: n < NR_ADDS ->
#ifdef MARK_UNSET
		e = mem[EPOCH];
		mark();
		atomic {
			inflight = mem[EPOCH] + 1;
			e = mem[EPOCH]
		};
#else
		atomic {
			inflight = mem[EPOCH] + 1;
			e = mem[EPOCH]
		};
		mark();
#endif
		d_step {
			mem[CELL(e & 1, n & 1)]++;
			nr_in[e * 2 + (n & 1)]++;
			nr_added[n & 1]++;
			n++;
			inflight = 0
		}
	:: else -> break
	od;
	nr_done++
}

/* The live sum of one cell. */
proctype view()
{
	byte epoch, state, sum, least;
	bit i;

	if
	:: i = 0
	:: i = 1
	fi;
	least = nr_added[i];
again:
	epoch = mem[EPOCH];
	state = mem[STATE];
#ifndef OVERTAKEN
	if
	:: state >> 1 > epoch -> goto again
	:: else
	fi;
#endif
	sum = mem[COPY(state & 1, i)];
	sum = sum + mem[CELL(epoch & 1, i)];
	if
	:: state >> 1 != epoch -> sum = sum + mem[CELL(1 - (epoch & 1), i)]
	:: else
	fi;
#ifndef NO_AGAIN
	if
	:: mem[STATE] != state -> goto again
	:: else
	fi;
#endif
	assert(sum >= least && sum <= nr_added[i]);
	nr_done++
}

#define LIVE(i)                                          \
	(mem[COPY(mem[STATE] & 1, i)] +                  \
	 mem[CELL(mem[EPOCH] & 1, i)] +                  \
	 (mem[STATE] >> 1 == mem[EPOCH] -> 0 :           \
	  mem[CELL(1 - (mem[EPOCH] & 1), i)]))

init {
	atomic {
		run memory(0);
		run memory(1);
		run mover(0);
		run mover(1);
		run writer();
		run view()
	};
end:
	nr_done == 4 && is_drained(0) && is_drained(1);
	d_step {
		assert(LIVE(0) == nr_added[0]);
		assert(LIVE(1) == nr_added[1]);
		/* What no fold would visit any more is zero. */
		assert(mem[MARK(0)] || !(mem[CELL(0, 0)] || mem[CELL(0, 1)]));
		assert(mem[MARK(1)] || !(mem[CELL(1, 0)] || mem[CELL(1, 1)]))
	}
}
