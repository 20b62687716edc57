// SPDX-License-Identifier: MIT
/* Making accounts ready, owning, pinning and ending them. */
#include "config.h"

#include <assert.h>
#include <errno.h>

#include "base/uncancelled.h"
#include "account/internal.h"

#define LOCK_NS INT64_C(1000000000)

/* Unlock the directory, and return the error, unless the file was cut short. */
static int unlock(struct tally_accounts *a, int err)
{
	directory_unlock(a);
	return directory_if_whole(a, err);
}

/* Lock the directory, and find the account. */
static int lock_for(struct tally_accounts *a, struct tally_account account,
		    struct record **r)
{
	int err = directory_lock(a, LOCK_NS);

	if (err)
		return err;
	if (!directory_has(a, account, 0)) {
		err = unlock(a, -ESTALE);
		return err ? err : -ESTALE;
	}
	search_is_linked(a, account.row);
	*r = record_at(a, account.row);
	return 0;
}

static bool is_ending(const struct record *r)
{
	return phase_of(r) >= TALLY_PHASE_TERMINATING;
}

int tally_account_ready(struct tally_accounts *a, struct tally_account account)
{
	UNCANCELLED;
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
	err = unlock(a, err);
	a->hooks.tell(a->hooks.ledger);
	return err;
}

/* Whether the accounts are the same, or one owns the other, directly or not. */
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
	UNCANCELLED;
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	if (directory_has(a, owner, 0)) {
		search_is_linked(a, owner.row);
		err = set_owner(a, account.row, owner.row);
	} else {
		err = -ESTALE;
	}
	return unlock(a, err);
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
	/* As long as the account exists, its owner does. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	if (!found.generation)
		return -ENOENT;
	*owner = found;
	return 0;
}

int tally_account_pin(struct tally_accounts *a, struct tally_account account,
		      unsigned int number)
{
	UNCANCELLED;
	struct record *r;
	int err;

	assert(number < TALLY_ACCOUNT_PINS);
	err = lock_for(a, account, &r);
	if (err)
		return err;
	if (is_ending(r) && !(lifecycle_of(r) & LIFECYCLE_PIN(number)))
		err = -ESHUTDOWN;
	else
		set_lifecycle(r, lifecycle_of(r) | LIFECYCLE_PIN(number));
	return unlock(a, err);
}

/* Drop pins. If they were all that held the account, it is gone. */
static int drop(struct tally_accounts *a, struct tally_account account,
		uint32_t pins)
{
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	set_lifecycle(r, lifecycle_of(r) & ~pins);
	end_finish(a, account.row);
	err = unlock(a, 0);
	a->hooks.tell(a->hooks.ledger);
	reclaim_some(a);
	return err;
}

int tally_account_unpin(struct tally_accounts *a, struct tally_account account,
			unsigned int number)
{
	UNCANCELLED;

	assert(number < TALLY_ACCOUNT_PINS);
	return drop(a, account, LIFECYCLE_PIN(number));
}

int directory_finish(struct tally_accounts *a, struct tally_account account)
{
	return drop(a, account, 0);
}

int tally_account_pins(const struct tally_accounts *a,
		       struct tally_account account, uint32_t *pins)
{
	uint32_t lifecycle;

	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	lifecycle = lifecycle_of(record_at(a, account.row));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	*pins = lifecycle_is_live(lifecycle) ? LIFECYCLE_PINS(lifecycle) : 0;
	return 0;
}

int tally_account_end(struct tally_accounts *a, struct tally_account account)
{
	UNCANCELLED;
	struct record *r;
	int err = lock_for(a, account, &r);

	if (err)
		return err;
	end_all(a, account.row);
	err = unlock(a, 0);
	a->hooks.drain(a->hooks.ledger);
	a->hooks.tell(a->hooks.ledger);
	reclaim_some(a);
	return err;
}
