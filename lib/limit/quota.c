// SPDX-License-Identifier: MIT
/* Setting capacities and quotas. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/uncancelled.h"
#include "file/reserved.h"
#include "limit/cells.h"
#include "limit/credit.h"
#include "limit/quota.h"
#include "limit/room.h"
#include "limit/transaction.h"

int tally_limit_set_capacity(struct tally_ledger *l, int node,
			     unsigned int resource, int64_t capacity)
{
	UNCANCELLED;
	int index = layout_node_index(l->layout, node);
	int err;

	if (index < 0)
		return index;
	if (!limit_is_reservable(l, resource) || capacity < 0)
		return -EINVAL;
	err = limit_begin(l);
	if (err)
		return err;
	room_made(l, room_on((uint32_t)index) | ROOM_WATCHED);
	/* Idle credit must not count against the new capacity. */
	err = limit_credit_draw_back(l, &resource);
	if (err < 0)
		return limit_finish(l, err);
	limit_set(l->layout,
		  &layout_capacity(l->layout, (uint32_t)index, resource)->limit,
		  (uint64_t)capacity + 1);
	return limit_finish(l, 0);
}

/* -E2BIG: accounts below this one would have too many accounts above them. */
static int check_depth(const char *key)
{
	size_t bytes = strlen(key), nr = 0;

	for (size_t i = 0; i < bytes; i++)
		nr += key[i] == '/';
	return key[bytes - 1] == '/' && nr > LIMIT_MAX_ABOVE ? -E2BIG : 0;
}

/* Whether the account's key begins with above, which ends with '/'. */
static bool is_below(const struct tally_ledger *l, const char *above,
		     struct tally_account account)
{
	char key[LAYOUT_MAX_KEY + 1];
	size_t bytes = strlen(above);

	return above[bytes - 1] == '/' &&
	       !tally_account_key(l->accounts, account, key, sizeof(key)) &&
	       !strncmp(key, above, bytes) && key[bytes];
}

/* Add what the row's reservation holds. */
static int add_held(const struct layout *l, uint32_t row, int64_t *sums)
{
	struct reserved_walk walk = reserved_holdings(l, row);
	const struct layout_holding *h;

	while ((h = reserved_next(l, &walk)))
		for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
			if (__builtin_add_overflow(
				    sums[i], (int64_t)limit_get(&h->amounts[i]),
				    &sums[i]))
				return -EOVERFLOW;
	return 0;
}

/* Add what accounts below took by credits, of which nothing is idle. */
static int add_taken(const struct tally_ledger *l, const char *above,
		     int64_t *sums)
{
	uint64_t nr = reserved_nr_credits(l->layout);

	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l->layout, i);
		uint64_t resource = limit_get(&c->resource);
		const struct tally_account below = {
			.row = (uint32_t)limit_get(&c->row),
			.generation = (uint32_t)limit_get(&c->account),
		};

		if (limit_get(&c->taken) &&
		    resource < l->layout->header.params.nr_resources &&
		    is_below(l, above, below) &&
		    __builtin_add_overflow(sums[resource],
					   (int64_t)limit_get(&c->taken),
					   &sums[resource]))
			return -EOVERFLOW;
	}
	return 0;
}

/*
 * From its first quota on, an account counts what accounts below it hold, too.
 * This sums up their holdings and credits, since their own quotas may include
 * accounts below them. The lock keeps reservations from changing.
 */
static int count_below(const struct tally_ledger *l, const char *above,
		       int64_t *sums)
{
	const struct layout *layout = l->layout;
	uint32_t end = layout->header.params.max_accounts;
	int err = 0;

	for (uint32_t row = 0; !err && row < end; row++) {
		const struct layout_reservation *reservation =
			layout_reservation(layout, row);
		struct tally_account below = {.row = row};

		if (!__atomic_load_n(layout_populated(layout, row),
				     __ATOMIC_ACQUIRE)) {
			row |= LAYOUT_BUCKET_ROWS - 1;
			continue;
		}
		/* What is drawn is its parent's. */
		if (limit_get(&reservation->state) == LAYOUT_RESERVATION_NONE ||
		    reserved_parent(layout, row))
			continue;
		below.generation = (uint32_t)limit_get(&reservation->account);
		if (is_below(l, above, below))
			err = add_held(layout, row, sums);
	}
	return err ? err : add_taken(l, above, sums);
}

