// SPDX-License-Identifier: MIT
/* Changing a reservation: see numatally/limit.h. */
#include "config.h"

#include <errno.h>

#include "base/uncancelled.h"
#include "limit/family.h"
#include "limit/holding.h"
#include "limit/request.h"
#include "limit/reservation.h"
#include "limit/room.h"
#include "limit/uncommitted.h"

/* All memory that will be written, before a word is. */
static int make_room(const struct limit_request *r)
{
	int err = 0;

	if (r->request.lease_ns)
		err = limit_uncommitted_touch(r->ledger);
	for (unsigned int i = 0; !err && i < r->request.nr_demands; i++)
		if (r->request.demands[i].amount > 0)
			err = limit_holding_room(r->ledger,
						 limit_request_node(r, i));
	return err;
}

static int give_back(const struct limit_request *r,
		     const struct limit_cells *cells)
{
	for (unsigned int i = 0; i < r->request.nr_demands; i++) {
		const struct tally_demand *d = &r->request.demands[i];
		uint32_t node = limit_request_node(r, i);
		int err;

		if (d->amount >= 0)
			continue;
		if (d->amount == INT64_MIN)
			return -ERANGE;
		err = limit_give_back(cells, node, d->resource, -d->amount);
		if (err)
			return err;
	}
	return 0;
}

/* Take what is asked for more. */
static int take(struct limit_request *r, const struct limit_cells *cells)
{
	for (unsigned int i = 0; i < r->request.nr_demands; i++) {
		const struct tally_demand *d = &r->request.demands[i];
		uint32_t node = limit_request_node(r, i);
		struct layout_holding *holding;
		int err;

		if (d->amount <= 0)
			continue;
		holding = limit_holding_make(r->ledger, r->account.row, node);
		if (!holding ||
		    (r->parent &&
		     !limit_holding_draw(r->ledger, r->parent - 1, node)))
			return -EBADMSG;
		r->demand = i;
		err = limit_cells_adopt(cells, holding, node, d->resource,
					d->amount);
		if (err) {
			r->row = r->account.row;
			r->refused = true;
			return err;
		}
	}
	return 0;
}

/* A limit that the whole change does not bring nearer cannot refuse it. */
static int check(struct limit_request *r, const struct limit_cells *cells)
{
	for (unsigned int i = 0; i < r->request.nr_demands; i++) {
		const struct tally_demand *d = &r->request.demands[i];
		int err;

		if (d->amount <= 0)
			continue;
		err = limit_cells_check(
			cells, limit_request_node(r, i), d->resource,
			limit_request_sum(r, d->resource, &d->node) > 0,
			limit_request_sum(r, d->resource, NULL) > 0, &r->row);
		if (err) {
			r->demand = i;
			r->refused = true;
			return err;
		}
	}
	return 0;
}

/* Set what follows from the amounts. An account that is ended meanwhile gets no
 * more. */
static int conclude(struct limit_request *r, bool gives_back, bool takes)
{
	uint32_t row = r->account.row;
	int err = takes ? limit_look_again(r->ledger, r->account) : 0;

	if (r->request.lease_ns)
		limit_reservation_renew(r->ledger, row, r->request.lease_ns);
	if (takes) /* which its children may draw from */
		room_made(r->ledger, ROOM_ELSEWHERE);
	if (err || limit_holding_finish(r->ledger, row) || takes || !gives_back)
		return err;
	return limit_reservation_end(r->ledger, row);
}

static int ask(struct limit_request *r, struct tally_token *token)
{
	struct layout_reservation *reservation;
	bool gives_back = false, takes = false;
	struct limit_cells cells;
	int err = limit_reservation_find(r->ledger, *token, &reservation);

	r->refused = false;
	if (err)
		return err;
	r->account = limit_account_in(r->ledger, token->row);
	r->parent = reserved_parent(r->ledger->layout, token->row);
	for (unsigned int i = 0; i < r->request.nr_demands; i++) {
		gives_back |= r->request.demands[i].amount < 0;
		takes |= r->request.demands[i].amount > 0;
	}
	if (takes)
		err = limit_check_account(r->ledger, r->account);
	if (!err)
		err = make_room(r);
	if (!err)
		err = limit_reservation_cells(r->ledger, token->row, &cells);
	if (!err)
		err = give_back(r, &cells);
	if (!err)
		err = take(r, &cells);
	if (!err && gives_back)
		err = limit_family_check(r->ledger->layout, token->row);
	if (!err)
		err = check(r, &cells);
	return err ? err : conclude(r, gives_back, takes);
}

int tally_limit_change(struct tally_ledger *l, struct tally_token token,
		       const struct tally_request *request,
		       struct tally_refusal *refusal)
{
	UNCANCELLED;
	struct limit_request r = {
		.ledger = l,
		.ask = ask,
		.changes = true,
	};

	return limit_request(&r, request, &token, refusal);
}
