// SPDX-License-Identifier: MIT
/* Declaring a resource in a spare column: see numatally/ledger.h. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <numatally/limit.h>

#include "base/uncancelled.h"
#include "file/column.h"
#include "limit/lock.h"
#include "limit/quota.h"
#include "limit/transaction.h"
#include "open/internal.h"

struct declaration {
	struct layout_resource resource;
	const struct tally_capacity *capacities;
	unsigned int nr_capacities;
	const struct tally_quota *quotas;
	unsigned int nr_quotas;
};

static int check(const struct tally_ledger *l, const struct declaration *d)
{
	if ((d->nr_capacities || d->nr_quotas) &&
	    d->resource.kind != TALLY_RESERVABLE)
		return -EINVAL;
	for (unsigned int i = 0; i < d->nr_capacities; i++) {
		int index = layout_node_index(l->layout, d->capacities[i].node);

		if (index < 0)
			return index;
		if (d->capacities[i].capacity < 0)
			return -EINVAL;
	}
	return limit_quotas_check(l, d->quotas, d->nr_quotas, 1);
}

/* The number of a resource that was declared so; -ENOENT: none was. */
static int find(const struct layout *l, const struct layout_resource *wanted)
{
	struct layout_resource found;
	int column = column_find(l, wanted->name, &found);

	if (column >= 0 && memcmp(&found, wanted, sizeof(found)) != 0)
		return -EEXIST;
	return column;
}

/* Set the column's capacities, and unset those that a killed process left. No
 * other process looks at them yet, so each change may stand for itself. */
static void set_capacities(struct layout *l, uint32_t column,
			   const struct declaration *d)
{
	for (uint32_t n = 0; n < l->header.params.nr_nodes; n++) {
		limit_set(l, &layout_capacity(l, n, column)->limit, 0);
		limit_keep(l);
	}
	for (unsigned int i = 0; i < d->nr_capacities; i++) {
		int index = layout_node_index(l, d->capacities[i].node);

		limit_set(l,
			  &layout_capacity(l, (uint32_t)index, column)->limit,
			  (uint64_t)d->capacities[i].capacity + 1);
		limit_keep(l);
	}
}

/* What the next owner of the lock undoes, or else ends with column_declare(). */
static int set_quotas(struct tally_ledger *l, uint32_t column,
		      const struct declaration *d)
{
	uint64_t *nr = &layout_limits(l->layout)->nr_declared;
	int err = limit_quotas_set(l, d->quotas, d->nr_quotas, &column);

	limit_set(l->layout, nr, limit_get(nr) | 1);
	if (!err)
		err = limit_state(l->layout);
	if (err)
		limit_undo(l->layout);
	else
		limit_keep(l->layout);
	return err;
}

/* With the lock. */
static int declare(struct tally_ledger *l, const struct declaration *d)
{
	int column = find(l->layout, &d->resource), err = 0;

	if (column != -ENOENT)
		return column;
	column = (int)column_nr(l->layout);
	if ((uint32_t)column == l->layout->header.params.nr_resources)
		return -ENOSPC;
	if (d->nr_quotas)
		err = limit_quotas_prepare(l, d->quotas, d->nr_quotas);
	if (err)
		return err;
	set_capacities(l->layout, (uint32_t)column, d);
	column_describe(l->layout, (uint32_t)column, &d->resource);
	err = set_quotas(l, (uint32_t)column, d);
	if (err)
		return err;
	column_declare(l->layout);
	return column;
}

int tally_ledger_declare_limited(struct tally_ledger *l,
				 const struct tally_resource *resource,
				 const struct tally_capacity *capacities,
				 unsigned int nr_capacities,
				 const struct tally_quota *quotas,
				 unsigned int nr_quotas)
{
	UNCANCELLED;
	struct declaration d = {
		.capacities = capacities,
		.nr_capacities = nr_capacities,
		.quotas = quotas,
		.nr_quotas = nr_quotas,
	};
	int err = ledger_resource(resource, &d.resource), column;

	if (!err)
		err = check(l, &d);
	/* No account is opened for a resource that exists. */
	if (!err && nr_quotas && find(l->layout, &d.resource) == -ENOENT)
		err = limit_quotas_open(l, quotas, nr_quotas);
	if (!err)
		err = limit_begin(l);
	if (err)
		return err;
	column = declare(l, &d);
	err = limit_finish(l, 0);
	if (err < 0)
		return err;
	return layout_is_whole(l->layout) ? column : -EBADMSG;
}

int tally_ledger_declare(struct tally_ledger *l,
			 const struct tally_resource *resource,
			 const struct tally_capacity *capacities,
			 unsigned int nr_capacities)
{
	return tally_ledger_declare_limited(l, resource, capacities,
					    nr_capacities, NULL, 0);
}
