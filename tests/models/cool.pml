/* SPDX-License-Identifier: MIT */
/*
 * A gone account's row cools down: adds with the old handle beside an end
 * (follow_gone() in lib/account_life.c) and a mover that cleans the row and
 * frees it (fold_bucket() in lib/fold.c, directory_collect() in
 * lib/account_rows.c). One row in two planes.
 *
 *   writer, with the old handle     end                  mover
 *
 *   ┌─ mark = epoch                 ┌─ generation + 1    ┌─ epoch + 1
 *   ├─ bank = epoch & 1             ├─ fence             ├─ barrier
 *   ├─ generation? ── other ──┐     ├─ ended = epoch     ├─ wait for older
 *   ├─ add                    │     └─ gone              │   marks ─▶ frozen
 *   └─ mark = 0  ◀────────────┘                          ├─ fold, each plane:
 *                                                        │   gone, and epoch -
 *                                                        │   ended ≥ 3? the
 *                                                        │   row's go to rest
 *                                                        └─ the same, and is
 *                                                           it clean? free
 *
 * The generation may be compared before the bank is read or after. And it may
 * be read ahead of its turn, as weak machines read; a membarrier before its turn
 * has it read again.
 *
 * Holds: nobody adds to a row that is free; it is empty then; each add counts
 * once. The writer may be stopped or killed at any step.
 *
 * must fail:
 *   -DCOOL=1, =2	freed by the first, the second fold
 *   -DFIRST		the generation is compared before the mark
 *   -DNO_BARRIER	the mover goes without the membarrier
 *   -DNO_WAIT		marks are not waited for
 *   -DENDED_EARLY	the epoch is read before the generation is stored
 *   -DNO_FENCE		the end goes without its fence
 *   -DUNSEEN		it is freed without a look at whether it is clean
 */
#define NR_CPUS	 3
#define NR_WORDS 9
#define NR_SLOTS 3

#define EPOCH		  0
#define MARK		  1
#define GENERATION	  2
#define ENDED		  3
#define GONE		  4
#define CELL(bank, plane) (5 + (bank) * 2 + (plane))

#include "memory.pml"

#ifndef COOL
#define COOL 3
#endif
#define NR_FLIPS 5
#ifndef NR_ADDS
#define NR_ADDS 1
#endif

#define WRITER 0
#define ENDER  1
#define MOVER  2

/* Of the writer: it has read the generation ahead, and may still have to do so
 * again. */
bool ahead;
bool undone;
bool dead;

byte settled[2];
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
		store(WRITER, MARK, e << 1 | 1);
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
			store_release(WRITER, MARK, 0);
			nr_acked++
		:: else ->
			store_release(WRITER, MARK, 0);
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
		/* A CPU that runs no thread of the ledger's has no stores. */
		drain_writer();
#ifndef FIRST
		ahead = ahead && !undone
#endif
	}
#endif
}

/* Of the writer's CPU alone: the end has a fence of its own. */
inline drain_writer()
{
	do
	:: buffers[WRITER].nr -> drain(WRITER, 0)
	:: else -> break
	od
}

inline wait_for_mark()
{
	do
#ifdef NO_WAIT
	:: break
#endif
	:: d_step { mem[MARK] == 0 || mem[MARK] >> 1 >= epoch } -> break
	:: d_step { mem[MARK] && dead && is_drained(WRITER) -> mem[MARK] = 0 }
	:: d_step { mem[MARK] && mem[MARK] >> 1 < epoch } -> goto out
	od
}

#define IS_OVER (mem[GONE] && epoch >= mem[ENDED] + COOL)

inline fold(plane)
{
	d_step {
		settled[plane] = settled[plane] + mem[CELL(bank, plane)];
		mem[CELL(bank, plane)] = 0;
		if
		:: IS_OVER ->
			rest = rest + settled[plane];
			settled[plane] = 0
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
		:: IS_OVER && !freed && settled[0] == 0 && settled[1] == 0 ->
#endif
			freed = true;
			assert(settled[0] == 0 && settled[1] == 0);
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
		wait_for_mark();
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
	(rest + settled[0] + settled[1] + mem[CELL(0, 0)] +            \
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
