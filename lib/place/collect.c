// SPDX-License-Identifier: MIT
/* The candidates of a ledger: what is in the rosters of a machine's nodes, and has
 * a reservation of its own. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "file/file.h"
#include "file/reserved.h"
#include "place/candidates.h"
#include "place/internal.h"
#include "view/file.h"

#define TRIES 1000 /* to read a roster that changes */

struct collect {
	struct tally_candidates *c;
	const struct tally_view *view;
	int (*describe)(void *arg, const struct tally_reservation *reservation,
			struct tally_candidate *candidate);
	void *arg;
	struct tally_account *accounts; /* on the machine, or candidates there */
	struct tally_candidate *found;
	size_t *first; /* [found]: of its demands */
	struct tally_demand *demands;
	unsigned int nr_accounts, cap_accounts, nr_found, cap_found, cap_first,
		nr_demands, cap_demands;
};

/* ---- which accounts ------------------------------------------------------ */

/* A roster may change while it is read, which its check tells afterwards. */
static struct tally_account entry_of(const struct tally_account *account)
{
	return (struct tally_account){
		.row = __atomic_load_n(&account->row, __ATOMIC_RELAXED),
		.generation =
			__atomic_load_n(&account->generation, __ATOMIC_RELAXED),
	};
}

static int note(struct collect *k, const struct tally_account *accounts,
		unsigned int nr)
{
	int err = k->nr_accounts > UINT32_MAX - nr
			  ? -ENOMEM
			  : array_reserve(k->accounts, k->cap_accounts,
					  k->nr_accounts + nr);

	for (unsigned int i = 0; !err && i < nr; i++)
		k->accounts[k->nr_accounts++] = entry_of(&accounts[i]);
	return err;
}

static int note_roster(struct collect *k, int number)
{
	const unsigned int before = k->nr_accounts;
	int err = -EAGAIN;

	for (int i = 0; err == -EAGAIN && i < TRIES; i++) {
		struct tally_roster roster;

		k->nr_accounts = before;
		err = tally_limit_roster(k->view, number, &roster);
		if (!err)
			err = note(k, roster.accounts, roster.nr_accounts);
		if (!err)
			err = tally_limit_roster_check(k->view, &roster);
	}
	return err;
}

static int note_machine(struct collect *k, uint32_t machine)
{
	const struct tally_place *place = &k->c->place;
	const struct place_home *home = &k->c->homes[machine];
	int err = 0;

	for (unsigned int i = 0; !err && i < home->nr_entries; i++)
		err = note(k,
			   &k->c->of[home->entries[i].candidate].rank.account,
			   1);
	for (uint32_t n = place_first(place, machine);
	     !err && n < place_first(place, machine + 1); n++)
		err = note_roster(k,
				  place->numbers ? place->numbers[n] : (int)n);
	return err;
}

static int by_row(const void *a, const void *b)
{
	uint64_t x = place_key(*(const struct tally_account *)a),
		 y = place_key(*(const struct tally_account *)b);

	return x < y ? -1 : x > y;
}

static void drop_twins(struct collect *k)
{
	unsigned int nr = 0;

	if (k->nr_accounts)
		qsort(k->accounts, k->nr_accounts, sizeof(*k->accounts),
		      by_row);
	for (unsigned int i = 0; i < k->nr_accounts; i++)
		if (!i || by_row(&k->accounts[i], &k->accounts[nr - 1]))
			k->accounts[nr++] = k->accounts[i];
	k->nr_accounts = nr;
}

/* ---- what an account has ------------------------------------------------- */

static int demand(struct collect *k, const struct layout_holding *h)
{
	const struct layout *l = view_layout(k->view);
	const struct tally_place *place = &k->c->place;
	const int number = l->nodes[reserved_node(l, h)].id;
	unsigned int nr = tally_view_nr_resources(k->view);

	if (place_index(place, number) < 0)
		return 0;
	if (place->nr_resources < nr)
		nr = place->nr_resources;
	for (unsigned int r = 0; r < nr; r++) {
		int64_t amount =
			__atomic_load_n(&h->amounts[r], __ATOMIC_RELAXED);
		int err;

		if (!amount || !place->free[r])
			continue;
		if (amount < 0)
			return -EBADMSG;
		err = array_reserve(k->demands, k->cap_demands,
				    k->nr_demands + 1);
		if (err)
			return err;
		k->demands[k->nr_demands++] =
			(struct tally_demand){number, r, amount};
	}
	return 0;
}

