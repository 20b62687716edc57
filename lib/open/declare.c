// SPDX-License-Identifier: MIT
/* Declaring a resource in a spare column: see numatally/ledger.h. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <numatally/limit.h>

#include "base/uncancelled.h"
#include "file/column.h"
#include "limit/lock.h"
#include "limit/transaction.h"
#include "open/internal.h"

static int check(const struct tally_ledger *l,
		 const struct layout_resource *resource,
		 const struct tally_capacity *capacities, unsigned int nr)
{
	if (nr && resource->kind != TALLY_RESERVABLE)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++) {
		int index = layout_node_index(l->layout, capacities[i].node);

		if (index < 0)
			return index;
		if (capacities[i].capacity < 0)
			return -EINVAL;
	}
	return 0;
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
			   const struct tally_capacity *capacities,
			   unsigned int nr)
{
	for (uint32_t n = 0; n < l->header.params.nr_nodes; n++) {
		limit_set(l, &layout_capacity(l, n, column)->limit, 0);
		limit_keep(l);
	}
	for (unsigned int i = 0; i < nr; i++) {
		int index = layout_node_index(l, capacities[i].node);

		limit_set(l,
			  &layout_capacity(l, (uint32_t)index, column)->limit,
			  (uint64_t)capacities[i].capacity + 1);
		limit_keep(l);
	}
}

/* With the lock. */
static int declare(struct layout *l, const struct layout_resource *resource,
		   const struct tally_capacity *capacities, unsigned int nr)
{
	int column = find(l, resource);

	if (column != -ENOENT)
		return column;
	column = (int)column_nr(l);
	if ((uint32_t)column == l->header.params.nr_resources)
		return -ENOSPC;
	set_capacities(l, (uint32_t)column, capacities, nr);
	column_declare(l, resource);
	return column;
}

int tally_ledger_declare(struct tally_ledger *l,
			 const struct tally_resource *resource,
			 const struct tally_capacity *capacities,
			 unsigned int nr_capacities)
{
	UNCANCELLED;
	struct layout_resource wanted;
	int err = ledger_resource(resource, &wanted), column;

	if (!err)
		err = check(l, &wanted, capacities, nr_capacities);
	if (!err)
		err = limit_begin(l);
	if (err)
		return err;
	column = declare(l->layout, &wanted, capacities, nr_capacities);
	err = limit_finish(l, 0);
	if (err < 0)
		return err;
	return layout_is_whole(l->layout) ? column : -EBADMSG;
}
