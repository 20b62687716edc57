// SPDX-License-Identifier: MIT
/* What nodes have, and the limits of nodes and accounts. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <numatally/limit.h>

#include "export/state.h"

/* Amounts wrap. */
static void add(int64_t *to, int64_t amount)
{
	*to = (int64_t)((uint64_t)*to + (uint64_t)amount);
}

/* ---- nodes ------------------------------------------------------------------ */

static bool is_alone(const struct export_state *s, unsigned int row)
{
	return row < s->shape.nr_listed;
}

/* What several nodes have together has no peak. */
static int read_limit(struct export_state *s, const struct tally_view *view,
		      unsigned int node, unsigned int resource,
		      int64_t *columns)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	int err = tally_limit_node(view, s->shape.nodes[node].number, resource,
				   &limit);

	if (err)
		return err;
	if (limit.limit != TALLY_LIMIT_NONE) {
		if (columns[NODE_CAPACITY] == EXPORT_ABSENT)
			columns[NODE_CAPACITY] = 0;
		add(&columns[NODE_CAPACITY], limit.limit);
	}
	if (is_alone(s, export_listed(&s->shape, node)))
		columns[NODE_PEAK] = limit.peak;
	add(&columns[NODE_REFUSALS], (int64_t)limit.nr_refused);
	return 0;
}

static int read_node(struct export_state *s, const struct tally_view *view,
		     unsigned int node)
{
	struct export_row *row = s->nodes.rows[export_listed(&s->shape, node)];
	int64_t *fresh = export_fresh(row);
	int err = tally_view_totals(view, s->shape.nodes[node].number,
				    s->amounts);

	for (unsigned int r = 0; !err && r < s->shape.nr_resources; r++) {
		int64_t *columns = &fresh[(size_t)r * NODE_COLUMNS];

		add(&columns[NODE_AMOUNT], s->amounts[r]);
		if (s->shape.resources[r].kind == TALLY_RESERVABLE)
			err = read_limit(s, view, node, r, columns);
	}
	return err;
}

static void begin_node(const struct export_state *s, struct export_row *row)
{
	int64_t *fresh = export_fresh(row);

	for (unsigned int r = 0; r < s->shape.nr_resources; r++) {
		int64_t *columns = &fresh[(size_t)r * NODE_COLUMNS];

		columns[NODE_AMOUNT] = 0;
		columns[NODE_CAPACITY] = columns[NODE_PEAK] = EXPORT_ABSENT;
		columns[NODE_REFUSALS] = s->shape.resources[r].kind ==
							 TALLY_RESERVABLE
						 ? 0
						 : EXPORT_ABSENT;
	}
}

int export_nodes_read(struct export_state *s, const struct tally_view *view)
{
	int err = 0;

	for (size_t i = 0; i < s->nodes.nr; i++)
		begin_node(s, s->nodes.rows[i]);
	for (unsigned int n = 0; !err && n < s->shape.nr_nodes; n++)
		err = read_node(s, view, n);
	return err;
}

/* ---- quotas ------------------------------------------------------------------ */

/* NULL: it has nothing, nor had it at an earlier look. */
static const struct export_account *find(const struct export_state *s,
					 struct tally_account account)
{
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->accounts[middle].account.row < account.row)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == s->nr || s->accounts[low].account.row != account.row ||
	    s->accounts[low].account.generation != account.generation)
		return NULL;
	return &s->accounts[low];
}

/* The labels of an account, from malloc(). -ESTALE: it has ended meanwhile. */
static int label(const struct tally_view *view, struct tally_account account,
		 const struct export_account *own, char **labels)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	size_t bytes = tally_account_key_bytes(accounts);
	char *key = own ? NULL : malloc(bytes), *escaped = NULL;
	int err = 0;

	if (!own)
		err = key ? tally_account_key(accounts, account, key, bytes)
			  : -ENOMEM;
	if (!own && !err) {
		escaped = export_escape(key);
		err = escaped ? 0 : -ENOMEM;
	}
	if (!err &&
	    asprintf(labels, "account=\"%s\"", own ? own->label : escaped) < 0)
		err = -ENOMEM;
	free(key);
	free(escaped);
	return err;
}

/* A row has the quota of one resource. */
static int put_quota(struct export_state *s, char *labels,
		     unsigned int resource, const struct tally_limit *limit)
{
	struct export_row *row = export_row_new(
		labels, 0, s->shape.nr_resources * QUOTA_COLUMNS);
	int64_t *columns;
	int err = export_table_add(&s->fresh_quotas, row);

	if (err)
		return err;
	for (unsigned int i = 0; i < row->nr; i++)
		row->values[i] = EXPORT_ABSENT;
	columns = &row->values[(size_t)resource * QUOTA_COLUMNS];
	columns[QUOTA_LIMIT] = limit->limit;
	columns[QUOTA_HELD] = limit->held;
	columns[QUOTA_REFUSALS] = (int64_t)limit->nr_refused;
	return 0;
}

/* Accounts of the rest show none. */
static int read_quota(struct export_state *s, const struct tally_view *view,
		      struct tally_account account, unsigned int resource,
		      const struct tally_limit *limit)
{
	const struct export_account *a = find(s, account);
	char *labels;
	int err;

	if (resource >= s->shape.nr_resources || (a && !a->own))
		return 0;
	err = label(view, account, a, &labels);
	if (err)
		return err == -ESTALE ? 0 : err;
	return put_quota(s, labels, resource, limit);
}

int export_quotas_read(struct export_state *s, const struct tally_view *view)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_account account;
	unsigned int resource;
	uint64_t cursor = 0;
	int err = 0, end = 0;

	export_table_clear(&s->fresh_quotas);
	while (!err && s->fresh_quotas.nr < s->shape.most_quotas &&
	       !(end = tally_limit_quota_next(view, &cursor, &account,
					      &resource, &limit)))
		err = read_quota(s, view, account, resource, &limit);
	return !err && end && end != -ENOENT ? end : err;
}
