// SPDX-License-Identifier: MIT
/* Iterating over limits and reservations. */
#include "config.h"

#include <errno.h>

#include "file/reserved.h"
#include "limit/cells.h"
#include "limit/holding.h"
#include "view/file.h"

/* The end of an iteration: of the ledger, or of what is left of its file. */
static int no_more(const struct layout *l)
{
	return layout_is_whole(l) ? -ENOENT : -EBADMSG;
}

static bool is_set(const uint64_t *limit)
{
	return limit_value(limit_get(limit)) != TALLY_LIMIT_NONE;
}

int tally_limit_capacity_next(const struct tally_view *view, uint64_t *cursor,
			      int *node, unsigned int *resource,
			      struct tally_limit *limit)
{
	const struct layout *l = view_layout(view);
	uint32_t nr_resources = l->header.params.nr_resources;
	uint64_t end = (uint64_t)l->header.params.nr_nodes * nr_resources;

	while (*cursor < end) {
		uint32_t index = (uint32_t)(*cursor / nr_resources);
		uint32_t column = (uint32_t)(*cursor % nr_resources);
		int err;

		++*cursor;
		if (column >= tally_view_nr_resources(view) ||
		    !is_set(&layout_capacity(l, index, column)->limit))
			continue;
		err = tally_limit_node(view, l->nodes[index].id, column, limit);
		if (err)
			return err;
		*node = l->nodes[index].id;
		*resource = column;
		return 0;
	}
	return no_more(l);
}

/* The next row from *row whose bucket has reservations and quotas. */
static bool next_row(const struct layout *l, uint64_t *row)
{
	uint64_t end = l->header.params.max_accounts;

	while (*row < end) {
		if (__atomic_load_n(layout_populated(l, (uint32_t)*row),
				    __ATOMIC_ACQUIRE))
			return true;
		*row = (*row / LAYOUT_BUCKET_ROWS + 1) * LAYOUT_BUCKET_ROWS;
	}
	return false;
}

static struct tally_account account_in(const struct layout *l, uint64_t row)
{
	return (struct tally_account){
		.row = (uint32_t)row,
		.generation = (uint32_t)limit_get(
			&layout_reservation(l, (uint32_t)row)->account),
	};
}

int tally_limit_quota_next(const struct tally_view *view, uint64_t *cursor,
			   struct tally_account *account,
			   unsigned int *resource, struct tally_limit *limit)
{
	const struct layout *l = view_layout(view);
	uint32_t nr_resources = l->header.params.nr_resources;
	uint64_t row = *cursor / nr_resources;
	uint32_t column = (uint32_t)(*cursor % nr_resources);

	for (; next_row(l, &row); row++, column = 0) {
		const struct layout_quota *quotas =
			layout_quotas(l, (uint32_t)row);
		struct tally_account its = account_in(l, row);

		for (; column < tally_view_nr_resources(view); column++) {
			int err;

			if (!is_set(&quotas[column].limit))
				continue;
			*cursor = row * nr_resources + column + 1;
			err = tally_limit_account(view, its, column, limit);
			if (err == -ESTALE) /* a gone account left it */
				break;
			if (err)
				return err;
			*account = its;
			*resource = column;
			return 0;
		}
	}
	*cursor = row * nr_resources;
	return no_more(l);
}

int tally_limit_reservation_next(const struct tally_view *view,
				 uint64_t *cursor,
				 struct tally_account *account,
				 struct tally_reservation *reservation)
{
	const struct layout *l = view_layout(view);

	for (; next_row(l, cursor); ++*cursor) {
		struct tally_account its = account_in(l, *cursor);
		int err;

		if (limit_get(&layout_reservation(l, its.row)->state) ==
		    LAYOUT_RESERVATION_NONE)
			continue;
		err = tally_limit_find(view, its, reservation);
		if (err == -ENOENT || err == -ESTALE)
			continue;
		++*cursor;
		if (!err)
			*account = its;
		return err;
	}
	return no_more(l);
}

/* ---- an account's nodes -------------------------------------------------- */

/* Of one account. */
struct holdings {
	const struct layout *layout;
	struct tally_account account;
	int *nodes;
	unsigned int room, nr;
};

static void add_node(struct holdings *h, uint64_t node)
{
	if (node >= h->layout->header.params.nr_nodes)
		return; /* damaged since it was checked */
	if (h->nr < h->room)
		h->nodes[h->nr] = h->layout->nodes[node].id;
	h->nr++;
}

/* Whether the account has taken something with the credit. */
static bool has_taken(const struct holdings *h, uint64_t credit)
{
	const struct layout_credit *c = layout_credit(h->layout, credit);

	return limit_get(&c->row) == h->account.row &&
	       limit_get(&c->account) == h->account.generation &&
	       limit_get(&c->node) < h->layout->header.params.nr_nodes &&
	       (int64_t)limit_get(&c->taken) !=
		       reserved_idle(h->layout, credit);
}

/* Whether the node was added for a holding, or for a credit before this one. */
static bool was_added(const struct holdings *h, uint64_t credit)
{
	const struct layout *l = h->layout;
	uint64_t node = limit_get(&layout_credit(l, credit)->node);
	const struct layout_holding *holding =
		node < l->header.params.nr_nodes
			? reserved_holding(l, h->account.row, (uint32_t)node)
			: NULL;

	if (holding && !limit_holding_is_empty(l, holding))
		return true;
	for (uint64_t i = 0; i < credit; i++)
		if (limit_get(&layout_credit(l, i)->node) == node &&
		    has_taken(h, i))
			return true;
	return false;
}

static void add_nodes(struct holdings *h)
{
	const struct layout *l = h->layout;
	struct reserved_walk walk = reserved_holdings(l, h->account.row);
	uint64_t nr_credits = reserved_nr_credits(l);
	const struct layout_holding *holding;

	while ((holding = reserved_next(l, &walk)))
		if (!limit_holding_is_empty(l, holding))
			add_node(h, reserved_node(l, holding));
	for (uint64_t i = 0; i < nr_credits; i++)
		if (has_taken(h, i) && !was_added(h, i))
			add_node(h, limit_get(&layout_credit(l, i)->node));
}

int tally_limit_holdings(const struct tally_view *view,
			 struct tally_account account, int *nodes,
			 unsigned int nr)
{
	const struct layout *l = view_layout(view);
	struct holdings h = {l, account, nodes, nr, 0};
	struct reserved_read read = {0};

	do {
		int err = reserved_begin(l, &read);

		if (!err)
			err = tally_account_phase(tally_view_accounts(view),
						  account);
		if (err < 0)
			return err;
		h.nr = 0;
		if (reserved_is_current(l, account.row))
			add_nodes(&h);
	} while (reserved_again(l, &read));
	return layout_is_whole(l) ? (int)h.nr : -EBADMSG;
}
