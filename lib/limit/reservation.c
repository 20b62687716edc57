// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "limit/family.h"
#include "limit/holding.h"
#include "limit/reservation.h"
#include "limit/uncommitted.h"
#include "base/clock.h"

static bool has_lapsed(const struct layout_reservation *reservation)
{
	int64_t deadline = (int64_t)limit_get(&reservation->deadline_ns);

	return limit_get(&reservation->state) == LAYOUT_RESERVATION_RESERVED &&
	       deadline != INT64_MAX && deadline <= shared_ns();
}

bool limit_reservation_has_lapsed(const struct layout *l, uint32_t row)
{
	uint32_t at = row + 1;

	for (int nr = 0; at && nr <= LIMIT_MAX_PARENTS; nr++) {
		if (has_lapsed(layout_reservation(l, at - 1)))
			return true;
		at = reserved_parent(l, at - 1);
	}
	return false;
}

/* Not before its time: the clock may be about to take a step. */
static int64_t deadline_after(int64_t lease_ns)
{
	int64_t deadline;

	return __builtin_add_overflow(shared_ns() + SHARED_STEP_NS, lease_ns,
				      &deadline)
		       ? INT64_MAX
		       : deadline;
}

int limit_reservation_find(struct tally_ledger *l, struct tally_token token,
			   struct layout_reservation **reservation)
{
	struct layout_reservation *h;

	if (token.row >= l->layout->header.params.max_accounts ||
	    !__atomic_load_n(layout_populated(l->layout, token.row),
			     __ATOMIC_ACQUIRE))
		return -ESTALE;
	h = layout_reservation(l->layout, token.row);
	if (limit_get(&h->state) == LAYOUT_RESERVATION_NONE ||
	    limit_get(&h->generation) != token.generation ||
	    limit_reservation_has_lapsed(l->layout, token.row))
		return -ESTALE;
	*reservation = h;
	return 0;
}

int limit_reservation_cells(struct tally_ledger *l, uint32_t row,
			    struct limit_cells *cells)
{
	uint32_t parent = reserved_parent(l->layout, row);

	if (!parent)
		return limit_cells_of(l, limit_account_in(l, row), cells);
	limit_cells_drawn(l, row, parent, cells);
	return 0;
}

void limit_reservation_start(struct tally_ledger *l,
			     struct tally_account account, uint64_t state,
			     int64_t lease_ns, struct tally_token *token)
{
	struct layout *layout = l->layout;
	struct layout_reservation *reservation =
		layout_reservation(layout, account.row);
	uint64_t generation = limit_get(&reservation->generation) + 1;
	int64_t deadline = state == LAYOUT_RESERVATION_RESERVED && lease_ns
				   ? deadline_after(lease_ns)
				   : INT64_MAX;

	limit_set(layout, &reservation->state, state);
	limit_set(layout, &reservation->generation, generation);
	limit_set(layout, &reservation->owner, layout->owner);
	limit_set(layout, &reservation->deadline_ns, (uint64_t)deadline);
	limit_set(layout, &reservation->account, account.generation);
	if (state == LAYOUT_RESERVATION_RESERVED)
		limit_uncommitted_add(layout, account.row);
	token->row = account.row;
	token->generation = generation;
}

void limit_reservation_renew(struct tally_ledger *l, uint32_t row,
			     int64_t lease_ns)
{
	struct layout_reservation *reservation =
		layout_reservation(l->layout, row);

	if (limit_get(&reservation->state) != LAYOUT_RESERVATION_RESERVED)
		return;
	limit_set(l->layout, &reservation->deadline_ns,
		  (uint64_t)deadline_after(lease_ns));
	limit_uncommitted_renew(l->layout, row);
}

void limit_reservation_commit(struct tally_ledger *l, uint32_t row)
{
	struct layout_reservation *reservation =
		layout_reservation(l->layout, row);

	limit_uncommitted_remove(l->layout, row);
	limit_set(l->layout, &reservation->state, LAYOUT_RESERVATION_COMMITTED);
	limit_set(l->layout, &reservation->deadline_ns, INT64_MAX);
}

