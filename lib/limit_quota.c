// SPDX-License-Identifier: MIT
/* Capacities and quotas are set. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "held.h"
#include "limit_cells.h"
#include "limit_credit.h"

int tally_limit_set_capacity(struct tally_ledger *l, int node,
			     unsigned int resource, int64_t capacity)
{
	int index = layout_node_index(l->layout, node);
	int err;

	if (index < 0)
		return index;
	if (!limit_is_stock(l, resource) || capacity < 0)
		return -EINVAL;
	err = limit_begin(l);
	if (err)
		return err;
	/* What is idle is not held against the new one. */
	err = limit_credit_draw_back(l, &resource);
	if (err < 0)
		return limit_finish(l, err);
	limit_set(l->layout,
		  &layout_capacity(l->layout, (uint32_t)index, resource)->limit,
		  (uint64_t)capacity + 1);
	return limit_finish(l, 0);
}

/* Whether the account's key begins with the first bytes of above, which end
 * with a '/'. */
static bool is_below(const struct tally_ledger *l, const char *above,
		     size_t bytes, struct tally_account account)
{
	char key[LAYOUT_MAX_KEY + 1];

	return bytes && above[bytes - 1] == '/' &&
	       !tally_account_key(l->accounts, account, key, sizeof(key)) &&
	       !strncmp(key, above, bytes) && key[bytes];
}

/*
 * From its first quota on an account counts what those below it hold, too. They
 * are asked for their own alone, since theirs can have those of others in it.
 * No reservation is under way: we have the lock.
 */
static int count_below(const struct tally_ledger *l,
		       struct tally_account account, int64_t *sums)
{
	uint32_t nr_nodes = l->layout->header.params.nr_nodes;
	char above[LAYOUT_MAX_KEY + 1];
	struct tally_account below;
	uint64_t cursor = 0;
	int err = tally_account_key(l->accounts, account, above, sizeof(above));

	while (!err && !tally_account_next(l->accounts, &cursor, &below))
		if (is_below(l, above, strlen(above), below))
			err = held_add(l->layout, &below.row, 0, nr_nodes,
				       sums);
	return err;
}

static int begin_quotas(struct tally_ledger *l, struct tally_account account)
{
	struct layout_limits *limits = layout_limits(l->layout);
	struct layout_quota *quotas = layout_quotas(l->layout, account.row);
	int64_t sums[LAYOUT_MAX_COLUMNS] = {0};
	int err = count_below(l, account, sums);

	for (uint32_t i = 0; !err && i < l->layout->header.params.nr_resources;
	     i++) {
		struct layout_quota *q = &quotas[i];
		int64_t held = (int64_t)limit_get(&q->held) + sums[i];

		limit_set(l->layout, &q->held, (uint64_t)held);
		if (held > (int64_t)limit_get(&q->peak))
			limit_set(l->layout, &q->peak, (uint64_t)held);
	}
	limit_set(l->layout, &limits->nr_quotas,
		  limit_get(&limits->nr_quotas) + 1);
	return err;
}

int tally_limit_set_quota(struct tally_ledger *l, struct tally_account account,
			  unsigned int resource, int64_t quota)
{
	int err;

	if (!limit_is_stock(l, resource) || quota < 0)
		return -EINVAL;
	err = limit_begin(l);
	if (err)
		return err;
	err = tally_account_phase(l->accounts, account);
	if (err >= 0)
		err = limit_credit_draw_back(l, NULL);
	if (err >= 0)
		err = limit_touch(l, account.row);
	if (!err && !limit_had_quota(l->layout, account.row))
		err = begin_quotas(l, account);
	if (!err)
		limit_set(
			l->layout,
			&layout_quotas(l->layout, account.row)[resource].limit,
			(uint64_t)quota + 1);
	return limit_finish(l, err);
}
