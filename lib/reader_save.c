// SPDX-License-Identifier: MIT
/*
 * What a view shows, saved: a new ledger is filled by the same calls as any
 * other, beside the file that it then takes the place of. So what is saved is
 * sound, whatever was read.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "directory.h"
#include "ledger_internal.h"
#include "limit_cells.h"
#include "view_internal.h"

/* Reads of what changes meanwhile, before it is taken as it comes. */
#define MAX_TRIES 100

#define GONE_KEY  "gone"

struct save {
	const struct tally_view *view;
	const struct tally_accounts *from;
	struct tally_ledger *ledger; /* that it is saved into */
	struct tally_accounts *to;
	unsigned int nr_nodes, nr_resources;
	char *key;
};

/* ---- amounts ------------------------------------------------------------- */

/* Charges what is not 0, some at a time. */
static int charge(const struct save *s, struct tally_account account, int node,
		  const int64_t *amounts)
{
	struct tally_amount some[64];
	unsigned int nr = 0;
	int err = 0;

	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		if (amounts[i])
			some[nr++] = (struct tally_amount){i, amounts[i]};
		if (nr == 64 || (nr && i + 1 == s->nr_resources)) {
			err = tally_ledger_charge(s->ledger, account, node,
						  some, nr);
			nr = 0;
		}
	}
	return err;
}

/* What the account has on a node: without what it holds by reservations, and
 * that. */
static int read_node(const struct save *s, struct tally_account account,
		     int node, int64_t *amounts, int64_t *held)
{
	int64_t again[LAYOUT_MAX_COLUMNS];
	size_t bytes = s->nr_resources * sizeof(*held);

	for (int try = 0; try < MAX_TRIES; try++) {
		int err = tally_limit_held(s->view, account, node, held);

		if (!err)
			err = tally_view_account(s->view, account, node,
						 amounts);
		if (!err)
			err = tally_limit_held(s->view, account, node, again);
		if (err)
			return err;
		if (!memcmp(held, again, bytes))
			break;
	}
	for (unsigned int i = 0; i < s->nr_resources; i++)
		amounts[i] =
			(int64_t)((uint64_t)amounts[i] - (uint64_t)held[i]);
	return 0;
}

/* One that was there in a snapshot, and is gone, holds nothing. */
static int read_gone(const struct save *s, struct tally_account account,
		     int node, int64_t *amounts, int64_t *held)
{
	memset(held, 0, s->nr_resources * sizeof(*held));
	return tally_view_account(s->view, account, node, amounts);
}

/* ---- what is held -------------------------------------------------------- */

/* A reservation, with what was taken without one; behind its last hold that
 * has room, credits. */
struct holding {
	struct tally_hold holds[TALLY_LIMIT_MAX_HOLDS];
	unsigned int nr;
};

static int add_held(const struct save *s, struct tally_account account,
		    int node, const int64_t *held, struct holding *h)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		struct tally_credit credit;

		if (!held[i])
			continue;
		if (h->nr < TALLY_LIMIT_MAX_HOLDS) {
			h->holds[h->nr++] =
				(struct tally_hold){node, i, held[i]};
			continue;
		}
		err = tally_limit_credit(s->ledger, account, node, i, &credit);
		if (!err)
			err = tally_limit_take(&credit, held[i]);
	}
	return err;
}

static int hold(const struct save *s, struct tally_account from,
		struct tally_account to, const struct holding *h)
{
	const struct tally_request request = {
		.holds = h->holds,
		.nr_holds = h->nr,
	};
	struct tally_reservation found;
	struct tally_token token;
	int err = tally_limit_find(s->view, from, &found);

	if (err == -ENOENT && !h->nr)
		return 0;
	if (!err && found.state == TALLY_RESERVED)
		return tally_limit_reserve(s->ledger, to, &request, &token,
					   NULL);
	if (err && err != -ENOENT)
		return err;
	return tally_limit_adopt(s->ledger, to, &request, &token);
}

/* ---- accounts ------------------------------------------------------------ */