int limit_give_back(const struct limit_cells *cells, uint32_t node,
		    unsigned int resource, int64_t amount)
{
	struct layout_holding *holding =
		reserved_holding(cells->layout, cells->rows[0], node);

	if (!holding ||
	    (int64_t)limit_get(&holding->amounts[resource]) < amount)
		return -ERANGE;
	return limit_cells_change(cells, holding, node, resource, -amount);
}

static int give_all_back(const struct limit_cells *cells,
			 struct layout_holding *holding, bool in_parts)
{
	struct layout *l = cells->layout;
	int err = 0;

	for (uint32_t i = 0; !err && i < l->header.params.nr_resources; i++) {
		int64_t held = (int64_t)limit_get(&holding->amounts[i]);

		if (held == INT64_MIN)
			return -EOVERFLOW;
		if (held)
			err = limit_cells_change(cells, holding,
						 reserved_node(l, holding), i,
						 -held);
		if (!err && in_parts)
			limit_keep_part(l);
	}
	return err;
}

/* Changes with each holding but those of its amounts, and with the rest. */
#define CHANGES_OF_A_HOLDING 12
#define CHANGES_OF_THE_REST  64

static bool is_too_long(const struct limit_cells *cells)
{
	const struct layout *l = cells->layout;
	struct reserved_walk walk = reserved_holdings(l, cells->rows[0]);
	uint64_t nr = CHANGES_OF_THE_REST;

	while (reserved_next(l, &walk))
		nr += CHANGES_OF_A_HOLDING +
		      l->header.params.nr_resources * (2u + cells->nr_rows);
	return nr > LAYOUT_NR_UNDO;
}

static int give_back_at_once(struct tally_ledger *l,
			     const struct limit_cells *cells)
{
	struct reserved_walk walk =
		reserved_holdings(l->layout, cells->rows[0]);
	struct layout_holding *holding;
	int err = 0;

	while (!err && (holding = reserved_next(l->layout, &walk)))
		err = give_all_back(cells, holding, false);
	if (!err)
		limit_holding_finish(l, cells->rows[0]);
	return err;
}

static struct layout_holding *first_not_empty(const struct layout *l,
					      uint32_t row)
{
	struct reserved_walk walk = reserved_holdings(l, row);
	struct layout_holding *holding = reserved_next(l, &walk);

	while (holding && limit_holding_is_empty(l, holding))
		holding = reserved_next(l, &walk);
	return holding;
}

/* What a damaged file keeps from ending, nobody else could end. */
static void give_up(struct tally_ledger *l)
{
	limit_undo(l->layout);
	l->layout->too_many = false;
	limit_set(l->layout, &layout_limits(l->layout)->ending, 0);
	limit_keep(l->layout);
}

static int give_back_in_parts(struct tally_ledger *l,
			      const struct limit_cells *cells)
{
	uint32_t row = cells->rows[0];
	struct layout_holding *holding;
	int err = 0;

	while (!err && (holding = first_not_empty(l->layout, row))) {
		err = give_all_back(cells, holding, true);
		if (err)
			break;
		limit_holding_finish(l, row);
		err = limit_state(l->layout);
		limit_keep_part(l->layout);
	}
	/* A process that died may have left one that is empty. */
	if (!err)
		limit_holding_finish(l, row);
	return err;
}

/* Nothing is left of it, and nothing is drawn from it. */
static void end_empty(struct tally_ledger *l, uint32_t row)
{
	struct layout_reservation *reservation =
		layout_reservation(l->layout, row);

	if (limit_get(&reservation->state) == LAYOUT_RESERVATION_RESERVED)
		limit_uncommitted_remove(l->layout, row);
	limit_family_leave(l->layout, row);
	limit_set(l->layout, &reservation->state, LAYOUT_RESERVATION_NONE);
	limit_note(l, row);
}

