// SPDX-License-Identifier: MIT
/* A look at a ledger: what was read takes the place of what there was. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/state.h"

/* ---- making ------------------------------------------------------------------- */

/* Listed nodes, and one row for all others, if there are any. */
static int make_rows(struct export_state *s)
{
	struct export_shape *shape = &s->shape;
	unsigned int nr = shape->nr_resources;
	int err = 0;

	for (unsigned int n = 0; !err && n <= shape->nr_listed; n++) {
		bool others = n == shape->nr_listed;
		unsigned int node = others ? shape->nr_nodes : n;

		if (others && n == shape->nr_nodes)
			break;
		err = export_table_add(
			&s->nodes,
			export_row_new(export_shape_labels(
					       shape, node,
					       others ? "rest=\"true\"" : ""),
				       node, nr * NODE_COLUMNS));
		if (!err)
			err = export_table_add(
				&s->rest,
				export_row_new(
					export_shape_labels(shape, node,
							    "rest=\"true\""),
					node, nr));
	}
	return err;
}

static int make_sums(struct export_state *s)
{
	s->sums = calloc(s->rest.nr, sizeof(*s->sums));
	for (size_t n = 0; s->sums && n < s->rest.nr; n++) {
		struct export_sums *sums = &s->sums[n];

		sums->own = calloc(s->shape.nr_resources, 3 * sizeof(int64_t));
		if (!sums->own)
			return -ENOMEM;
		sums->others = sums->own + s->shape.nr_resources;
		sums->moved = sums->others + s->shape.nr_resources;
	}
	return s->sums ? 0 : -ENOMEM;
}

int export_state_new(const struct tally_view *view,
		     const struct export_bounds *bounds,
		     struct export_state **state)
{
	struct export_state *s = calloc(1, sizeof(*s));
	int err = s ? export_shape_init(view, bounds, &s->shape) : -ENOMEM;

	if (!err) {
		s->amounts = calloc(tally_view_nr_resources(view),
				    sizeof(*s->amounts));
		err = s->amounts ? make_rows(s) : -ENOMEM;
	}
	if (!err)
		err = make_sums(s);
	if (err) {
		export_state_free(s);
		return err;
	}
	*state = s;
	return 0;
}

static void free_table(struct export_table *t)
{
	export_table_clear(t);
	free(t->rows);
}

void export_state_free(struct export_state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nr; i++)
		export_account_free(&s->accounts[i]);
	for (size_t i = 0; i < s->nr_was; i++)
		export_account_free(&s->was[i]);
	for (size_t i = 0; i < s->nr_gone; i++)
		export_account_free(&s->gone[i]);
	for (size_t n = 0; s->sums && n < s->rest.nr; n++)
		free(s->sums[n].own);
	free_table(&s->nodes);
	free_table(&s->rest);
	free_table(&s->quotas);
	free_table(&s->fresh_quotas);
	free(s->own.rows);
	free(s->sums);
	free(s->accounts);
	free(s->was);
	free(s->gone);
	free(s->amounts);
	free(s->entries);
	export_shape_free(&s->shape);
	free(s);
}

/* ---- between the rest and accounts with rows ------------------------------------ */

/* Add what an account has to what was moved to the rest, or take it from there. */
static void move(struct export_state *s, const struct export_account *a,
		 bool to_rest)
{
	for (size_t i = 0; i < a->table.nr; i++) {
		struct export_row *row = a->table.rows[i];
		int64_t *moved =
			s->sums[export_listed(&s->shape, row->node)].moved;
		const int64_t *values = to_rest ? export_fresh(row)
						: row->values;

		for (unsigned int r = 0; r < s->shape.nr_resources; r++) {
			uint64_t value = (uint64_t)values[r];

			if (s->shape.resources[r].kind == TALLY_COUNTER)
				moved[r] =
					(int64_t)((uint64_t)moved[r] +
						  (to_rest ? value : -value));
		}
	}
}

/* Those that are not chosen any more lose their rows. What they had counted when
 * they were last exported isn't the rest's. */
