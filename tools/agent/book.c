// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/error.h>
#include <numatally/view.h>

#include "agent/book.h"
#include "common/array.h"

#define MOST_ACCOUNTS  16384
#define LEAST_ACCOUNTS 1024
#define KEY_BYTES      511
#define SPARE	       32

/* ---- columns -------------------------------------------------------------- */

int book_column(struct book *b, const char *name, const char *unit,
		enum tally_kind kind)
{
	struct book_column *c;

	for (size_t i = 0; i < b->nr_columns; i++)
		if (!strcmp(b->columns[i].name, name))
			return (int)i;
	if (array_reserve(b->columns, b->room, b->nr_columns + 1))
		return -ENOMEM;
	c = &b->columns[b->nr_columns];
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->unit, sizeof(c->unit), "%s", unit);
	c->kind = kind;
	c->number = -1;
	return (int)b->nr_columns++;
}

int book_declare(struct book *b)
{
	for (size_t i = 0; i < b->nr_columns; i++) {
		struct book_column *c = &b->columns[i];
		const struct tally_resource resource = {c->name, c->unit,
							c->kind};

		if (c->number >= 0)
			continue;
		c->number = tally_ledger_declare(b->ledger, &resource, NULL, 0);
		if (c->number < 0) {
			warnx("%s: %s: %s", b->path, c->name,
			      tally_strerror_of("tally_ledger_declare",
						c->number));
			return c->number;
		}
	}
	return 0;
}

/* ---- opening -------------------------------------------------------------- */

static int create(struct book *b, const struct tally_topo *topo)
{
	struct tally_resource *resources =
		calloc(b->nr_columns, sizeof(*resources));
	/* What cgroups have used, Linux shows to all users, too. */
	struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = MOST_ACCOUNTS,
		.max_key_bytes = KEY_BYTES,
		.mode = 0644,
		.exclusive = 1,
		.nr_spare = SPARE,
	};
	int err;

	if (!resources)
		return -ENOMEM;
	for (size_t i = 0; i < b->nr_columns; i++)
		resources[i] = (struct tally_resource){b->columns[i].name,
						       b->columns[i].unit,
						       b->columns[i].kind};
	do
		err = tally_ledger_open_or_create(b->path, topo, resources,
						  (unsigned int)b->nr_columns,
						  &options, &b->ledger, NULL);
	while (err == -E2BIG && (options.max_accounts /= 2) >= LEAST_ACCOUNTS);
	free(resources);
	return err;
}

/* -EEXIST: the ledger lacks a node of the machine. */
static int learn_nodes(struct book *b, const struct tally_topo *topo)
{
	struct tally_view *view;
	int err = tally_view_open(b->ledger, &view);

	if (err)
		return err;
	b->nr_nodes = tally_view_nr_local(view);
	b->nodes = calloc(b->nr_nodes, sizeof(*b->nodes));
	for (unsigned int i = 0; b->nodes && i < b->nr_nodes; i++)
		b->nodes[i] = tally_view_node(view, i);
	tally_view_close(view);
	if (!b->nodes)
		return -ENOMEM;
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++)
		if (book_node(b, tally_topo_node(topo, i)->id) < 0)
			return -EEXIST;
	return 0;
}

int book_open(struct book *b, const char *name, const struct tally_topo *topo)
{
	int err = tally_ledger_path(name, b->path, sizeof(b->path));

	if (!err && !strchr(name, '/'))
		err = tally_ledger_make_dir();
	/* One that an earlier agent made may have other columns, too. */
	if (!err)
		err = tally_ledger_open(b->path, &b->ledger);
	if (err == -ENOENT || err == -ESTALE || err == -EPROTO ||
	    err == -EBADMSG)
		err = create(b, topo);
	if (!err)
		err = learn_nodes(b, topo);
	if (err) {
		warnx("%s: %s", *b->path ? b->path : name,
		      tally_strerror_of("tally_ledger_open_or_create", err));
		return err;
	}
	b->accounts = tally_ledger_accounts(b->ledger);
	err = book_declare(b);
	if (!err) {
		err = tally_ledger_serve(b->ledger, 0);
		if (err)
			warnx("%s: %s", b->path,
			      tally_strerror_of("tally_ledger_serve", err));
	}
	return err;
}

void book_close(struct book *b)
{
	tally_ledger_close(b->ledger);
	free(b->nodes);
	free(b->columns);
}

int book_node(const struct book *b, int node)
{
	for (unsigned int i = 0; i < b->nr_nodes; i++)
		if (b->nodes[i] == node)
			return (int)i;
	return -ENOENT;
}

int book_amounts(const struct book *b, struct tally_account account,
		 unsigned int node, int64_t *amounts)
{
	struct tally_view *view;
	int64_t *all;
	int err = tally_view_open(b->ledger, &view);

	if (err)
		return err;
	all = calloc(tally_view_nr_resources(view), sizeof(*all));
	err = all ? tally_view_account(view, account, b->nodes[node], all)
		  : -ENOMEM;
	for (size_t i = 0; !err && i < b->nr_columns; i++)
		amounts[i] = all[b->columns[i].number];
	free(all);
	tally_view_close(view);
	return err;
}

/* ---- accounts ------------------------------------------------------------- */

int book_account(struct book *b, const char *key, struct tally_account *account)
{
	int err = tally_account_open(b->accounts, key, account);

	if (err ||
	    tally_account_phase(b->accounts, *account) == TALLY_PHASE_READY)
		return err;
	err = book_end(b, *account);
	if (!err)
		err = book_leave(b, *account);
	return err ? err : tally_account_open(b->accounts, key, account);
}

int book_end(struct book *b, struct tally_account account)
{
	int err = tally_account_pin(b->accounts, account, BOOK_PIN);

	if (!err || err == -ESHUTDOWN)
		err = tally_account_end(b->accounts, account);
	return err == -ESTALE ? 0 : err;
}

int book_leave(struct book *b, struct tally_account account)
{
	int err = tally_account_unpin(b->accounts, account, BOOK_PIN);

	return err == -ESTALE ? 0 : err;
}
