// SPDX-License-Identifier: MIT
/*
 * Counters that began anew go on from what they had: those of a ledger that is made
 * anew at once, those of an account whenever its key comes back.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "export/state.h"

/* ---- rows ------------------------------------------------------------------------ */

/* Where a row's values go, from one shape to another: UINT_MAX where they end. */
struct map {
	const struct export_state *to, *from;
	unsigned int *resources; /* [resource of from] */
	bool same;		 /* they are of one ledger */
};

static int map_init(struct map *m, const struct export_state *to,
		    const struct export_state *from, bool same)
{
	const struct export_shape *a = &from->shape, *b = &to->shape;

	*m = (struct map){.to = to, .from = from, .same = same};
	m->resources = calloc(a->nr_resources, sizeof(*m->resources));
	if (!m->resources)
		return -ENOMEM;
	for (unsigned int i = 0; i < a->nr_resources; i++) {
		const struct export_resource *r = &a->resources[i];
		unsigned int k = 0;

		while (k < b->nr_resources &&
		       (strcmp(b->resources[k].name, r->name) != 0 ||
			strcmp(b->resources[k].unit, r->unit) != 0 ||
			b->resources[k].kind != r->kind))
			k++;
		m->resources[i] = k;
	}
	return 0;
}

/* The index of a node of the one shape in the other. */
static unsigned int map_node(const struct map *m, unsigned int node)
{
	const struct export_shape *a = &m->from->shape, *b = &m->to->shape;

	return node == a->nr_nodes
		       ? b->nr_nodes
		       : export_shape_node(b, a->nodes[node].number);
}

/* One column of each resource, of those that are of a kind. @base_only: @to counts
 * what @from counted. */
static int carry_column(const struct map *m, struct export_row *to,
			const struct export_row *from, bool base_only,
			enum tally_kind kind, unsigned int nr_columns,
			unsigned int column)
{
	const struct export_shape *a = &m->from->shape, *b = &m->to->shape;

	for (unsigned int i = 0; i < a->nr_resources; i++) {
		unsigned int k = m->resources[i];
		unsigned int at = i * nr_columns + column;
		int64_t value = export_value(from, at);
		int64_t *base;

		if (base_only)
			value = from->base ? from->base[at] : 0;
		if (k == b->nr_resources || a->resources[i].kind != kind ||
		    !value || value == EXPORT_ABSENT)
			continue;
		base = export_row_base(to);
		if (!base)
			return -ENOMEM;
		base[k * nr_columns + column] = value;
	}
	return 0;
}

/* ---- accounts --------------------------------------------------------------------- */

static int carry_account(const struct map *m, struct export_account *to,
			 struct export_account *from)
{
	bool base_only = m->same && to->account.row == from->account.row &&
			 to->account.generation == from->account.generation;
	int err = 0;

	from->taken = true;
	for (size_t i = 0; !err && i < from->table.nr; i++) {
		const struct export_row *row = from->table.rows[i];
		unsigned int node = map_node(m, row->node);
		struct export_row *its;
		size_t at = 0;

		if (node == m->to->shape.nr_nodes)
			continue;
		its = export_account_row(&m->to->shape, to, node, &at);
		err = its ? carry_column(m, its, row, base_only, TALLY_COUNTER,
					 1, 0)
			  : -ENOMEM;
	}
	return err;
}

static int by_key(const void *a, const void *b)
{
	const struct export_account *x = *(struct export_account *const *)a;
	const struct export_account *y = *(struct export_account *const *)b;

	return strcmp(x->key, y->key);
}

/* List those that have rows, by key: with @fresh those that had none. NULL: no
 * memory. */
static struct export_account **list(struct export_account *accounts, size_t nr,
				    bool fresh, size_t *nr_listed)
{
	struct export_account **all =
		calloc(nr + 1, sizeof(struct export_account *));

	*nr_listed = 0;
	for (size_t i = 0; all && i < nr; i++)
		if (accounts[i].own &&
		    (accounts[i].fresh || accounts[i].moved || !fresh))
			all[(*nr_listed)++] = &accounts[i];
	if (all)
		qsort(all, *nr_listed, sizeof(struct export_account *), by_key);
	return all;
}

static int carry_lists(const struct map *m, struct export_account **to,
		       size_t nr_to, struct export_account **from,
		       size_t nr_from)
{
	size_t i = 0, k = 0;
	int err = 0;

	while (!err && i < nr_to && k < nr_from) {
		int order = strcmp(to[i]->key, from[k]->key);

		if (!order)
			err = carry_account(m, to[i], from[k]);
		i += order <= 0;
		k += order >= 0;
	}
	return err;
}

static int carry_accounts(const struct map *m, struct export_account *from,
			  size_t nr, bool fresh)
{
	size_t nr_to, nr_from;
	struct export_account **olds = NULL;
	struct export_account **news =
		list(m->to->accounts, m->to->nr, fresh, &nr_to);
	int err = news ? 0 : -ENOMEM;

	for (size_t i = 0; i < nr; i++)
		from[i].taken = false;
	if (!err && nr_to) {
		olds = list(from, nr, false, &nr_from);
		err = olds ? carry_lists(m, news, nr_to, olds, nr_from)
			   : -ENOMEM;
	}
	free(news);
	free(olds);
	return err;
}

/* ---- accounts that are gone --------------------------------------------------------- */

#define LEAST_GONE 1024

/* Whether an account of the other state, of the same ledger, is still there. */
static bool lives(const struct export_state *to,
		  const struct export_account *from)
{
	const struct export_account *a = NULL;

	if (to->nr)
		a = bsearch(from, to->accounts, to->nr, sizeof(*from),
			    export_account_by_row);
	return a && a->account.generation == from->account.generation;
}

