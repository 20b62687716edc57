// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/limit.h>
#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "common/array.h"
#include "pcp/values.h"

#define ENTRIES	 4096 /* of a call, or more where an account may need it */
#define FORGET_S 3600 /* an instance that is gone for as long */

/* ---- resources ------------------------------------------------------------------- */

static struct pcp_item *find(struct pcp_values *v, const char *name)
{
	struct pcp_item *i = v->items;

	while (i < v->items + v->nr_items && strcmp(i->name, name) != 0)
		i++;
	if (i == v->items + v->nr_items) {
		if (v->nr_items == PCP_MOST_ITEMS)
			return NULL;
		v->nr_items++;
		v->changed = true;
		snprintf(i->name, sizeof(i->name), "%s", name);
	}
	return i;
}

static void read_resources(struct pcp_values *v, const struct tally_view *view)
{
	v->nr_columns = tally_view_nr_resources(view);
	for (unsigned int i = 0; i < v->nr_items; i++)
		v->items[i].column = -1;
	for (unsigned int c = 0; c < v->nr_columns; c++) {
		const struct tally_resource *r = tally_view_resource(view, c);
		struct pcp_item *item = find(v, r->name);

		if (!item)
			continue;
		v->changed |= item->kind != r->kind ||
			      strcmp(item->unit, r->unit) != 0;
		snprintf(item->unit, sizeof(item->unit), "%s", r->unit);
		item->kind = r->kind;
		item->column = (int)c;
	}
}

/* ---- instances ------------------------------------------------------------------- */

static int put(struct pcp_values *v, const char *text, size_t bytes)
{
	int err =
		array_reserve(v->name, v->room_name, v->name_bytes + bytes + 1);

	if (err)
		return err;
	memcpy(v->name + v->name_bytes, text, bytes);
	v->name_bytes += bytes;
	v->name[v->name_bytes] = '\0';
	return 0;
}

/* PCP's names of instances end, to it, at a space. */
static int put_escaped(struct pcp_values *v, const char *text)
{
	char code[4];
	int err = 0;

	for (; !err && *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte > ' ' && byte != '%' && byte != 0x7f) {
			err = put(v, text, 1);
			continue;
		}
		snprintf(code, sizeof(code), "%%%02X", byte);
		err = put(v, code, 3);
	}
	return err;
}

static int put_node(struct pcp_values *v, const struct tally_view *view,
		    unsigned int index)
{
	bool several = tally_view_nr_local(view) != tally_view_nr_nodes(view);
	int id, bytes, err = 0;
	const char *machine = tally_view_machine(view, index, &id);
	char text[32];

	if (machine && several) {
		err = put_escaped(v, machine);
		if (!err)
			err = put(v, ":", 1);
	}
	bytes = snprintf(text, sizeof(text), "node%d", id);
	return err ? err : put(v, text, (size_t)bytes);
}

/* Make the instance that has the name active. */
static int store(const struct pcp_values *v, unsigned int domain, size_t cell)
{
	size_t *of = NULL;
	void *at = NULL;
	int id;

	if (pmdaCacheLookupName(domain, v->name, &id, &at) >= 0)
		of = at;
	if (!of)
		of = malloc(sizeof(*of));
	if (!of)
		return -ENOMEM;
	*of = cell;
	id = pmdaCacheStore(domain, PMDA_CACHE_ADD, v->name, of);
	if (id >= 0)
		return 0;
	if (of != at)
		free(of);
	return id;
}

static int add_cells(struct pcp_values *v, size_t *cell)
{
	size_t nr = v->nr_cells + v->nr_columns;
	int err = array_reserve(v->cells, v->room_cells, nr);

	if (err)
		return err;
	memset(v->cells + v->nr_cells, 0, v->nr_columns * sizeof(*v->cells));
	*cell = v->nr_cells;
	v->nr_cells = nr;
	return 0;
}

/* ---- nodes ----------------------------------------------------------------------- */

static int read_limits(struct pcp_values *v, const struct tally_view *view,
		       int node, int64_t *limits)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	int err = 0;

	for (unsigned int c = 0; !err && c < v->nr_columns; c++) {
		limit.limit = TALLY_LIMIT_NONE;
		if (tally_view_resource(view, c)->kind == TALLY_RESERVABLE)
			err = tally_limit_node(view, node, c, &limit);
		limits[c] = limit.limit;
	}
	return err;
}

