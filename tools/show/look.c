// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "show/internal.h"

const char *show_phase(int phase)
{
	switch (phase) {
	case TALLY_PHASE_PENDING:
		return "pending";
	case TALLY_PHASE_READY:
		return "ready";
	case TALLY_PHASE_TERMINATING:
		return "terminating";
	default:
		return "gone";
	}
}

static int look_totals(const struct tally_view *view, struct show_look *look)
{
	unsigned int nr = tally_view_nr_resources(view);
	unsigned int nr_nodes = tally_view_nr_nodes(view);
	int err = 0;

	look->totals = calloc((size_t)nr * nr_nodes, sizeof(*look->totals));
	if (!look->totals)
		return -ENOMEM;
	for (unsigned int n = 0; !err && n < nr_nodes; n++)
		err = tally_view_totals(view, tally_view_node(view, n),
					&look->totals[(size_t)n * nr]);
	return err;
}

/* -ESTALE: the account has ended. */
static int look_account(const struct tally_view *view,
			const struct show_choice *choice,
			struct show_account *a, char *key, size_t key_bytes,
			int64_t *amounts)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	int err = tally_account_key(accounts, a->account, key, key_bytes);

	if (err)
		return err;
	a->phase = tally_account_phase(accounts, a->account);
	if (a->phase < 0)
		return a->phase;
	if (choice->sort >= 0) {
		err = tally_view_account(view, a->account, TALLY_VIEW_ALL,
					 amounts);
		if (err)
			return err;
		a->rank = amounts[choice->sort];
	}
	a->key = strdup(key);
	return a->key ? 0 : -ENOMEM;
}

static int look_accounts(const struct tally_view *view,
			 const struct show_choice *choice,
			 struct show_look *look)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	size_t key_bytes = tally_account_key_bytes(accounts);
	int64_t *amounts =
		calloc(tally_view_nr_resources(view), sizeof(*amounts));
	char *key = malloc(key_bytes);
	struct show_account a = {0};
	uint64_t cursor = 0;
	int err = key && amounts ? 0 : -ENOMEM, end = 0;

	while (!err &&
	       !(end = tally_account_next(accounts, &cursor, &a.account))) {
		err = array_reserve(look->accounts, look->room, look->nr + 1);
		if (!err)
			err = look_account(view, choice, &a, key, key_bytes,
					   amounts);
		if (!err)
			look->accounts[look->nr++] = a;
		else if (err == -ESTALE)
			err = 0;
	}
	if (!err && end != -ENOENT)
		err = end;
	free(key);
	free(amounts);
	return err;
}

static int by_key(const void *a, const void *b)
{
	const struct show_account *aa = a, *ab = b;

	return strcmp(aa->key, ab->key);
}

static int by_rank(const void *a, const void *b)
{
	const struct show_account *aa = a, *ab = b;

	if (aa->rank != ab->rank)
		return aa->rank > ab->rank ? -1 : 1;
	return by_key(a, b);
}

static void choose(const struct show_choice *choice, struct show_look *look)
{
	look->nr_exist = look->nr;
	if (look->nr)
		qsort(look->accounts, look->nr, sizeof(*look->accounts),
		      choice->sort >= 0 ? by_rank : by_key);
	while (look->nr > choice->most)
		free(look->accounts[--look->nr].key);
}

/* NULL: it is drawn from the nodes, or one of both has ended meanwhile. */
static int look_parent(const struct tally_view *view, struct show_account *a,
		       char *key, size_t key_bytes)
{
	struct tally_reservation r = {.size = sizeof(r)};
	int err = tally_limit_find(view, a->account, &r);

	if (!err && r.drawn)
		err = tally_account_key(tally_view_accounts(view), r.parent,
					key, key_bytes);
	if (err)
		return err == -ENOENT || err == -ESTALE ? 0 : err;
	if (!r.drawn)
		return 0;
	a->parent = strdup(key);
	return a->parent ? 0 : -ENOMEM;
}

static int look_parents(const struct tally_view *view, struct show_look *look)
{
	size_t key_bytes = tally_account_key_bytes(tally_view_accounts(view));
	char *key = malloc(key_bytes);
	int err = key ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < look->nr; i++)
		err = look_parent(view, &look->accounts[i], key, key_bytes);
	free(key);
	return err;
}

/* Add a row unless all its amounts, behind *nr_amounts, are 0. */
static int add_row(const struct tally_view *view, struct show_look *look,
		   size_t index, unsigned int node, size_t *nr_amounts)
{
	size_t nr = tally_view_nr_resources(view);
	int64_t *amounts;
	bool some = false;
	int err;

	if (array_reserve(look->amounts, look->room_amounts,
			  *nr_amounts + nr) ||
	    array_reserve(look->rows, look->room_rows, look->nr_rows + 1))
		return -ENOMEM;
	amounts = look->amounts + *nr_amounts;
	err = tally_view_account(view, look->accounts[index].account,
				 tally_view_node(view, node), amounts);
	if (err)
		return err == -ESTALE ? 0 : err;
	for (size_t i = 0; i < nr; i++)
		some |= amounts[i] != 0;
	if (!some)
		return 0;
	look->rows[look->nr_rows++] =
		(struct show_row){index, node, *nr_amounts};
	*nr_amounts += nr;
	return 0;
}

static int look_rows(const struct tally_view *view, struct show_look *look)
{
	unsigned int *nodes =
		calloc(tally_view_nr_nodes(view), 2 * sizeof(*nodes));
	size_t nr_amounts = 0;
	int err = nodes ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < look->nr; i++) {
		int nr = show_nodes(view, look->accounts[i].account, nodes);

		err = nr < 0 && nr != -ESTALE ? nr : 0;
		for (int n = 0; !err && n < nr; n++)
			err = add_row(view, look, i, nodes[n], &nr_amounts);
	}
	free(nodes);
	return err;
}

int show_look(const struct tally_view *view, const struct show_choice *choice,
	      struct show_look *look)
{
	struct show_look l = {0};
	int err = look_totals(view, &l);

	l.time_ns = now_ns();
	l.most_nodes = choice->most;
	if (!err)
		err = look_accounts(view, choice, &l);
	if (!err) {
		choose(choice, &l);
		err = look_parents(view, &l);
	}
	if (!err && choice->rows)
		err = look_rows(view, &l);
	if (err) {
		show_look_free(&l);
		return err;
	}
	*look = l;
	return 0;
}

void show_look_free(struct show_look *look)
{
	for (size_t i = 0; i < look->nr; i++) {
		free(look->accounts[i].key);
		free(look->accounts[i].parent);
	}
	free(look->accounts);
	free(look->totals);
	free(look->rows);
	free(look->amounts);
	memset(look, 0, sizeof(*look));
}
