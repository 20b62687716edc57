// SPDX-License-Identifier: MIT
/*
 * The lives of accounts: who owns whom, who holds whom, and how they end.
 *
 * All of it is done by one process at a time, under directory_lock(). Each
 * change takes effect by one store, and what follows from it can be told from
 * what is in the file: so whoever takes a dead owner's place does that again
 * (recover()), and then his own.
 *
 *	change			takes effect with	follows
 *	set_owner		owner's child		account's owner
 *	end			account's phase		phases of what it owns
 *	the last hold is	account's holds		GONE, if nothing is
 *	dropped						owned any more
 *	gone			account's phase		generation, ended, bit;
 *							GONE of its owner
 *	freed: account_rows.c	off its owner's list,	bits, FREE
 *				off its chain
 */
#include "config.h"

#include <assert.h>
#include <errno.h>

#include "directory.h"
#include "held.h"
#include "owner.h"

#define LOCK_NS INT64_C(1000000000)

/* Gone rows before whoever ends an account cleans them: as many as make it
 * worth to move epochs on, which takes time by the rows in use. */
#define COOL_ROWS  64
#define COOL_SHARE 4

static void set_life(struct record *r, uint32_t life)
{
	__atomic_store_n(&r->life, life, __ATOMIC_RELEASE);
}

static void set_phase(struct record *r, uint32_t phase)
{
	set_life(r, (life_of(r) & ~UINT32_C(15)) | phase);
}

static uint32_t phase_of(const struct record *r)
{
	return LIFE_PHASE(life_of(r));
}

static struct layout_rows *rows_of(const struct tally_accounts *a, uint32_t row)
{
	return rows_at(a->layout, row / LAYOUT_BUCKET_ROWS);
}

