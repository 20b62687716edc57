/* SPDX-License-Identifier: MIT */
/*
 * First touch of a bucket (ledger_touch() in lib/ledger/touch.c), by two processes
 * that race in one lane, may be killed at any step and may find no room, beside a
 * view (lib/view/sum.c). Two buckets, each with a page for its header and one for
 * its cells; touching a page that does not exist is a SIGBUS.
 *
 *   toucher of bucket b                     view
 *
 *   ┌─ from = headers.len                   ┌─ b < headers.len?
 *   ├─ tally_region_populate: cells of b    ├─ header b: base, or len > 0?
 *   ├─ … : headers from … b                 ├─ header b: base as planned?
 *   ├─ base of header b                     └─ the cells of b
 *   ├─ tally_slice_grow: headers.len
 *   ├─ tally_slice_lay: cap and len of header b
 *   ├─ touched (in its process)
 *   └─ the add
 *
 * Holds: a process that reads a len finds the pages, and base; an add that has
 * returned is visible; populating a page loses no add.
 *
 * must fail:
 *   -DRELAXED		lens are stored without the publication barrier,
 *			TALLY_SLICE_PUBLISH (fails on weak machines)
 *   -DLEN_FIRST	a header's len grows before its cells' page exists
 *   -DOWN_PAGE		only the header's own page is made, not those before it
 *   -DGROW_STORE	a len is stored, not raised
 *   -DTOUCHED_EARLY	touched is set before the headers are
 *   -DTOUCH_STORE	a page is made by storing what was loaded from it
 */
#define NR_CPUS	 2
#define NR_WORDS 7
#define NR_SLOTS 3

#define LEN	0
#define HLEN(b) (1 + (b))
#define BASE(b) (3 + (b))
#define CELL(b) (5 + (b))

#include "memory.pml"

/* The file's pages: the kernel makes each for all processes at once. */
bool headers[2];
bool cells[2];

byte nr_added[2];
byte nr_done;

inline fate()
{
	if
	:: skip
	:: goto out
	fi
}

/* tally_region_populate(): there may be no room. */
inline populate(page)
{
	if
	:: page = true
	:: !page -> goto out
	fi
}

inline populate_cells()
{
	populate(cells[b]);
#ifdef TOUCH_STORE
	load(t, CELL(b), value);
	store(t, CELL(b), value);
#endif
	fate()
}

inline populate_headers()
{
	if
	:: from <= b ->
#ifndef OWN_PAGE
		if
		:: from == 0 -> populate(headers[0])
		:: else
		fi;
#endif
		populate(headers[b])
	:: else
	fi;
	fate()
}

/* A compare-and-exchange with release. */
inline grow(word, to)
{
	atomic {
#ifndef RELAXED
		fence(t);
#endif
#ifdef GROW_STORE
		mem[word] = to
#else
		if
		:: mem[word] < to -> mem[word] = to
		:: else
		fi
#endif
	};
	fate()
}

inline add()
{
	assert(cells[b]);
	d_step {
		mem[CELL(b)]++;
		nr_added[b]++
	}
}

/* Touches the bucket, and adds to it; then the other one. */
proctype toucher(bit t)
{
	byte from, value, n;
	bit b;

	if
	:: b = 0
	:: b = 1
	fi;
	do
	:: n < 2 ->
		load(t, LEN, from);
#ifndef LEN_FIRST
		populate_cells();
#endif
		populate_headers();
		assert(headers[b]);
		store_release(t, BASE(b), 1);
#ifdef TOUCHED_EARLY
		add();
#endif
		grow(LEN, b + 1);
		grow(HLEN(b), 1);
#ifdef LEN_FIRST
		populate_cells();
#endif
#ifndef TOUCHED_EARLY
		add();
#endif
		n++;
		b = 1 - b;
		from = 0;
		value = 0
	:: else -> break
	od;
out:
	nr_done++
}

proctype view()
{
	byte least, sum;
	bit b;

	if
	:: b = 0
	:: b = 1
	fi;
	least = nr_added[b];
	if
	:: mem[LEN] > b ->
		assert(headers[b]);
		if
		:: mem[HLEN(b)] > 0 || mem[BASE(b)] ->
			assert(mem[BASE(b)] == 1);
			assert(cells[b]);
			sum = mem[CELL(b)]
		:: else
		fi
	:: else
	fi;
	assert(sum >= least && sum <= nr_added[b]);
	nr_done++
}

init {
	atomic {
		run memory(0);
		run memory(1);
		run toucher(0);
		run toucher(1);
		run view()
	};
end:
	nr_done == 3 && is_drained(0) && is_drained(1);
	d_step {
		assert(mem[CELL(0)] == nr_added[0]);
		assert(mem[CELL(1)] == nr_added[1])
	}
}
