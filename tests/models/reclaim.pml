/* SPDX-License-Identifier: MIT */
/*
 * When a gone account's row is free: adds with the old handle, beside the end
 * (follow_gone() in lib/account/end.c) and a mover that cleans the row and frees
 * it (fold_bucket() in lib/snapshot/fold.c, directory_collect() in
 * lib/account/reclaim.c). One row in two planes.
 *
 *   writer, with the old handle     end                  mover
 *
 *   ┌─ word in flight = epoch       ┌─ generation + 1    ┌─ epoch + 1
 *   ├─ bank = epoch & 1             ├─ fence             ├─ barrier
 *   ├─ generation? ── other ──┐     ├─ ended = epoch     ├─ wait for older
 *   ├─ add                    │     └─ gone              │   words ─▶ frozen
 *   └─ word = 0  ◀────────────┘                          ├─ fold, each plane:
 *                                                        │   gone, and epoch -
 *                                                        │   ended ≥ 3? the
 *                                                        │   row's go to rest
 *                                                        └─ the same, and is
 *                                                           it clean? free
 *
 * The generation may be compared before the bank is read or after. It may be read
 * ahead of its turn, as weak machines do; after a membarrier it is read again.
 *
 * Holds: nothing is added to a free row, and it is empty; each add counts once.
 * The writer may be stopped or killed at any step.
 *
 * must fail:
 *   -DEPOCHS=1, =2	freed by the first, the second fold
 *   -DFIRST		the generation is compared before the word is set
 *   -DNO_BARRIER	the mover calls no membarrier
 *   -DNO_WAIT		the mover does not wait for adds in flight
 *   -DENDED_EARLY	the epoch is read before the generation is stored
 *   -DNO_FENCE		the end has no fence
 *   -DUNSEEN		the row is freed without checking that it is clean
 */
#define NR_CPUS	 3
#define NR_WORDS 9
#define NR_SLOTS 3

#define EPOCH		  0
#define INFLIGHT		  1
#define GENERATION	  2
#define ENDED		  3
#define GONE		  4
#define CELL(bank, plane) (5 + (bank) * 2 + (plane))

#include "memory.pml"

#ifndef EPOCHS
#define EPOCHS 3
#endif
#define NR_FLIPS 5
#ifndef NR_ADDS
#define NR_ADDS 1
#endif

#define WRITER 0
#define ENDER  1
#define MOVER  2

/* The writer has read the generation ahead, and may have to read it again. */
bool ahead;
bool undone;
bool dead;

byte folded_cells[2];
byte rest;
bool freed;
byte nr_acked;
byte nr_begun;
byte nr_done;

inline fate()
{
	if
	:: skip
	:: goto out
	:: dead = true; goto out
	fi
}

inline compare()
{
	atomic {
		if
		:: ahead
		:: else -> load(WRITER, GENERATION, g)
		fi;
		undone = false
	}
}

proctype writer()
{
	byte e, b, g, v, n;
	bit p;

	do
	:: n < NR_ADDS ->
		n++;
		d_step { undone = true; ahead = false };
		if
		:: atomic { load(WRITER, GENERATION, g); ahead = true }
#ifndef FIRST
		:: skip
#endif
		fi;
		load(WRITER, EPOCH, e);
		store(WRITER, INFLIGHT, e << 1 | 1);
		if
		:: compare(); load(WRITER, EPOCH, b)
		:: load(WRITER, EPOCH, b); compare()
		fi;
		fate();
		if
		:: g == 1 ->
			if
			:: p = 0
			:: p = 1
			fi;
			nr_begun++;
			load(WRITER, CELL(b & 1, p), v);
			atomic {
				assert(!freed);
				store(WRITER, CELL(b & 1, p), v + 1)
			};
			fate();
			store_release(WRITER, INFLIGHT, 0);
			nr_acked++
		:: else ->
			store_release(WRITER, INFLIGHT, 0);
			break
		fi
	:: else -> break
	od;
out:
	nr_done++
}

proctype ender()
{
	byte e;

#ifdef ENDED_EARLY
	load(ENDER, EPOCH, e);
#endif
	store_release(ENDER, GENERATION, 2);
#ifndef NO_FENCE
	fence(ENDER);
#endif
#ifndef ENDED_EARLY
	load(ENDER, EPOCH, e);
#endif
	store(ENDER, ENDED, e);
	store_release(ENDER, GONE, 1);
	nr_done++
}

inline barrier()
{
	fence(MOVER);
#ifndef NO_BARRIER
	d_step {
		/* A CPU that runs no thread of the ledger has no stores. */
		drain_writer();
#ifndef FIRST
		ahead = ahead && !undone
#endif
	}
#endif
}

/* On the writer's CPU; the end has a fence of its own. */
inline drain_writer()
{
	do
	:: buffers[WRITER].nr -> drain(WRITER, 0)
	:: else -> break
	od
}

inline wait_for_inflight()
{
	do
#ifdef NO_WAIT
	:: break
#endif
	:: d_step { mem[INFLIGHT] == 0 || mem[INFLIGHT] >> 1 >= epoch } -> break
	:: d_step { mem[INFLIGHT] && dead && is_drained(WRITER) -> mem[INFLIGHT] = 0 }
	:: d_step { mem[INFLIGHT] && mem[INFLIGHT] >> 1 < epoch } -> goto out
	od
}

#define IS_OVER (mem[GONE] && epoch >= mem[ENDED] + EPOCHS)

inline fold(plane)
{
	d_step {
		folded_cells[plane] = folded_cells[plane] + mem[CELL(bank, plane)];
		mem[CELL(bank, plane)] = 0;
		if
		:: IS_OVER ->
			rest = rest + folded_cells[plane];
			folded_cells[plane] = 0
		:: else
		fi
	}
}

inline collect()
{
	d_step {
		if
#ifdef UNSEEN
		:: IS_OVER && !freed ->
#else
		:: IS_OVER && !freed && folded_cells[0] == 0 && folded_cells[1] == 0 ->
#endif
			freed = true;
			assert(folded_cells[0] == 0 && folded_cells[1] == 0);
			assert(mem[CELL(0, 0)] == 0 && mem[CELL(0, 1)] == 0);
			assert(mem[CELL(1, 0)] == 0 && mem[CELL(1, 1)] == 0)
		:: else
		fi
	}
}

proctype mover()
{
	byte epoch, bank, n;

	do
	:: n < NR_FLIPS && !freed ->
		n++;
		epoch++;
		store_release(MOVER, EPOCH, epoch);
		barrier();
		wait_for_inflight();
		bank = (epoch - 1) & 1;
		fold(0);
		fold(1);
		collect()
	:: else -> break
	od;
out:
	nr_done++
}

#define ALL                                                            \
	(rest + folded_cells[0] + folded_cells[1] + mem[CELL(0, 0)] +            \
	 mem[CELL(0, 1)] + mem[CELL(1, 0)] + mem[CELL(1, 1)])

init {
	d_step { mem[GENERATION] = 1 };
	atomic {
		run memory(WRITER);
		run memory(ENDER);
		run memory(MOVER);
		run writer();
		run ender();
		run mover()
	};
end:
	nr_done == 3 && is_drained(WRITER) && is_drained(ENDER) &&
		is_drained(MOVER);
	assert(ALL >= nr_acked && ALL <= nr_begun)
}
