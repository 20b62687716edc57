// SPDX-License-Identifier: MIT
/*
 * Checking that the words of reservations agree: a holding counts in the node's
 * capacity, in the account's quota, and in the quotas of accounts above that
 * ever had one; or, of a child, with its parent alone.
 *
 * All words are read within one sequence, and read again if that changed
 * meanwhile. So problems are noted first, and reported at the end.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/uncancelled.h"
#include "file/column.h"
#include "limit/check.h"
#include "limit/room.h"
#include "limit/transaction.h"
#include "view/file.h"
#include "base/clock.h"

static void check_cell(struct limit_check *c, uint32_t row,
		       const struct layout_holding *holding, uint32_t resource,
		       const struct layout_reservation *reservation)
{
	int64_t held = check_amount(&holding->amounts[resource]);
	uint32_t node = reserved_node(c->layout, holding);
	const char *name = check_name(c, resource);

	if (!held)
		return;
	if (held < 0)
		check_tell(c,
			   "row %" PRIu32
			   ": node %s: %s: the holding is negative",
			   row, check_node(c, node), name);
	if (column_kind(c->layout, resource) != TALLY_RESERVABLE)
		check_tell(c,
			   "row %" PRIu32
			   ": node %s: %s: held, but not reservable",
			   row, check_node(c, node), name);
	if (limit_get(&reservation->state) == LAYOUT_RESERVATION_NONE)
		check_tell(c,
			   "row %" PRIu32
			   ": node %s: %s: held without a reservation",
			   row, check_node(c, node), name);
	if (reserved_parent(c->layout, row))
		return;
	check_add(&c->of_row[resource], held);
	check_add(&c->of_nodes[(uint64_t)node * c->nr_resources + resource],
		  held);
}

/* Whether the row has a reservation; set its account. */
static bool check_hold(struct limit_check *c, uint32_t row,
		       const struct layout_reservation *reservation,
		       struct tally_account *account)
{
	uint64_t state = limit_get(&reservation->state);

	if (state > LAYOUT_RESERVATION_COMMITTED)
		check_tell(c,
			   "row %" PRIu32
			   ": the reservation has an unknown state",
			   row);
	check_uncommitted_row(c, row, reservation);
	if (state == LAYOUT_RESERVATION_NONE)
		return false;
	account->row = row;
	account->generation = (uint32_t)limit_get(&reservation->account);
	return true;
}

static void check_row(struct limit_check *c, uint32_t row)
{
	const struct layout_reservation *reservation =
		layout_reservation(c->layout, row);
	struct reserved_walk walk = reserved_holdings(c->layout, row);
	const struct layout_holding *holding;
	struct tally_account account;
	bool some;

	memset(c->of_row, 0, c->nr_resources * sizeof(*c->of_row));
	while ((holding = reserved_next(c->layout, &walk)))
		for (uint32_t i = 0; i < c->nr_resources; i++)
			check_cell(c, row, holding, i, reservation);
	some = check_add_credits(c, row, &account);
	/* Words that an account left that is gone don't count. */
	if (limit_get(&reservation->state) == LAYOUT_RESERVATION_NONE &&
	    !some && !reserved_is_current(c->layout, row))
		return;
	check_add_quota(c, row);
	if (check_hold(c, row, reservation, &account) || some)
		check_add_above(c, account);
	check_quotas(c, row);
}

static void compare_node(struct limit_check *c, uint32_t node,
			 uint32_t resource)
{
	const struct layout_capacity *capacity =
		layout_capacity(c->layout, node, resource);
	int64_t held = c->of_nodes[(uint64_t)node * c->nr_resources + resource];
	const char *name = check_name(c, resource);

	if (check_amount(&capacity->held) != held) {
		check_tell(c,
			   "node %s: %s: its capacity counts %" PRId64
			   ", but %" PRId64 " is held",
			   check_node(c, node), name,
			   check_amount(&capacity->held), held);
		check_put(c, &capacity->held, (uint64_t)held);
	}
	if (check_amount(&capacity->peak) < check_amount(&capacity->held)) {
		check_tell(c, "node %s: %s: more is held than its peak",
			   check_node(c, node), name);
		check_put(c, &capacity->peak, limit_get(&capacity->held));
	}
	if (limit_get(&capacity->limit) > (uint64_t)INT64_MAX + 1)
		check_tell(c, "node %s: %s: its capacity is below 0",
			   check_node(c, node), name);
}

/* A reservable has no amounts that were added. If they can't be summed up,
 * reading the ledger reports that. */
