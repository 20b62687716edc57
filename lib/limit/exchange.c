// SPDX-License-Identifier: MIT
/* Changing a set of limits: see numatally/limit.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/uncancelled.h"
#include "limit/quota.h"
#include "limit/room.h"
#include "limit/transaction.h"

struct set {
	struct tally_capacity *capacities;
	unsigned int nr_capacities;
	struct tally_quota *quotas;
	unsigned int nr_quotas;
};

static uint64_t *capacity_at(const struct tally_ledger *l,
			     const struct tally_capacity *c)
{
	int index = layout_node_index(l->layout, c->node);

	return &layout_capacity(l->layout, (uint32_t)index, c->resource)->limit;
}

static int check(const struct tally_ledger *l, const struct set *set)
{
	for (unsigned int i = 0; i < set->nr_capacities; i++) {
		const struct tally_capacity *c = &set->capacities[i];
		int index = layout_node_index(l->layout, c->node);

		if (index < 0)
			return index;
		if (!limit_is_reservable(l, c->resource) || c->capacity < 0)
			return -EINVAL;
	}
	for (unsigned int i = 0; i < set->nr_quotas; i++)
		if (!limit_is_reservable(l, set->quotas[i].resource))
			return -EINVAL;
	return limit_quotas_check(l, set->quotas, set->nr_quotas,
				  set->nr_capacities);
}

/* Get the limits that the set changes: the capacities, then the quotas. */
static int get_all(const struct tally_ledger *l, const struct set *set,
		   int64_t *limits)
{
	for (unsigned int i = 0; i < set->nr_capacities; i++)
		*limits++ = limit_value(
			limit_get(capacity_at(l, &set->capacities[i])));
	for (unsigned int i = 0; i < set->nr_quotas; i++) {
		const struct tally_quota *q = &set->quotas[i];
		struct tally_account account;
		int err = limit_quotas_find(l, q->key, &account);

		if (err)
			return err;
		*limits++ = limit_value(limit_get(
			&layout_quotas(l->layout, account.row)[q->resource]
				 .limit));
	}
	return 0;
}

static int set_all(struct tally_ledger *l, const struct set *set)
{
	for (unsigned int i = 0; i < set->nr_capacities; i++) {
		const struct tally_capacity *c = &set->capacities[i];
		int index = layout_node_index(l->layout, c->node);

		room_made(l, room_on((uint32_t)index) | ROOM_WATCHED);
		limit_set(l->layout, capacity_at(l, c),
			  (uint64_t)c->capacity + 1);
	}
	return limit_quotas_set(l, set->quotas, set->nr_quotas, NULL);
}

/* Put the former limits into the caller's set. */
static void put_all(const struct set *set, const int64_t *limits)
{
	for (unsigned int i = 0; i < set->nr_capacities; i++)
		set->capacities[i].capacity = *limits++;
	for (unsigned int i = 0; i < set->nr_quotas; i++)
		set->quotas[i].quota = *limits++;
}

static int exchange(struct tally_ledger *l, const struct set *set,
		    int64_t *former)
{
	int err = limit_begin(l);

	if (err)
		return err;
	/* Also of capacities: idle credit must not count against them. */
	err = limit_quotas_prepare(l, set->quotas, set->nr_quotas);
	if (!err)
		err = get_all(l, set, former);
	if (!err)
		err = set_all(l, set);
	return limit_finish(l, err);
}

int tally_limit_exchange(struct tally_ledger *l,
			 struct tally_capacity *capacities,
			 unsigned int nr_capacities, struct tally_quota *quotas,
			 unsigned int nr_quotas)
{
	UNCANCELLED;
	const struct set set = {capacities, nr_capacities, quotas, nr_quotas};
	int64_t *former;
	int err = check(l, &set);

	if (!err)
		err = limit_quotas_open(l, quotas, nr_quotas);
	if (err)
		return err;
	former = calloc((size_t)nr_capacities + nr_quotas + 1, sizeof(*former));
	if (!former)
		return -ENOMEM;
	err = exchange(l, &set, former);
	if (!err)
		put_all(&set, former);
	free(former);
	return err;
}