static void drop(struct export_state *s)
{
	for (size_t i = 0; i < s->nr; i++) {
		struct export_account *a = &s->accounts[i];

		if (!a->own || a->next)
			continue;
		move(s, a, false);
		export_carry_drop(s, a);
	}
}

static void settle(struct export_state *s)
{
	for (size_t i = 0; i < s->nr_was; i++)
		if (s->was[i].own)
			move(s, &s->was[i], false);
	export_carry_keep(s);
	for (size_t i = 0; i < s->nr_was; i++)
		export_account_free(&s->was[i]);
	s->nr_was = 0;
	for (size_t i = 0; i < s->nr; i++) {
		struct export_account *a = &s->accounts[i];

		/* At the first look nothing has been exported. */
		if (a->moved && s->looked)
			move(s, a, true);
		a->moved = a->fresh = false;
	}
}

/* Of a live view the totals are a little older than the accounts: a counter of the
 * rest stands still until they have caught up. */
static void add_up_rest(struct export_state *s, size_t n)
{
	const int64_t *totals = export_fresh(s->nodes.rows[n]);
	struct export_row *row = s->rest.rows[n];
	const struct export_sums *sums = &s->sums[n];

	for (unsigned int r = 0; r < s->shape.nr_resources; r++) {
		int64_t value = sums->others[r];

		if (s->shape.resources[r].kind == TALLY_COUNTER) {
			uint64_t total =
				(uint64_t)totals[(size_t)r * NODE_COLUMNS];
			int64_t least = s->looked ? row->values[r] : 0;

			value = (int64_t)(total - (uint64_t)sums->own[r] +
					  (uint64_t)sums->moved[r]);
			if (value < least)
				value = least;
		}
		export_fresh(row)[r] = value;
	}
}

/* ---- a look ---------------------------------------------------------------------- */

static bool is_something(const struct export_row *row)
{
	for (unsigned int i = 0; i < row->nr; i++)
		if ((row->values[i] && row->values[i] != EXPORT_ABSENT) ||
		    (row->base && row->base[i]))
			return true;
	return false;
}

static void show_rows(struct export_state *s)
{
	for (size_t n = 0; n < s->nodes.nr; n++) {
		struct export_row *row = s->nodes.rows[n];

		row->shown = row->node < s->shape.nr_local || is_something(row);
	}
	for (size_t n = 0; n < s->rest.nr; n++)
		s->rest.rows[n]->shown = is_something(s->rest.rows[n]);
}

static int list_own(struct export_state *s)
{
	s->own.nr = 0;
	for (size_t i = 0; i < s->nr; i++) {
		const struct export_table *t = &s->accounts[i].table;

		if (export_table_reserve(&s->own, s->own.nr + t->nr))
			return -ENOMEM;
		for (size_t k = 0; k < t->nr; k++)
			s->own.rows[s->own.nr++] = t->rows[k];
	}
	return 0;
}

int export_state_list(struct export_state *s)
{
	show_rows(s);
	return list_own(s);
}

static int commit(struct export_state *s)
{
	struct export_table quotas = s->quotas;
	int err = export_carry_ended(s);

	if (err)
		return err;
	settle(s);
	for (size_t n = 0; n < s->rest.nr; n++)
		add_up_rest(s, n);
	err = list_own(s);
	export_table_commit(&s->nodes);
	export_table_commit(&s->rest);
	export_table_commit(&s->own);
	s->quotas = s->fresh_quotas;
	s->fresh_quotas = quotas;
	show_rows(s);
	return err;
}

static int read_once(struct export_state *s, const struct tally_view *view,
		     bool all)
{
	int err;

	drop(s);
	err = export_nodes_read(s, view);
	if (!err)
		err = export_accounts_read(s, view, all);
	if (!err)
		err = export_quotas_read(s, view);
	return err ? err : commit(s);
}

int export_state_read(struct export_state *s, const struct tally_view *view,
		      const struct export_bounds *bounds)
{
	bool changed;
	int err = read_once(s, view, export_choose_all(s, bounds));

	if (!err)
		err = export_choose(s, bounds, &changed);
	if (!err && changed && !s->looked)
		err = read_once(s, view, false);
	if (!err)
		s->looked = true;
	return err;
}