/* All that follows from GONE, but for its owner. */
static void follow_gone(const struct tally_accounts *a, uint32_t row)
{
	struct layout_rows *rows = rows_of(a, row);
	struct record *r = record_at(a, row);
	uint32_t generation = generation_of(a, row);

	if (generation & 1)
		__atomic_store_n(generation_at(a, row), generation + 1,
				 __ATOMIC_RELEASE);
	/* Whoever adds behind the membarrier of the next epoch sees that. */
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

void directory_prune(struct tally_accounts *a, uint32_t owner)
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

/* Whether it owns something that is not gone. Only what stands first is taken
 * off the list: so each is taken off once, however many there are. */
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

/* Whether the account is gone by now. */
static bool finish(struct tally_accounts *a, uint32_t row)
{
	struct record *r = record_at(a, row);

	if (phase_of(r) != TALLY_PHASE_TERMINATING)
		return phase_of(r) == TALLY_PHASE_GONE;
	/* Who reserves looks at the phase once more, behind his own fence. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (LIFE_HOLDS(life_of(r)) || owns_any(a, r) ||
	    held_any_of(a->layout, row))
		return false;
	set_phase(r, TALLY_PHASE_GONE);
	follow_gone(a, row);
	return true;
}

/* The same, and then its owners', as far as they waited for it alone. */
static void finish_up(struct tally_accounts *a, uint32_t row)
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

/* From one that ends down to one that owns nothing; by as many steps as are
 * left: what is damaged may be a ring. */
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

/* The account and all that it owns start to end; what can be gone is, what is
 * owned before its owner. */
static void end_all(struct tally_accounts *a, uint32_t row)
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
	finish_up(a, row);
}

/* Each is owned once, so that all take steps rows in all. */
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

/* What follows from what a dead owner did. */
static void recover(struct tally_accounts *a)
{
	uint32_t end = directory_nr_rows(a), steps = end;

	for (uint32_t row = 0; row < end; row++)
		if (life_is_live(life_of(record_at(a, row))))
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
	directory_recount(a);
}

int directory_lock(struct tally_accounts *a, int64_t timeout_ns)
{
	struct wait w = wait_for(timeout_ns);
	uint32_t slot, generation;
	int err;

	if (!a->hooks.join)
		return -EROFS;
	err = a->hooks.join(a->hooks.ledger, &slot, &generation);
	if (err)
		return err;
	pthread_mutex_lock(&a->lock);
	err = owner_take(a->layout, &directory_at(a->layout)->owner, slot, &w);
	if (err < 0) {
		pthread_mutex_unlock(&a->lock);
		return err;
	}
	a->slot = slot;
	if (err)
		recover(a);
	return 0;
}

void directory_unlock(struct tally_accounts *a)
{
	owner_leave(&directory_at(a->layout)->owner, a->slot);
	pthread_mutex_unlock(&a->lock);
}

void directory_join(struct tally_accounts *a, uint32_t slot)
{
	uint64_t *owner = &directory_at(a->layout)->owner;
	struct wait w = wait_no_more();
	int err;

	pthread_mutex_lock(&a->lock);
	/* The process that had our slot may have died as the owner. */
	err = owner_is(owner, slot) ||
	      owner_take(a->layout, owner, slot, &w) == 1;
	if (err)
		recover(a);
	owner_leave(owner, slot);
	pthread_mutex_unlock(&a->lock);
}

void directory_serve(struct tally_accounts *a,
		     const struct directory_hooks *hooks)
{
	a->hooks = *hooks;
}

void directory_forked(struct tally_accounts *a)
{
	pthread_mutex_init(&a->lock, NULL); /* whoever held it is not here */
}

/* Locks, and finds the account. */
static int lock_for(struct tally_accounts *a, struct tally_account account,
		    struct record **r)
{
	int err = directory_lock(a, LOCK_NS);

	if (err)
		return err;
	if (!directory_has(a, account, 0)) {
		directory_unlock(a);
		return -ESTALE;
	}
	directory_is_linked(a, account.row);
	*r = record_at(a, account.row);
	return 0;
}

static bool is_ending(const struct record *r)
{
	return phase_of(r) >= TALLY_PHASE_TERMINATING;
}

int tally_account_ready(struct tally_accounts *a, struct tally_account account)
{
	struct layout_rows *rows;
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	rows = rows_of(a, account.row);
	if (is_ending(r))
		err = -ESHUTDOWN;
	else {
		__atomic_fetch_or(&rows->ready, row_bit(account.row),
				  __ATOMIC_RELEASE);
		set_phase(r, TALLY_PHASE_READY);
	}
	directory_unlock(a);
	return err;
}

/* Whether one is the other, or owns it through any number of others. */
static bool is_above(const struct tally_accounts *a, uint32_t above,
		     uint32_t row)
{
	uint32_t steps = directory_nr_rows(a);

	while (row != above && steps--) {
		uint32_t owner = row_link(a, &record_at(a, row)->owner);

		if (!owner)
			return false;
		row = owner - 1;
	}
	return true;
}

static int set_owner(struct tally_accounts *a, uint32_t row, uint32_t owner)
{
	struct record *r = record_at(a, row), *above = record_at(a, owner);

	if (link_of(&r->owner))
		return link_of(&r->owner) == owner + 1 ? 0 : -EEXIST;
	if (is_above(a, row, owner))
		return -ELOOP;
	if (is_ending(r) || is_ending(above))
		return -ESHUTDOWN;
	__atomic_store_n(&r->sibling, link_of(&above->child), __ATOMIC_RELAXED);
	__atomic_store_n(&above->child, row + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&r->owner, owner + 1, __ATOMIC_RELEASE);
	return 0;
}

int tally_account_set_owner(struct tally_accounts *a,
			    struct tally_account account,
			    struct tally_account owner)
{
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	if (directory_has(a, owner, 0)) {
		directory_is_linked(a, owner.row);
		err = set_owner(a, account.row, owner.row);
	} else {
		err = -ESTALE;
	}
	directory_unlock(a);
	return err;
}

int tally_account_owner(const struct tally_accounts *a,
			struct tally_account account,
			struct tally_account *owner)
{
	struct tally_account found = {0};
	uint32_t row;

	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	row = __atomic_load_n(&record_at(a, account.row)->owner,
			      __ATOMIC_ACQUIRE);
	if (row && row <= directory_nr_rows(a)) {
		found.row = row - 1;
		found.generation = generation_of(a, row - 1);
	}
	/* While the account is there, so is its owner. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	if (!found.generation)
		return -ENOENT;
	*owner = found;
	return 0;
}

int tally_account_hold(struct tally_accounts *a, struct tally_account account,
		       unsigned int number)
{
	struct record *r;
	int err;

	assert(number < TALLY_ACCOUNT_HOLDS);
	err = lock_for(a, account, &r);
	if (err)
		return err;
	if (is_ending(r) && !(life_of(r) & LIFE_HOLD(number)))
		err = -ESHUTDOWN;
	else
		set_life(r, life_of(r) | LIFE_HOLD(number));
	directory_unlock(a);
	return err;
}

/* Cleans what is gone, unless somebody keeps epochs from moving on: then later,
 * when there is twice as much. */
static void cool(struct tally_accounts *a)
{
	const uint32_t *nr_gone = &directory_at(a->layout)->nr_gone;
	uint32_t nr = __atomic_load_n(nr_gone, __ATOMIC_RELAXED);
	uint32_t from = __atomic_load_n(&a->cool_from, __ATOMIC_RELAXED);

	if (nr < from || nr < COOL_ROWS + directory_nr_rows(a) / COOL_SHARE)
		return;
	a->hooks.cool(a->hooks.ledger, 0);
	from = __atomic_load_n(nr_gone, __ATOMIC_RELAXED) > nr / 2 ? 2 * nr : 0;
	__atomic_store_n(&a->cool_from, from, __ATOMIC_RELAXED);
}

/* Without these holds it is gone, if that is all that it waits for. */
static int drop(struct tally_accounts *a, struct tally_account account,
		uint32_t holds)
{
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	set_life(r, life_of(r) & ~holds);
	finish_up(a, account.row);
	directory_unlock(a);
	cool(a);
	return 0;
}

int tally_account_drop(struct tally_accounts *a, struct tally_account account,
		       unsigned int number)
{
	assert(number < TALLY_ACCOUNT_HOLDS);
	return drop(a, account, LIFE_HOLD(number));
}

int directory_finish(struct tally_accounts *a, struct tally_account account)
{
	return drop(a, account, 0);
}

int tally_account_holds(const struct tally_accounts *a,
			struct tally_account account, uint32_t *holds)
{
	uint32_t life;

	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	life = life_of(record_at(a, account.row));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	*holds = life_is_live(life) ? LIFE_HOLDS(life) : 0;
	return 0;
}

int tally_account_end(struct tally_accounts *a, struct tally_account account)
{
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	end_all(a, account.row);
	directory_unlock(a);
	a->hooks.settle(a->hooks.ledger);
	cool(a);
	return 0;
}
