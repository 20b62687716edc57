/* SPDX-License-Identifier: MIT */
/*
 * save: what the files that save a ledger share. All accounts are walked
 * through once; what has to wait until every account exists, or every
 * reservation, is noted meanwhile.
 */
#ifndef OPEN_SAVE_H
#define OPEN_SAVE_H

#include <stdbool.h>

#include <numatally/limit.h>
#include <numatally/view.h>

#include "ledger/mapped.h"

/* What a row's account became. */
struct save_row {
	uint32_t generation; /* of the account that is saved; 0: none yet */
	uint32_t row, to_generation;
	bool reserved; /* its reservation is saved, too */
};

/* An account of which more is to be saved. */
struct save_later {
	struct tally_account from, to;
};

struct save_list {
	struct save_later *entries;
	unsigned int nr, max;
};

/* A reservation, all that is drawn from it, and so on: see save_family.c. */
struct save_family {
	struct save_member *members;
	unsigned int nr, max;
	struct tally_demand *demands; /* of all members, one after another */
	unsigned int nr_demands, max_demands;
};

struct save {
	const struct tally_view *view;
	const struct layout *layout; /* the view's */
	const struct tally_accounts *from;
	struct tally_ledger *ledger; /* the new one */
	struct tally_accounts *to;
	unsigned int nr_nodes, nr_local, nr_resources;
	char *key;		/* of the account whose turn it is */
	struct save_row *rows;	/* by the view's rows */
	struct save_list lives; /* owners and pins; those that are ending */
	struct save_list quotas;
	struct save_list drawn; /* from another account's reservation */
	struct save_family family;
};

/* -ENOMEM */
int save_note(struct save_list *list, struct tally_account from,
	      struct tally_account to);

/* Get what the account became, or create it. -ESTALE: it has no key any more. */
int save_get(struct save *save, struct tally_account from, const char *key,
	     struct tally_account *to);

/* Save the account's amounts, and note what is left to do. */
int save_account(struct save *save, struct tally_account from);

/* Save owners and pins, and end what is ending. */
int save_lives(struct save *save);
int save_ends(struct save *save);

/* Save what totals have beyond the accounts. */
int save_rest(struct save *save);

/*
 * Save the account's reservation, and all that is drawn from it, as of one
 * moment. If it is itself drawn, it is saved with its parent's; then, and if
 * there is none, do nothing, or note it (drawn).
 *
 * -EAGAIN	as reserved_begin()
 */
int save_reservation(struct save *save, struct tally_account from,
		     struct tally_account to);

/* Save the reservations of accounts that were drawn when their turn came, and
 * have not been saved with their parent's since. */
int save_drawn(struct save *save);

/* Note the account if any quota, peak or refusal of it is to be saved. */
int save_note_quotas(struct save *save, struct tally_account from,
		     struct tally_account to);

/* After all reservations, so that no limit refuses them. */
int save_quotas(struct save *save);
int save_capacities(struct save *save);

#endif