static int save_account(const struct save *s, struct tally_account from)
{
	int64_t amounts[LAYOUT_MAX_COLUMNS], held[LAYOUT_MAX_COLUMNS];
	int phase = tally_account_phase(s->from, from);
	struct holding h = {.nr = 0};
	struct tally_account to;
	int err = tally_account_declare(s->to, s->key, &to);

	/* Two of one key, of which one is gone. */
	if (err == -EEXIST)
		err = tally_account_find(s->to, s->key, &to);
	for (unsigned int n = 0; !err && n < s->nr_nodes; n++) {
		int node = tally_view_node(s->view, n);

		err = phase < 0 ? read_gone(s, from, node, amounts, held)
				: read_node(s, from, node, amounts, held);
		if (!err)
			err = charge(s, to, node, amounts);
		if (!err)
			err = add_held(s, to, node, held, &h);
	}
	if (!err && phase >= 0)
		err = hold(s, from, to, &h);
	if (!err && phase != TALLY_PHASE_PENDING)
		err = tally_account_ready(s->to, to);
	return err == -ESTALE ? 0 : err;
}

static int each_account(const struct save *s,
			int (*each)(const struct save *s,
				    struct tally_account from))
{
	const struct tally_snapshot_info *info =
		tally_view_snapshot_info(s->view);
	struct tally_account account;
	uint64_t cursor = 0;
	int err = 0;

	while (!err) {
		err = directory_next(s->from, info ? info->epoch : 0, &cursor,
				     &account, s->key);
		if (!err)
			err = each(s, account);
	}
	return err == -ENOENT ? 0 : err;
}

static int save_owner(const struct save *s, struct tally_account from,
		      struct tally_account to)
{
	size_t bytes = tally_account_key_bytes(s->from);
	struct tally_account owner;
	char key[LAYOUT_MAX_KEY + 1];
	int err = tally_account_owner(s->from, from, &owner);

	if (!err)
		err = tally_account_key(s->from, owner, key, bytes);
	if (!err)
		err = tally_account_find(s->to, key, &owner);
	if (!err)
		err = tally_account_set_owner(s->to, to, owner);
	return err == -ENOENT ? 0 : err;
}

/* What there is to say once all accounts are there. */
static int save_life(const struct save *s, struct tally_account from)
{
	struct tally_account to;
	uint32_t holds = 0;
	int err = tally_account_find(s->to, s->key, &to);

	if (!err && tally_account_phase(s->from, from) >= 0)
		err = save_owner(s, from, to);
	if (!err)
		err = tally_account_holds(s->from, from, &holds);
	for (unsigned int i = 0; !err && i < TALLY_ACCOUNT_HOLDS; i++)
		if (holds >> i & 1)
			err = tally_account_hold(s->to, to, i);
	return err == -ESTALE || err == -EEXIST ? 0 : err;
}

static int save_end(const struct save *s, struct tally_account from)
{
	int phase = tally_account_phase(s->from, from);
	struct tally_account to;

	/* One that a snapshot shows, and that is gone by now, stays. */
	if (phase != TALLY_PHASE_TERMINATING)
		return phase < 0 && phase != -ESTALE ? phase : 0;
	if (tally_account_find(s->to, s->key, &to))
		return 0;
	return tally_account_end(s->to, to);
}

/* ---- limits -------------------------------------------------------------- */

static void put_quota(const struct save *s, struct layout_quota *to,
		      const struct tally_limit *limit, bool had)
{
	struct layout *l = s->ledger->layout;

	if (had)
		limit_set(l, &to->limit, (uint64_t)limit->limit + 1);
	if (limit->peak > to->peak)
		limit_set(l, &to->peak, (uint64_t)limit->peak);
	limit_set(l, &to->nr_refused, limit->nr_refused);
	limit_keep(l);
}

/* Once all is held: no limit is in the way of that. The first quota counts what
 * is held below it. */