/* End what is drawn from the row's reservation, the lowest first. */
static int end_children(struct tally_ledger *l, uint32_t row)
{
	struct limit_cells cells;
	uint32_t lowest;
	int err;

	while (!(err = limit_family_lowest(l->layout, row, &lowest))) {
		if (!reserved_parent(l->layout, lowest))
			return -EBADMSG;
		err = limit_reservation_cells(l, lowest, &cells);
		if (!err)
			err = give_back_in_parts(l, &cells);
		if (err)
			return err;
		end_empty(l, lowest);
		err = limit_state(l->layout);
		if (err)
			return err;
		limit_keep_part(l->layout);
	}
	return err == -ENOENT ? 0 : err;
}

static int end_in_parts(struct tally_ledger *l, const struct limit_cells *cells)
{
	struct layout_limits *limits = layout_limits(l->layout);
	uint32_t row = cells->rows[0];
	int err;

	limit_set(l->layout, &limits->ending, row + UINT64_C(1));
	limit_keep_part(l->layout);
	err = end_children(l, row);
	if (!err)
		err = give_back_in_parts(l, cells);
	if (err)
		give_up(l);
	else
		limit_set(l->layout, &limits->ending, 0);
	return err;
}

static bool has_children(const struct layout *l, uint32_t row)
{
	const struct layout_family *f = reserved_family(l, row);

	return f && limit_get(&f->children);
}

int limit_reservation_end(struct tally_ledger *l, uint32_t row)
{
	struct limit_cells cells;
	int err = limit_reservation_cells(l, row, &cells);

	if (!err)
		err = has_children(l->layout, row) || is_too_long(&cells)
			      ? end_in_parts(l, &cells)
			      : give_back_at_once(l, &cells);
	if (!err)
		end_empty(l, row);
	return err;
}

static int move_to(const struct limit_cells *from, const struct limit_cells *to,
		   const struct layout_holding *holding)
{
	uint32_t node = reserved_node(from->layout, holding);
	uint32_t nr = from->layout->header.params.nr_resources;
	int err = limit_holding_draw(to->ledger, to->parent - 1, node)
			  ? 0
			  : -ENOSPC;

	for (uint32_t i = 0; !err && i < nr; i++) {
		int64_t amount = (int64_t)limit_get(&holding->amounts[i]);

		if (amount < 0)
			return -EBADMSG;
		if (!amount)
			continue;
		err = limit_cells_change(from, NULL, node, i, -amount);
		if (!err)
			err = limit_cells_change(to, NULL, node, i, amount);
	}
	return err;
}

int limit_reservation_draw(struct tally_ledger *l, uint32_t row,
			   uint32_t parent)
{
	struct reserved_walk walk = reserved_holdings(l->layout, row);
	const struct layout_holding *holding;
	struct limit_cells from, to;
	int err = limit_family_touch(l, row);

	if (!err)
		err = limit_family_touch(l, parent);
	if (!err)
		err = limit_cells_of(l, limit_account_in(l, row), &from);
	limit_cells_drawn(l, row, parent + 1, &to);
	while (!err && (holding = reserved_next(l->layout, &walk)))
		if (!limit_holding_is_empty(l->layout, holding))
			err = move_to(&from, &to, holding);
	if (err)
		return err;
	limit_family_join(l->layout, row, parent);
	return limit_family_height(l->layout, row) > LIMIT_MAX_PARENTS
		       ? -ELOOP
		       : limit_family_check(l->layout, parent);
}

int limit_reservation_recover(struct tally_ledger *l)
{
	uint64_t *ending = &layout_limits(l->layout)->ending;
	uint64_t row = limit_get(ending) - 1;
	int err = 0;

	if (row == UINT64_MAX)
		return 0;
	if (row < l->layout->header.params.max_accounts &&
	    *layout_populated(l->layout, (uint32_t)row) &&
	    limit_get(&layout_reservation(l->layout, (uint32_t)row)->state) !=
		    LAYOUT_RESERVATION_NONE)
		err = limit_reservation_end(l, (uint32_t)row);
	if (err == -EAGAIN)
		return err;
	if (err) {
		give_up(l);
		return 0;
	}
	limit_set(l->layout, ending, 0);
	limit_keep(l->layout);
	return 0;
}
