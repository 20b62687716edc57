// SPDX-License-Identifier: MIT
/* Which accounts have rows of their own. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "export/state.h"

/* How many times as large an account must be to take the place of one that has
 * rows: each change ends a series. */
#define STEADY 2

/* The series that are left for accounts. */
static size_t places(const struct export_state *s,
		     const struct export_bounds *bounds)
{
	size_t used = s->quotas.nr * QUOTA_COLUMNS;

	if (bounds->series == SIZE_MAX)
		return SIZE_MAX;
	for (unsigned int r = 0; r < s->shape.nr_resources; r++)
		used += s->nodes.nr *
			(s->shape.resources[r].kind == TALLY_RESERVABLE
				 ? NODE_COLUMNS + 1
				 : 2);
	return bounds->series > used ? bounds->series - used : 0;
}

/* An account can hold something on any node of a cluster, and few do on many. */
bool export_choose_all(const struct export_state *s,
		       const struct export_bounds *bounds)
{
	size_t left = places(s, bounds), most;

	if (bounds->top < bounds->nr_accounts)
		return false;
	return left == SIZE_MAX ||
	       (!__builtin_mul_overflow(bounds->nr_accounts, s->shape.nr_nodes,
					&most) &&
		!__builtin_mul_overflow(most, s->shape.nr_resources, &most) &&
		most <= left);
}

static double rank(const struct export_account *a)
{
	return a->own ? a->rank * STEADY : a->rank;
}

static int compare(const void *a, const void *b)
{
	const struct export_account *x = *(struct export_account *const *)a;
	const struct export_account *y = *(struct export_account *const *)b;

	if (rank(x) != rank(y))
		return rank(x) > rank(y) ? -1 : 1;
	return (x->account.row > y->account.row) -
	       (x->account.row < y->account.row);
}

static void take_largest(struct export_state *s, struct export_account **all,
			 const struct export_bounds *bounds)
{
	size_t left = places(s, bounds);
	bool full = false;

	for (size_t i = 0; i < s->nr; i++)
		all[i] = &s->accounts[i];
	if (s->nr)
		qsort(all, s->nr, sizeof(struct export_account *), compare);
	for (size_t i = 0; i < s->nr; i++) {
		size_t nodes = all[i]->own ? all[i]->table.nr
					   : all[i]->nr_nodes;
		size_t series = nodes * s->shape.nr_resources;

		full |= series > left || i >= bounds->top;
		all[i]->next = !full;
		left -= full ? 0 : series;
	}
}

int export_choose(struct export_state *s, const struct export_bounds *bounds,
		  bool *changed)
{
	struct export_account **all;

	*changed = false;
	if (export_choose_all(s, bounds)) {
		for (size_t i = 0; i < s->nr; i++)
			s->accounts[i].next = true;
	} else {
		all = calloc(s->nr + 1, sizeof(struct export_account *));
		if (!all)
			return -ENOMEM;
		take_largest(s, all, bounds);
		free(all);
	}
	for (size_t i = 0; i < s->nr; i++)
		*changed |= s->accounts[i].next != s->accounts[i].own;
	return 0;
}