static int begin_quotas(struct tally_ledger *l, struct tally_account account)
{
	uint32_t nr_resources = l->layout->header.params.nr_resources;
	struct layout_limits *limits = layout_limits(l->layout);
	struct layout_quota *quotas = layout_quotas(l->layout, account.row);
	char key[LAYOUT_MAX_KEY + 1];
	int64_t sums[LAYOUT_MAX_COLUMNS];
	int err = tally_account_key(l->accounts, account, key, sizeof(key));

	for (uint32_t i = 0; i < nr_resources; i++)
		sums[i] = (int64_t)limit_get(&quotas[i].held);
	if (!err)
		err = check_depth(key);
	if (!err)
		err = count_below(l, key, sums);
	if (err)
		return err;
	for (uint32_t i = 0; i < nr_resources; i++) {
		limit_set(l->layout, &quotas[i].held, (uint64_t)sums[i]);
		if (sums[i] > (int64_t)limit_get(&quotas[i].peak))
			limit_set(l->layout, &quotas[i].peak,
				  (uint64_t)sums[i]);
	}
	limit_set(l->layout, &limits->nr_quotas,
		  limit_get(&limits->nr_quotas) + 1);
	return 0;
}

int limit_quota_set(struct tally_ledger *l, struct tally_account account,
		    unsigned int resource, int64_t quota)
{
	int err = limit_had_quota(l->layout, account.row)
			  ? 0
			  : begin_quotas(l, account);

	if (!err)
		limit_set(
			l->layout,
			&layout_quotas(l->layout, account.row)[resource].limit,
			(uint64_t)quota + 1);
	room_made(l, ROOM_ELSEWHERE | ROOM_WATCHED);
	return err;
}

int limit_quotas_check(const struct tally_ledger *l,
		       const struct tally_quota *quotas, unsigned int nr,
		       uint64_t nr_words)
{
	uint32_t nr_resources = l->layout->header.params.nr_resources;

	/* Before any account is opened. */
	for (unsigned int i = 0; i < nr; i++) {
		size_t bytes = strlen(quotas[i].key);
		int err;

		if (quotas[i].quota < 0 || !bytes)
			return -EINVAL;
		if (bytes > l->layout->header.params.max_key_bytes)
			return -ENAMETOOLONG;
		err = check_depth(quotas[i].key);
		if (err)
			return err;
	}
	nr_words += (uint64_t)nr * LIMIT_QUOTA_WORDS(nr_resources);
	return nr_words > LAYOUT_NR_UNDO ? -E2BIG : 0;
}

int limit_quotas_open(struct tally_ledger *l, const struct tally_quota *quotas,
		      unsigned int nr)
{
	struct tally_account account;
	int err = 0;

	for (unsigned int i = 0; !err && i < nr; i++)
		err = tally_account_open(l->accounts, quotas[i].key, &account);
	return err;
}

int limit_quotas_prepare(struct tally_ledger *l,
			 const struct tally_quota *quotas, unsigned int nr)
{
	struct tally_account account;
	int err = limit_credit_draw_back(l, NULL);

	for (unsigned int i = 0; err >= 0 && i < nr; i++) {
		err = tally_account_find(l->accounts, quotas[i].key, &account);
		if (!err)
			err = limit_touch(l, account);
	}
	return err == -ENOENT ? -ESTALE : err < 0 ? err : 0;
}

int limit_quotas_find(const struct tally_ledger *l, const char *key,
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

int limit_quotas_set(struct tally_ledger *l, const struct tally_quota *quotas,
		     unsigned int nr, const unsigned int *resource)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_quota *q = &quotas[i];
		struct tally_account account;
		int err = limit_quotas_find(l, q->key, &account);

		if (!err)
			err = limit_quota_set(
				l, account, resource ? *resource : q->resource,
				q->quota);
		if (err)
			return err;
	}
	return 0;
}

int tally_limit_set_quota(struct tally_ledger *l, struct tally_account account,
			  unsigned int resource, int64_t quota)
{
	UNCANCELLED;
	int err;

	if (!limit_is_reservable(l, resource) || quota < 0)
		return -EINVAL;
	err = limit_begin(l);
	if (err)
		return err;
	err = tally_account_phase(l->accounts, account);
	if (err >= 0)
		err = limit_credit_draw_back(l, NULL);
	if (err >= 0)
		err = limit_touch(l, account);
	if (!err)
		err = limit_quota_set(l, account, resource, quota);
	return limit_finish(l, err);
}
