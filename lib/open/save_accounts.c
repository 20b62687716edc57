// SPDX-License-Identifier: MIT
/* The accounts of a ledger are saved: amounts, owners, pins and phases. */
#include "config.h"

#include <errno.h>

#include "account/directory.h"
#include "add/post.h"
#include "base/array.h"
#include "open/save.h"

#define GONE_KEY "gone"

int save_note(struct save_list *list, struct tally_account from,
	      struct tally_account to)
{
	int err = array_reserve(list->entries, list->max, list->nr + 1);

	if (!err)
		list->entries[list->nr++] = (struct save_later){from, to};
	return err;
}

/* An account that was declared and another one, that is gone, may have the same
 * key. */
static int create(const struct save *s, struct tally_account from,
		  const char *key, struct tally_account *to)
{
	int err;

	if (tally_account_phase(s->from, from) != TALLY_PHASE_PENDING)
		return tally_account_open(s->to, key, to);
	err = tally_account_declare(s->to, key, to);
	return err == -EEXIST ? tally_account_find(s->to, key, to) : err;
}

int save_get(struct save *s, struct tally_account from, const char *key,
	     struct tally_account *to)
{
	struct save_row *row = &s->rows[from.row];
	char its[LAYOUT_MAX_KEY + 1];
	int err = 0;

	if (row->generation == from.generation) {
		*to = (struct tally_account){row->row, row->to_generation};
		return 0;
	}
	if (!key)
		err = tally_account_key(s->from, from, its, sizeof(its));
	if (!err)
		err = create(s, from, key ? key : its, to);
	if (!err)
		*row = (struct save_row){
			.generation = from.generation,
			.row = to->row,
			.to_generation = to->generation,
		};
	return err;
}

/* ---- amounts ------------------------------------------------------------- */

static bool is_reservable(const struct save *s, unsigned int resource)
{
	return tally_view_resource(s->view, resource)->kind == TALLY_RESERVABLE;
}

/* Charge what is not 0, 64 resources at a time. Reservables are not charged,
 * but reserved. */
static int charge(const struct save *s, struct tally_account account, int node,
		  const int64_t *amounts)
{
	struct tally_amount some[64];
	unsigned int nr = 0;
	int err = 0;

	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		if (amounts[i] && !is_reservable(s, i))
			some[nr++] = (struct tally_amount){i, amounts[i]};
		if (nr == 64 || (nr && i + 1 == s->nr_resources)) {
			err = post_amounts(s->ledger, account, node, some, nr);
			nr = 0;
		}
	}
	return err;
}

static int save_amounts(const struct save *s, struct tally_account from,
			struct tally_account to)
{
	int64_t amounts[LAYOUT_MAX_COLUMNS];
	int err = 0;

	for (unsigned int n = 0; !err && n < s->nr_local; n++) {
		int node = tally_view_node(s->view, n);

		err = tally_view_account(s->view, from, node, amounts);
		if (!err)
			err = charge(s, to, node, amounts);
	}
	return err;
}

static int note_life(struct save *s, struct tally_account from,
		     struct tally_account to, int phase)
{
	struct tally_account owner;
	uint32_t pins = 0;
	int err = tally_account_owner(s->from, from, &owner);

	if (err == -ENOENT)
		err = tally_account_pins(s->from, from, &pins);
	else if (!err)
		pins = 1;
	if (!err && (pins || phase == TALLY_PHASE_TERMINATING))
		err = save_note(&s->lives, from, to);
	return err;
}

int save_account(struct save *s, struct tally_account from)
{
	int phase = tally_account_phase(s->from, from);
	struct tally_account to;
	int err = save_get(s, from, s->key, &to);

	if (!err)
		err = save_amounts(s, from, to);
	/* An account of the snapshot that is gone by now has nothing else. */
	if (!err && phase >= 0)
		err = save_reservation(s, from, to);
	if (!err && phase >= 0)
		err = note_life(s, from, to, phase);
	if (!err && phase >= 0)
		err = save_note_quotas(s, from, to);
	return err == -ESTALE ? 0 : err;
}

/* ---- lives --------------------------------------------------------------- */

static int save_owner(const struct save *s, const struct save_later *a)
{
	struct tally_account owner;
	char key[LAYOUT_MAX_KEY + 1];
	int err = tally_account_owner(s->from, a->from, &owner);

	if (!err)
		err = tally_account_key(s->from, owner, key, sizeof(key));
	if (!err)
		err = tally_account_find(s->to, key, &owner);
	if (!err)
		err = tally_account_set_owner(s->to, a->to, owner);
	return err == -ENOENT ? 0 : err;
}

static int save_life(const struct save *s, const struct save_later *a)
{
	uint32_t pins = 0;
	int err = save_owner(s, a);

	if (!err)
		err = tally_account_pins(s->from, a->from, &pins);
	for (unsigned int i = 0; !err && i < TALLY_ACCOUNT_PINS; i++)
		if (pins >> i & 1)
			err = tally_account_pin(s->to, a->to, i);
	return err == -ESTALE || err == -EEXIST ? 0 : err;
}

int save_lives(struct save *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->lives.nr; i++)
		err = save_life(s, &s->lives.entries[i]);
	return err;
}

int save_ends(struct save *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->lives.nr; i++) {
		const struct save_later *a = &s->lives.entries[i];

		if (tally_account_phase(s->from, a->from) ==
		    TALLY_PHASE_TERMINATING)
			err = tally_account_end(s->to, a->to);
		/* It may have ended with its owner. */
		err = err == -ESTALE ? 0 : err;
	}
	return err;
}

/* ---- totals -------------------------------------------------------------- */

static int save_rest_of(const struct save *s, const struct tally_view *saved,
			struct tally_account account, int node)
{
	int64_t from[LAYOUT_MAX_COLUMNS], to[LAYOUT_MAX_COLUMNS];
	int err = tally_view_totals(s->view, node, from);

	if (!err)
		err = tally_view_totals(saved, node, to);
	for (unsigned int i = 0; !err && i < s->nr_resources; i++)
		from[i] =
			tally_view_resource(s->view, i)->kind == TALLY_COUNTER
				? (int64_t)((uint64_t)from[i] - (uint64_t)to[i])
				: 0;
	return err ? err : charge(s, account, node, from);
}

/* The counters of gone accounts are in totals alone. Here one account gets
 * them, and ends. */
int save_rest(struct save *s)
{
	struct tally_account account;
	struct tally_view *saved;
	bool some = false;
	int err = tally_account_declare(s->to, GONE_KEY, &account);

	/* An account of that name gets them, and stays. */
	if (err == -EEXIST)
		err = tally_account_find(s->to, GONE_KEY, &account);
	else
		some = true;
	if (!err)
		err = tally_view_open(s->ledger, &saved);
	if (err)
		return err;
	for (unsigned int n = 0; !err && n < s->nr_local; n++)
		err = save_rest_of(s, saved, account,
				   tally_view_node(s->view, n));
	tally_view_close(saved);
	return err || !some ? err : tally_account_end(s->to, account);
}
