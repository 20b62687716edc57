// SPDX-License-Identifier: MIT
/* Changing a set of limits: see numatally/limit.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/uncancelled.h"
#include "limit/credit.h"
#include "limit/quota.h"
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
	uint32_t nr_resources = l->layout->header.params.nr_resources;
	uint64_t words = set->nr_capacities;

	for (unsigned int i = 0; i < set->nr_capacities; i++) {
		const struct tally_capacity *c = &set->capacities[i];
		int index = layout_node_index(l->layout, c->node);

		if (index < 0)
			return index;
		if (!limit_is_reservable(l, c->resource) || c->capacity < 0)
			return -EINVAL;
	}
	for (unsigned int i = 0; i < set->nr_quotas; i++) {
		const struct tally_quota *q = &set->quotas[i];

		if (!limit_is_reservable(l, q->resource) || q->quota < 0)
			return -EINVAL;
		words += LIMIT_QUOTA_WORDS(nr_resources);
	}
	return words > LAYOUT_NR_UNDO ? -E2BIG : 0;
}

/* All that keeps what it does, before the first limit changes. */
static int prepare(struct tally_ledger *l, const struct set *set)
{
	struct tally_account account;
	int err = limit_credit_draw_back(l, NULL);

	for (unsigned int i = 0; err >= 0 && i < set->nr_quotas; i++) {
		err = tally_account_find(l->accounts, set->quotas[i].key,
					 &account);
		if (!err)
			err = limit_touch(l, account);
	}
	return err == -ENOENT ? -ESTALE : err < 0 ? err : 0;
}

/* The account of a key whose row prepare() touched. */
static int find(const struct tally_ledger *l, const char *key,
		struct tally_account *account)
{
	int err = tally_account_find(l->accounts, key, account);

	/* It may have ended since, and be open again in another row. */
	if (err == -ENOENT ||
	    (!err && limit_account_in(l, account->row).generation !=
			     account->generation))
		return -ESTALE;
	return err;
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
		int err = find(l, q->key, &account);

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
	for (unsigned int i = 0; i < set->nr_capacities; i++)
		limit_set(l->layout, capacity_at(l, &set->capacities[i]),
			  (uint64_t)set->capacities[i].capacity + 1);
	for (unsigned int i = 0; i < set->nr_quotas; i++) {
		const struct tally_quota *q = &set->quotas[i];
		struct tally_account account;
		int err = find(l, q->key, &account);

		if (!err)
			err = limit_quota_set(l, account, q->resource,
					      q->quota);
		if (err)
			return err;
	}
	return 0;
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
	err = prepare(l, set);
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
	struct tally_account account;
	int64_t *former;
	int err = check(l, &set);

	for (unsigned int i = 0; !err && i < nr_quotas; i++)
		err = tally_account_open(l->accounts, quotas[i].key, &account);
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
