// SPDX-License-Identifier: MIT
/* Checking quotas. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "limit/check.h"

static int compare_rows(const void *a, const void *b)
{
	uint32_t ra = *(const uint32_t *)a, rb = *(const uint32_t *)b;

	return (ra > rb) - (ra < rb);
}

/* The row's index among those that ever had a quota, or -1. */
static int64_t index_of(const struct limit_check *c, uint32_t row)
{
	const uint32_t *found;

	if (!c->nr_quotas)
		return -1;
	found = bsearch(&row, c->quotas, c->nr_quotas, sizeof(row),
			compare_rows);
	return found ? found - c->quotas : -1;
}

void check_add_quota(struct limit_check *c, uint32_t row)
{
	int64_t index = index_of(c, row);

	for (uint32_t i = 0; index >= 0 && i < c->nr_resources; i++)
		check_add(&c->of_quotas[(uint64_t)index * c->nr_resources + i],
			  c->of_row[i]);
}

static void add_above(struct limit_check *c, struct tally_account account)
{
	size_t bytes = tally_account_key_bytes(c->accounts);

	if (!c->nr_quotas ||
	    tally_account_key(c->accounts, account, c->key, bytes))
		return;
	for (char *end = strchr(c->key, '/'); end && end[1];
	     end = strchr(end + 1, '/')) {
		struct tally_account above;
		char next = end[1];

		end[1] = '\0';
		if (!tally_account_find(c->accounts, c->key, &above))
			check_add_quota(c, above.row);
		end[1] = next;
	}
}

void check_add_above(struct limit_check *c, struct tally_account account)
{
	if (tally_account_phase(c->accounts, account) < 0)
		check_tell(c,
			   "row %" PRIu32
			   ": has holdings of an account that is gone",
			   account.row);
	else
		add_above(c, account);
}

static void check_peak(struct limit_check *c, uint32_t row, uint32_t resource)
{
	const struct layout_quota *q = &layout_quotas(c->layout, row)[resource];

	if (check_amount(&q->peak) >= check_amount(&q->held))
		return;
	check_tell(c, "row %" PRIu32 ": %s: more is held than its peak", row,
		   check_name(c, resource));
	check_put(c, &q->peak, limit_get(&q->held));
}

void check_quotas(struct limit_check *c, uint32_t row)
{
	const struct layout_quota *quotas = layout_quotas(c->layout, row);

	for (uint32_t i = 0; i < c->nr_resources; i++) {
		const struct layout_quota *q = &quotas[i];

		if (limit_get(&q->limit) > (uint64_t)INT64_MAX + 1)
			check_tell(c,
				   "row %" PRIu32 ": %s: its quota is below 0",
				   row, check_name(c, i));
		/* Rows that ever had a quota are compared at the end. */
		if (index_of(c, row) < 0 &&
		    check_amount(&q->held) != c->of_row[i]) {
			check_tell(c,
				   "row %" PRIu32
				   ": %s: its quota counts %" PRId64
				   ", but %" PRId64 " is held",
				   row, check_name(c, i),
				   check_amount(&q->held), c->of_row[i]);
			check_put(c, &q->held, (uint64_t)c->of_row[i]);
		}
		check_peak(c, row, i);
	}
}

void check_find_quotas(struct limit_check *c)
{
	uint32_t end = c->layout->header.params.max_accounts;

	for (uint32_t row = 0; row < end; row++) {
		if (!check_exists(c, row)) {
			row |= LAYOUT_BUCKET_ROWS - 1;
			continue;
		}
		if (!limit_had_quota(c->layout, row))
			continue;
		if (array_reserve(c->quotas, c->max_quotas,
				  (unsigned int)c->nr_quotas + 1)) {
			c->err = -ENOMEM;
			return;
		}
		c->quotas[c->nr_quotas++] = row;
	}
	free(c->of_quotas);
	c->of_quotas = calloc(c->nr_quotas * c->nr_resources + 1,
			      sizeof(*c->of_quotas));
	if (!c->of_quotas)
		c->err = -ENOMEM;
	if (limit_get(&layout_limits(c->layout)->nr_quotas) < c->nr_quotas)
		check_tell(c, "more accounts have quotas than are counted");
}

void check_compare_quotas(struct limit_check *c)
{
	for (uint64_t q = 0; q < c->nr_quotas; q++) {
		const struct layout_quota *quotas =
			layout_quotas(c->layout, c->quotas[q]);
		const int64_t *counts = &c->of_quotas[q * c->nr_resources];

		for (uint32_t i = 0; i < c->nr_resources; i++)
			if (check_amount(&quotas[i].held) != counts[i]) {
				check_tell(
					c,
					"row %" PRIu32
					": %s: its quota counts %" PRId64
					", but it and accounts below it hold %" PRId64,
					c->quotas[q], check_name(c, i),
					check_amount(&quotas[i].held),
					counts[i]);
				check_put(c, &quotas[i].held,
					  (uint64_t)counts[i]);
				check_peak(c, c->quotas[q], i);
			}
	}
}