static int read_node(struct pcp_values *v, const struct tally_view *view,
		     unsigned int index)
{
	int node = tally_view_node(view, index), err;
	size_t amounts = 0, limits = 0;

	v->name_bytes = 0;
	err = put_node(v, view, index);
	if (!err)
		err = add_cells(v, &amounts);
	if (!err)
		err = add_cells(v, &limits);
	if (!err)
		err = tally_view_totals(view, node, v->cells + amounts);
	if (!err)
		err = read_limits(v, view, node, v->cells + limits);
	return err ? err : store(v, v->nodes, amounts);
}

/* ---- accounts -------------------------------------------------------------------- */

static unsigned int index_of(const struct tally_view *view, int node)
{
	unsigned int low = 0, high = tally_view_nr_nodes(view);

	while (low + 1 < high) {
		unsigned int middle = low + (high - low) / 2;

		if (tally_view_node(view, middle) <= node)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* -ESTALE: the account is gone. */
static int name_row(struct pcp_values *v, const struct tally_view *view,
		    const struct tally_entry *entry, char *key, size_t bytes)
{
	int err = tally_account_key(tally_view_accounts(view), entry->account,
				    key, bytes);

	v->name_bytes = 0;
	if (!err)
		err = put_escaped(v, key);
	if (!err)
		err = put(v, "::", 2);
	return err ? err : put_node(v, view, index_of(view, entry->node));
}

static bool same_row(const struct tally_entry *a, const struct tally_entry *b)
{
	return a->account.row == b->account.row &&
	       a->account.generation == b->account.generation &&
	       a->node == b->node;
}

static int read_rows(struct pcp_values *v, const struct tally_view *view,
		     size_t nr, char *key, size_t bytes)
{
	const struct tally_entry *e = v->entries, *end = e + nr;
	int err = 0;

	while (!err && e < end) {
		const struct tally_entry *first = e;
		size_t cell;

		err = add_cells(v, &cell);
		if (err)
			break;
		for (; e < end && same_row(first, e); e++)
			v->cells[cell + e->resource] = e->amount;
		err = name_row(v, view, first, key, bytes);
		if (!err)
			err = store(v, v->accounts, cell);
		else if (err == -ESTALE)
			err = 0;
	}
	return err;
}

static int read_accounts(struct pcp_values *v, const struct tally_view *view)
{
	size_t bytes = tally_account_key_bytes(tally_view_accounts(view));
	size_t most = (size_t)tally_view_nr_nodes(view) * v->nr_columns, nr;
	char *key = malloc(bytes);
	uint64_t cursor = 0;
	int err = key ? array_reserve(v->entries, v->room_entries,
				      most > ENTRIES ? most : ENTRIES)
		      : -ENOMEM;

	while (!err) {
		err = tally_view_read(view, NULL, &cursor, v->entries,
				      v->room_entries, &nr);
		if (!err)
			err = read_rows(v, view, nr, key, bytes);
	}
	free(key);
	return err == -ENOENT ? 0 : err;
}

/* ---- looks ----------------------------------------------------------------------- */

void pcp_values_clear(struct pcp_values *v)
{
	pmdaCacheOp(v->nodes, PMDA_CACHE_INACTIVE);
	pmdaCacheOp(v->accounts, PMDA_CACHE_INACTIVE);
	v->nr_cells = 0;
}

int pcp_values_read(struct pcp_values *v, const struct tally_view *view)
{
	int err = 0;

	pcp_values_clear(v);
	read_resources(v, view);
	for (unsigned int n = 0; !err && n < tally_view_nr_nodes(view); n++)
		err = read_node(v, view, n);
	if (!err)
		err = read_accounts(v, view);
	if (err)
		pcp_values_clear(v);
	pmdaCachePurgeCallback(v->accounts, FORGET_S, free);
	return err;
}

int pcp_values_get(const struct pcp_values *v, unsigned int domain,
		   int instance, unsigned int item, bool limit, int64_t *amount)
{
	int column = item < v->nr_items ? v->items[item].column : -1;
	size_t cell;
	void *at;

	if (column < 0)
		return 0;
	if (pmdaCacheLookup(domain, instance, NULL, &at) != PMDA_CACHE_ACTIVE)
		return PM_ERR_INST;
	cell = *(const size_t *)at + (unsigned int)column +
	       (limit ? v->nr_columns : 0);
	*amount = v->cells[cell];
	return !limit || *amount != TALLY_LIMIT_NONE;
}
