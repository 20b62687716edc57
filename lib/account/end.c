// SPDX-License-Identifier: MIT
/*
 * How accounts end: what they own, and what holds them.
 *
 * One process at a time does all of this, under directory_lock(). Each change
 * takes effect by one store, and what follows from the change can be derived
 * from the file. If the owner of the lock dies, the next one repeats that
 * (end_recover()) before it makes its own change.
 *
 *	change			takes effect with	follows
 *	set_owner		owner's child		account's owner
 *	end			account's phase		phases of what it owns
 *	the last pin is		account's pins		GONE, if it owns nothing
 *	dropped						any more
 *	gone			account's phase		generation, ended, bit;
 *							GONE of its owner
 *	freed: account/		off its owner's list,	bits, FREE
 *	reclaim.c		off its chain
 */
#include "config.h"

#include "account/internal.h"
#include "file/reserved.h"

/* All that follows from GONE, except for its owner. */
static void follow_gone(const struct tally_accounts *a, uint32_t row)
{
	struct layout_rows *rows = rows_of(a, row);
	struct record *r = record_at(a, row);
	uint32_t generation = generation_of(a, row);

	if (generation & 1)
		__atomic_store_n(generation_at(a, row), generation + 1,
				 __ATOMIC_RELEASE);
	/* Adds after the membarrier of the next epoch see the generation. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(
		&r->ended,
		(uint32_t)__atomic_load_n(&layout_control(a->layout)->epoch,
					  __ATOMIC_RELAXED),
		__ATOMIC_RELAXED);
	__atomic_fetch_and(&rows->ready, ~row_bit(row), __ATOMIC_RELAXED);
	if (__atomic_fetch_or(&rows->gone, row_bit(row), __ATOMIC_RELEASE) &
	    row_bit(row))
		return;
	__atomic_fetch_add(&directory_at(a->layout)->nr_gone, 1,
			   __ATOMIC_RELAXED);
}

void end_prune(struct tally_accounts *a, uint32_t owner)
{
	uint32_t *from = &record_at(a, owner)->child;

	for (uint32_t steps = directory_nr_rows(a); row_link(a, from) && steps;
	     steps--) {
		struct record *child = record_at(a, row_link(a, from) - 1);

		if (phase_of(child) == TALLY_PHASE_GONE)
			__atomic_store_n(from, link_of(&child->sibling),
					 __ATOMIC_RELEASE);
		else
			from = &child->sibling;
	}
}

/* Whether it owns an account that is not gone. Unlinks gone accounts from the
 * front of the list only, so that each is visited once. */
static bool owns_any(struct tally_accounts *a, struct record *r)
{
	for (uint32_t steps = directory_nr_rows(a);
	     row_link(a, &r->child) && steps; steps--) {
		struct record *child = record_at(a, row_link(a, &r->child) - 1);

		if (phase_of(child) != TALLY_PHASE_GONE)
			return true;
		__atomic_store_n(&r->child, link_of(&child->sibling),
				 __ATOMIC_RELEASE);
		__atomic_store_n(&child->owner, 0, __ATOMIC_RELAXED);
	}
	return row_link(a, &r->child);
}

/* Finish the account if nothing holds it. Return whether it is gone. */
static bool finish(struct tally_accounts *a, uint32_t row)
{
	struct record *r = record_at(a, row);

	if (phase_of(r) != TALLY_PHASE_TERMINATING)
		return phase_of(r) == TALLY_PHASE_GONE;
	/* Pairs with the fence in reserving and taking, which check the phase
	 * behind it. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (LIFECYCLE_PINS(lifecycle_of(r)) || owns_any(a, r) ||
	    reserved_any_of(a->layout, row))
		return false;
	set_phase(r, TALLY_PHASE_GONE);
	follow_gone(a, row);
	return true;
}

void end_finish(struct tally_accounts *a, uint32_t row)
{
	for (uint32_t steps = directory_nr_rows(a); steps; steps--) {
		uint32_t owner = row_link(a, &record_at(a, row)->owner);

		if (!finish(a, row) || !owner)
			return;
		row = owner - 1;
	}
}

static void start_end(struct record *r)
{
	uint32_t phase = phase_of(r);

	if (phase == TALLY_PHASE_PENDING || phase == TALLY_PHASE_READY)
		set_phase(r, TALLY_PHASE_TERMINATING);
}

/* Start to end the accounts down the first children, and return the last one.
 * The steps are limited: damaged links may form a ring. */
static uint32_t start_down(const struct tally_accounts *a, uint32_t row,
			   uint64_t *steps)
{
	for (;;) {
		struct record *r = record_at(a, row);
		uint32_t child = row_link(a, &r->child);

		start_end(r);
		if (!child || !*steps)
			return row;
		row = child - 1;
		--*steps;
	}
}

void end_all(struct tally_accounts *a, uint32_t row)
{
	uint64_t steps = 2 * (uint64_t)directory_nr_rows(a);
	uint32_t at = start_down(a, row, &steps);

	while (at != row && steps) {
		uint32_t owner = row_link(a, &record_at(a, at)->owner);
		uint32_t sibling = row_link(a, &record_at(a, at)->sibling);

		steps--;
		finish(a, at);
		if (sibling)
			at = start_down(a, sibling - 1, &steps);
		else if (owner)
			at = owner - 1;
		else
			break;
	}
	end_finish(a, row);
}

/* Set the owner of what the row's account owns. An account has one owner, so
 * the calls for all rows take at most as many steps as there are rows. */
static void follow_owned(const struct tally_accounts *a, uint32_t row,
			 uint32_t *steps)
{
	for (uint32_t c = row_link(a, &record_at(a, row)->child); c && *steps;
	     --*steps) {
		__atomic_store_n(&record_at(a, c - 1)->owner, row + 1,
				 __ATOMIC_RELAXED);
		c = row_link(a, &record_at(a, c - 1)->sibling);
	}
}

static bool is_root(const struct tally_accounts *a, const struct record *r)
{
	uint32_t owner = row_link(a, &r->owner);

	return !owner ||
	       phase_of(record_at(a, owner - 1)) != TALLY_PHASE_TERMINATING;
}

void end_recover(struct tally_accounts *a)
{
	uint32_t end = directory_nr_rows(a), steps = end;

	for (uint32_t row = 0; row < end; row++)
		if (lifecycle_is_live(lifecycle_of(record_at(a, row))))
			follow_owned(a, row, &steps);
	for (uint32_t row = 0; row < end; row++) {
		const struct record *r = record_at(a, row);
		struct layout_rows *rows = rows_of(a, row);

		if (phase_of(r) == TALLY_PHASE_GONE &&
		    (generation_of(a, row) & 1 ||
		     !(__atomic_load_n(&rows->gone, __ATOMIC_RELAXED) &
		       row_bit(row))))
			follow_gone(a, row);
		if (phase_of(r) == TALLY_PHASE_TERMINATING && is_root(a, r))
			end_all(a, row);
	}
}