/* Remember an account of another state, unless its counts go on. */
static int remember(const struct map *m, struct export_state *to,
		    struct export_account *from)
{
	struct export_account *gone;

	if (!from->own || from->taken || (m->same && lives(to, from)))
		return 0;
	if (array_reserve(to->gone, to->room_gone, to->nr_gone + 1))
		return -ENOMEM;
	gone = &to->gone[to->nr_gone++];
	*gone = (struct export_account){.account.row = UINT32_MAX, .own = true};
	gone->key = strdup(from->key);
	gone->label = strdup(from->label);
	if (!gone->key || !gone->label)
		return -ENOMEM;
	return carry_account(m, gone, from);
}

/* The oldest ones are forgotten: as many as had rows at once are remembered. */
static void forget(struct export_state *s)
{
	size_t most = s->most_own > LEAST_GONE ? s->most_own : LEAST_GONE;
	size_t excess = s->nr_gone > most ? s->nr_gone - most : 0;
	size_t nr = 0;

	for (size_t i = 0; i < s->nr_gone; i++)
		if (i < excess || s->gone[i].taken)
			export_account_free(&s->gone[i]);
		else
			s->gone[nr++] = s->gone[i];
	s->nr_gone = nr;
}

void export_carry_keep(struct export_state *s)
{
	size_t nr = 0;

	for (size_t i = 0; i < s->nr; i++)
		nr += s->accounts[i].own;
	if (s->most_own < nr)
		s->most_own = nr;
	for (size_t i = 0; i < s->nr_was; i++) {
		struct export_account *was = &s->was[i];

		if (!was->own || was->taken)
			continue;
		s->gone[s->nr_gone++] = *was;
		*was = (struct export_account){.account = was->account};
	}
	forget(s);
}

void export_carry_drop(struct export_state *s, struct export_account *a)
{
	bool some = false;

	for (size_t i = 0; i < a->table.nr; i++) {
		struct export_row *row = a->table.rows[i];

		memset(row->values, 0, row->nr * sizeof(*row->values));
		some |= row->base != NULL;
	}
	if (some && !array_reserve(s->gone, s->room_gone, s->nr_gone + 1)) {
		s->gone[s->nr_gone] = *a;
		s->gone[s->nr_gone++].account.row = UINT32_MAX;
		*a = (struct export_account){.account = a->account};
	}
	export_account_free(a);
}

int export_carry_ended(struct export_state *s)
{
	size_t nr_ended = 0;
	struct map m;
	int err;

	for (size_t i = 0; i < s->nr_was; i++)
		nr_ended += s->was[i].own;
	if (!nr_ended && !s->nr_gone)
		return 0;
	if (array_reserve(s->gone, s->room_gone, s->nr_gone + nr_ended))
		return -ENOMEM;
	err = map_init(&m, s, s, true);
	if (!err)
		err = carry_accounts(&m, s->gone, s->nr_gone, true);
	if (!err)
		err = carry_accounts(&m, s->was, s->nr_was, true);
	free(m.resources);
	return err;
}

/* ---- a ledger ------------------------------------------------------------------------ */

/* The row of the node among those of nodes or of the rest. NULL: it has none. */
static struct export_row *find_row(const struct map *m,
				   const struct export_table *table,
				   unsigned int node)
{
	unsigned int to = map_node(m, node);

	for (size_t i = 0; i < table->nr; i++)
		if (table->rows[i]->node == to)
			return table->rows[i];
	return NULL;
}

/* In one ledger the rest goes on with what was moved to it. */
static int carry_moved(const struct map *m, struct export_row *to, size_t n)
{
	const struct export_shape *a = &m->from->shape;
	int64_t *base = export_row_base(to);

	if (!base)
		return -ENOMEM;
	for (unsigned int i = 0; i < a->nr_resources; i++) {
		unsigned int k = m->resources[i];

		if (k < m->to->shape.nr_resources)
			base[k] =
				(int64_t)((uint64_t)base[k] +
					  (uint64_t)m->from->sums[n].moved[i]);
	}
	return 0;
}

static int carry_node(const struct map *m, size_t n)
{
	const struct export_row *node = m->from->nodes.rows[n];
	const struct export_row *rest = m->from->rest.rows[n];
	struct export_row *to = find_row(m, &m->to->nodes, node->node);
	int err = 0;

	if (to)
		err = carry_column(m, to, node, m->same, TALLY_COUNTER,
				   NODE_COLUMNS, NODE_AMOUNT);
	if (to && !err)
		err = carry_column(m, to, node, m->same, TALLY_RESERVABLE,
				   NODE_COLUMNS, NODE_REFUSALS);
	to = find_row(m, &m->to->rest, rest->node);
	if (to && !err)
		err = carry_column(m, to, rest, m->same, TALLY_COUNTER, 1, 0);
	if (to && !err && m->same)
		err = carry_moved(m, to, n);
	return err;
}

int export_state_carry(struct export_state *to, const struct export_state *from,
		       bool same)
{
	struct map m;
	int err = map_init(&m, to, from, same);

	for (size_t n = 0; !err && n < from->nodes.nr; n++)
		err = carry_node(&m, n);
	if (!err)
		err = carry_accounts(&m, from->gone, from->nr_gone, false);
	if (!err)
		err = carry_accounts(&m, from->accounts, from->nr, false);
	for (size_t i = 0; !err && i < from->nr_gone; i++)
		err = remember(&m, to, &from->gone[i]);
	for (size_t i = 0; !err && i < from->nr; i++)
		err = remember(&m, to, &from->accounts[i]);
	if (!err)
		err = export_state_list(to);
	if (to->most_own < from->most_own)
		to->most_own = from->most_own;
	free(m.resources);
	return err;
}