static int save_quotas(const struct save *s, struct tally_account from)
{
	const struct layout *l = view_layout(s->view);
	bool had = limit_had_quota(l, from.row);
	struct tally_limit limit;
	struct tally_account to;
	int err = tally_account_find(s->to, s->key, &to);

	for (unsigned int i = 0; !err && had && i < s->nr_resources; i++)
		if (l->resources[i].kind == TALLY_STOCK) {
			err = tally_limit_set_quota(s->ledger, to, i,
						    TALLY_LIMIT_NONE);
			break;
		}
	if (!err)
		err = limit_begin(s->ledger);
	if (err)
		return err == -ESTALE || err == -ENOENT ? 0 : err;
	err = limit_touch(s->ledger, to);
	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		struct layout_quota *q =
			&layout_quotas(s->ledger->layout, to.row)[i];

		err = tally_limit_account(s->view, from, i, &limit);
		if (!err)
			put_quota(s, q, &limit,
				  had && l->resources[i].kind == TALLY_STOCK);
	}
	err = limit_finish(s->ledger, err);
	return err == -ESTALE ? 0 : err;
}

static int save_capacities(const struct save *s)
{
	struct layout *l = s->ledger->layout;
	int err = limit_begin(s->ledger);

	if (err)
		return err;
	for (uint32_t n = 0; !err && n < s->nr_nodes; n++)
		for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
			struct layout_capacity *to = layout_capacity(l, n, i);
			struct tally_limit limit;

			err = tally_limit_node(s->view, l->nodes[n].id, i,
					       &limit);
			if (err)
				break;
			if (limit.limit != TALLY_LIMIT_NONE)
				limit_set(l, &to->limit,
					  (uint64_t)limit.limit + 1);
			if (limit.peak > to->peak)
				limit_set(l, &to->peak, (uint64_t)limit.peak);
			limit_set(l, &to->nr_refused, limit.nr_refused);
			limit_keep(l);
		}
	return limit_finish(s->ledger, err);
}

/* ---- all of it ----------------------------------------------------------- */

/* What gone accounts have counted is in totals alone: another one has it here,
 * and goes. */
static int save_rest(const struct save *s)
{
	int64_t from[LAYOUT_MAX_COLUMNS], to[LAYOUT_MAX_COLUMNS];
	const struct layout *l = view_layout(s->view);
	struct tally_account account;
	struct tally_view *saved;
	bool some = false;
	int err = tally_account_declare(s->to, GONE_KEY, &account);

	/* Then that one has it. */
	if (err == -EEXIST)
		err = tally_account_find(s->to, GONE_KEY, &account);
	else
		some = true;
	if (!err)
		err = tally_view_open(s->ledger, &saved);
	if (err)
		return err;
	for (unsigned int n = 0; !err && n < s->nr_nodes; n++) {
		int node = tally_view_node(s->view, n);

		err = tally_view_totals(s->view, node, from);
		if (!err)
			err = tally_view_totals(saved, node, to);
		for (unsigned int i = 0; !err && i < s->nr_resources; i++)
			from[i] = l->resources[i].kind == TALLY_COUNTER
					  ? (int64_t)((uint64_t)from[i] -
						      (uint64_t)to[i])
					  : 0;
		if (!err)
			err = charge(s, account, node, from);
	}
	tally_view_close(saved);
	return err || !some ? err : tally_account_end(s->to, account);
}

static int save_all(const struct save *s)
{
	int err = each_account(s, save_account);

	if (!err)
		err = save_rest(s);
	if (!err)
		err = each_account(s, save_life);
	if (!err)
		err = each_account(s, save_quotas);
	if (!err)
		err = save_capacities(s);
	return err ? err : each_account(s, save_end);
}

int tally_reader_save(const struct tally_view *view, const char *path,
		      mode_t mode)
{
	struct save s = {
		.view = view,
		.from = tally_view_accounts(view),
		.nr_nodes = tally_view_nr_nodes(view),
		.nr_resources = tally_view_nr_resources(view),
	};
	char *beside = NULL;
	int err = -ENOMEM;

	s.key = malloc(tally_account_key_bytes(s.from));
	if (!s.key ||
	    asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
		free(s.key);
		return err;
	}
	err = ledger_create_alike(beside, mode, view_layout(view), &s.ledger);
	if (!err) {
		s.to = tally_ledger_accounts(s.ledger);
		err = save_all(&s);
		if (!err && fsync(s.ledger->layout->fd))
			err = -errno;
		tally_ledger_close(s.ledger);
		if (!err && rename(beside, path))
			err = -errno;
		if (err)
			unlink(beside);
	}
	free(beside);
	free(s.key);
	return err;
}
