// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "limit/check.h"

static const struct layout_credit *credit_at(const struct limit_check *c,
					     uint64_t index)
{
	return layout_credit(c->layout, index);
}

static int compare(const void *a, const void *b, void *check)
{
	const uint64_t *ia = a, *ib = b;
	uint64_t ra = limit_get(&credit_at(check, *ia)->row);
	uint64_t rb = limit_get(&credit_at(check, *ib)->row);

	return ra == rb ? (*ia > *ib) - (*ia < *ib) : (ra > rb) - (ra < rb);
}

static bool is_sound(struct limit_check *c, uint64_t i)
{
	const struct layout_credit *credit = credit_at(c, i);
	uint64_t tag = limit_get(&credit->tag);

	if ((uint16_t)tag &&
	    limit_get(&credit->row) < c->layout->header.params.max_accounts &&
	    limit_get(&credit->node) < c->nr_nodes &&
	    limit_get(&credit->resource) < c->nr_resources)
		return true;
	check_tell(c,
		   "credit %" PRIu64 ": invalid account, node, resource or tag",
		   i);
	return false;
}

static void check_words(struct limit_check *c, uint64_t i)
{
	const struct layout_credit *credit = credit_at(c, i);
	const struct layout *l = c->layout;
	uint64_t lanes = limit_get(&credit->lanes);

	for (uint32_t n = 0; lanes && n < l->header.params.nr_lanes; n++) {
		const struct layout_credit_word *at = &layout_credits(l, n)[i];
		uint64_t word;

		if (!(lanes >> n % 64 & 1) ||
		    !__atomic_load_n(layout_credit_lane(l, n),
				     __ATOMIC_ACQUIRE))
			continue;
		word = limit_get(&at->word);
		if (word &&
		    ((uint16_t)word != (uint16_t)limit_get(&credit->tag) ||
		     limit_get(&at->tag) != limit_get(&credit->tag)))
			check_tell(c,
				   "credit %" PRIu64 ": lane %" PRIu32
				   " is open for another credit",
				   i, n);
	}
}

void check_credits(struct limit_check *c)
{
	uint64_t nr = reserved_nr_credits(c->layout);

	free(c->credits);
	c->nr_credits = 0;
	c->credits = calloc(nr + 1, sizeof(*c->credits));
	if (!c->credits) {
		c->err = -ENOMEM;
		return;
	}
	for (uint64_t i = 0; i < nr; i++) {
		int64_t taken, idle;

		if (!is_sound(c, i))
			continue;
		check_words(c, i);
		taken = (int64_t)limit_get(&credit_at(c, i)->taken);
		idle = reserved_idle(c->layout, i);
		if (taken < 0 || idle < 0)
			check_tell(c,
				   "credit %" PRIu64
				   ": the amount taken is negative",
				   i);
		if (taken)
			c->credits[c->nr_credits++] = i;
	}
	qsort_r(c->credits, c->nr_credits, sizeof(*c->credits), compare, c);
}

/* The row's first credit, or the end. */
static uint64_t first_of(const struct limit_check *c, uint32_t row)
{
	uint64_t low = 0, high = c->nr_credits;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (limit_get(&credit_at(c, c->credits[middle])->row) < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool check_add_credits(struct limit_check *c, uint32_t row,
		       struct tally_account *account)
{
	bool some = false;

	for (uint64_t i = first_of(c, row); i < c->nr_credits; i++) {
		const struct layout_credit *credit =
			credit_at(c, c->credits[i]);
		uint64_t node = limit_get(&credit->node);
		uint64_t resource = limit_get(&credit->resource);
		uint64_t taken = limit_get(&credit->taken);
		int64_t *of_node;

		/* It was sound, but may be changing. */
		if (limit_get(&credit->row) != row || node >= c->nr_nodes ||
		    resource >= c->nr_resources)
			break;
		of_node = &c->of_nodes[node * c->nr_resources + resource];
		c->of_row[resource] =
			(int64_t)((uint64_t)c->of_row[resource] + taken);
		*of_node = (int64_t)((uint64_t)*of_node + taken);
		account->row = row;
		account->generation = (uint32_t)limit_get(&credit->account);
		some = true;
	}
	return some;
}