static void check_added(struct limit_check *c)
{
	uint64_t sums[LAYOUT_MAX_COLUMNS] __attribute__((aligned(LAYOUT_LINE)));

	for (uint32_t n = 0; n < c->nr_nodes; n++) {
		if (view_added(c->view, n, sums))
			continue;
		for (uint32_t i = 0; i < c->nr_resources; i++)
			if (column_kind(c->layout, i) == TALLY_RESERVABLE &&
			    sums[i])
				check_tell(
					c,
					"node %s: %s: its sum differs from its reservations by %" PRId64,
					check_node(c, n), check_name(c, i),
					(int64_t)sums[i]);
	}
}

static void check_all(struct limit_check *c)
{
	uint32_t end = c->layout->header.params.max_accounts;

	c->nr_quotas = 0;
	c->nr_reserved = 0;
	c->nr_leased = 0;
	c->unsorted = false;
	memset(c->of_nodes, 0,
	       (uint64_t)c->nr_nodes * c->nr_resources * sizeof(*c->of_nodes));
	check_find_quotas(c);
	check_credits(c);
	if (limit_get(&layout_limits(c->layout)->nr_undo))
		check_tell(
			c,
			"the undo table has entries, but no change is in progress");
	if (limit_get(&layout_limits(c->layout)->ending))
		check_tell(c, "a reservation is ending, but no change is in "
			      "progress");
	check_holdings(c);
	if (!c->err)
		check_families(c);
	if (!c->err)
		check_rosters(c);
	for (uint32_t row = 0; !c->err && row < end; row++) {
		if (check_exists(c, row))
			check_row(c, row);
		else
			row |= LAYOUT_BUCKET_ROWS - 1;
	}
	if (c->err)
		return;
	check_compare_quotas(c);
	for (uint32_t n = 0; n < c->nr_nodes; n++)
		for (uint32_t i = 0; i < c->nr_resources; i++)
			compare_node(c, n, i);
	check_uncommitted(c);
}

static int check_still(struct limit_check *c)
{
	int64_t until = now_ns() + TALLY_LIMIT_WAIT_NS;
	struct reserved_read read = {0};

	for (;;) {
		int err = reserved_begin(c->layout, &read);

		if (err)
			return err;
		check_all(c);
		if (!layout_is_whole(c->layout))
			return -EBADMSG;
		if (c->err || !reserved_again(c->layout, &read))
			return c->err;
		check_forget(c);
		if (now_ns() > until)
			return -EAGAIN;
	}
}

/* Allocate, look, report the problems, and free. */
static int run(struct limit_check *c, int (*look)(struct limit_check *c),
	       int (*each)(void *arg, const char *problem), void *arg)
{
	int err = -ENOMEM;

	c->nr_nodes = c->layout->header.params.nr_nodes;
	c->nr_resources = c->layout->header.params.nr_resources;
	c->problems = calloc(LIMIT_CHECK_PROBLEMS, sizeof(*c->problems));
	c->of_nodes = calloc((size_t)c->nr_nodes * c->nr_resources,
			     sizeof(*c->of_nodes));
	c->of_row = calloc(c->nr_resources, sizeof(*c->of_row));
	c->key = malloc(tally_account_key_bytes(c->accounts));
	if (c->problems && c->of_nodes && c->of_row && c->key)
		err = look(c);
	if (!err) {
		check_added(c);
		err = c->err;
	}
	for (unsigned int i = 0; !err && i < c->nr_problems; i++)
		err = each(arg, c->problems[i]);
	if (c->problems)
		check_forget(c);
	free(c->problems);
	free(c->quotas);
	free(c->of_quotas);
	free(c->credits);
	free(c->reached);
	free(c->of_drawn);
	free(c->of_nodes);
	free(c->of_row);
	free(c->key);
	return err;
}

int tally_limit_check(const struct tally_view *view,
		      int (*each)(void *arg, const char *problem), void *arg)
{
	UNCANCELLED;
	struct limit_check c = {
		.view = view,
		.layout = view_layout(view),
		.accounts = tally_view_accounts(view),
	};

	return run(&c, check_still, each, arg);
}

static int repair(struct limit_check *c)
{
	check_all(c);
	return c->err;
}

int tally_limit_repair(struct tally_ledger *l,
		       int (*each)(void *arg, const char *problem), void *arg)
{
	UNCANCELLED;
	struct limit_check c = {
		.layout = l->layout,
		.accounts = l->accounts,
		.repaired = l,
	};
	struct tally_view *view;
	int err = tally_view_open(l, &view);

	if (err)
		return err;
	c.view = view;
	err = limit_begin(l);
	if (!err) {
		room_made(l, ROOM_ANYWHERE);
		err = limit_finish(l, run(&c, repair, each, arg));
	}
	tally_view_close(view);
	return err;
}