/* -ESTALE	the reservation has ended */
static int read_holdings(struct collect *k, struct tally_token token)
{
	const struct layout *l = view_layout(k->view);
	const struct layout_reservation *words =
		layout_reservation(l, token.row);
	const unsigned int before = k->nr_demands;
	struct reserved_read read = {0};
	int err;

	do {
		const struct layout_holding *h;
		struct reserved_walk walk;

		k->nr_demands = before;
		err = reserved_begin(l, &read);
		if (err)
			return err;
		if (__atomic_load_n(&words->state, __ATOMIC_RELAXED) ==
			    LAYOUT_RESERVATION_NONE ||
		    __atomic_load_n(&words->generation, __ATOMIC_RELAXED) !=
			    token.generation) {
			err = -ESTALE;
			continue;
		}
		walk = reserved_holdings(l, token.row);
		while (!err && (h = reserved_next(l, &walk)))
			err = demand(k, h);
	} while (reserved_again(l, &read));
	return layout_is_whole(l) ? err : -EBADMSG;
}

/* Whether the account may not be evicted: 0 or 1. -ESTALE: it is gone */
static int is_kept(const struct tally_view *view, struct tally_account account)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	uint32_t pins;
	int phase = tally_account_phase(accounts, account), err;

	if (phase < 0)
		return phase;
	err = tally_account_pins(accounts, account, &pins);
	return err ? err : phase != TALLY_PHASE_READY || pins;
}

/* -ESTALE, -ENOENT	it is gone, or has no reservation of its own */
static int read_account(struct collect *k, struct tally_account account,
			struct tally_reservation *reservation,
			struct tally_candidate *its)
{
	const unsigned int before = k->nr_demands;
	int kept = is_kept(k->view, account);
	int err = kept < 0 ? kept
			   : tally_limit_find(k->view, account, reservation);

	if (!err && reservation->drawn)
		err = -ENOENT;
	if (!err)
		err = read_holdings(k, reservation->token);
	*its = (struct tally_candidate){
		.account = account,
		.demands = k->demands ? k->demands + before : NULL,
		.nr_demands = k->nr_demands - before,
		.kept = kept > 0,
	};
	return err;
}

static int tell(struct collect *k, const struct tally_reservation *reservation,
		struct tally_candidate its)
{
	const struct tally_candidate read = its;
	int err = k->describe ? k->describe(k->arg, reservation, &its) : 0;

	its.account = read.account;
	its.nr_demands = read.nr_demands;
	its.kept |= read.kept;
	if (!err)
		err = array_reserve(k->found, k->cap_found, k->nr_found + 1);
	if (!err)
		err = array_reserve(k->first, k->cap_first, k->nr_found + 1);
	if (err || (its.kept && !its.group))
		return err;
	k->first[k->nr_found] = k->nr_demands - read.nr_demands;
	k->found[k->nr_found++] = its;
	return 0;
}

static int read_all(struct collect *k)
{
	for (unsigned int i = 0; i < k->nr_accounts; i++) {
		struct tally_reservation reservation = {
			.size = sizeof(reservation)};
		const unsigned int before = k->nr_demands;
		struct tally_candidate its;
		int err = read_account(k, k->accounts[i], &reservation, &its);

		if (err == -ESTALE || err == -ENOENT) {
			k->nr_demands = before;
			continue;
		}
		if (!err)
			err = tell(k, &reservation, its);
		if (err)
			return err;
	}
	for (unsigned int i = 0; i < k->nr_found; i++)
		k->found[i].demands = k->demands + k->first[i];
	return 0;
}

/* ---- a machine, or all --------------------------------------------------- */

static int collect(struct collect *k, uint32_t machine)
{
	const uint32_t nr = place_nr_machines(&k->c->place);
	bool any = machine == TALLY_PLACE_ANY;
	int err = 0;

	if (!any && machine >= nr)
		return -ENOENT;
	/* Those that have nothing are on no machine. */
	for (unsigned int i = 0; any && !err && i < k->c->nr; i++)
		if (k->c->of[i].amounts)
			err = note(k, &k->c->of[i].rank.account, 1);
	for (uint32_t m = any ? 0 : machine;
	     !err && m < (any ? nr : machine + 1); m++)
		err = note_machine(k, m);
	if (err)
		return err;
	drop_twins(k);
	err = read_all(k);
	if (err)
		return err;
	tally_place_candidates_remove(k->c, k->accounts, k->nr_accounts);
	err = tally_place_candidates_add(k->c, k->found, k->nr_found);
	/* A ledger has not more than 63 bits on a node. */
	return err == -EOVERFLOW ? -EBADMSG : err;
}

int tally_place_candidates_refresh(
	struct tally_candidates *candidates, const struct tally_view *view,
	uint32_t machine,
	int (*describe)(void *arg, const struct tally_reservation *reservation,
			struct tally_candidate *candidate),
	void *arg)
{
	struct collect k = {.c = candidates,
			    .view = view,
			    .describe = describe,
			    .arg = arg};
	int err = collect(&k, machine);

	free(k.accounts);
	free(k.found);
	free(k.first);
	free(k.demands);
	return err;
}
