// SPDX-License-Identifier: MIT
/* Reservations: see numatally/limit.h. */
#include "config.h"

#include <errno.h>

#include <numatally/limit_claim.h>

#include "base/uncancelled.h"
#include "limit/family.h"
#include "limit/holding.h"
#include "limit/prefetch.h"
#include "limit/reap.h"
#include "limit/request.h"
#include "limit/reservation.h"
#include "limit/transaction.h"
#include "limit/uncommitted.h"

static int why_not(const struct limit_request *r)
{
	const struct layout_reservation *its =
		layout_reservation(r->ledger->layout, r->account.row);

	return r->claims && limit_get(&its->state) ==
				       LAYOUT_RESERVATION_RESERVED
		       ? -EBUSY
		       : -EEXIST;
}

/* Allocate all memory that will be written, and reap the reservation that the
 * account's row may have. -EEXIST, or -EBUSY for a claim: it lives. */
static int make_room(const struct limit_request *r)
{
	struct tally_ledger *l = r->ledger;
	uint32_t row = r->account.row;
	int err = limit_touch(l, r->account);

	for (unsigned int i = 0; !err && i < r->request.nr_demands; i++)
		err = limit_holding_room(l, limit_request_node(r, i));
	if (!err && r->request.lease_ns)
		err = limit_uncommitted_touch(l);
	if (!err)
		err = limit_reap_predecessor(l);
	if (err < 0 || layout_reservation(l->layout, row)->state ==
			       LAYOUT_RESERVATION_NONE)
		return err < 0 ? err : 0;
	err = limit_reap_row(l, row);
	return err > 0 ? 0 : err ? err : why_not(r);
}

/* Find the parent, which may have ended by what make_room() did. */
static int find_parent(struct limit_request *r)
{
	struct tally_ledger *l = r->ledger;
	struct layout_reservation *unused;
	int err;

	r->parent = 0;
	if (!r->from)
		return 0;
	err = limit_reservation_find(l, *r->from, &unused);
	if (!err &&
	    limit_family_height(l->layout, r->from->row) >= LIMIT_MAX_PARENTS)
		err = -ELOOP;
	if (!err)
		err = limit_family_touch(l, r->from->row);
	if (!err)
		err = limit_family_touch(l, r->account.row);
	if (!err)
		r->parent = r->from->row + 1;
	return err;
}

static int find_cells(const struct limit_request *r, struct limit_cells *cells)
{
	if (!r->parent)
		return limit_cells_of(r->ledger, r->account, cells);
	limit_cells_drawn(r->ledger, r->account.row, r->parent, cells);
	return 0;
}

static int take_demands(struct limit_request *r,
			const struct limit_cells *cells)
{
	for (unsigned int i = 0; i < r->request.nr_demands; i++) {
		const struct tally_demand *h = &r->request.demands[i];
		uint32_t node = limit_request_node(r, i);
		struct layout_holding *holding;
		int err;

		if (!h->amount)
			continue;
		holding = limit_holding_make(r->ledger, r->account.row, node);
		if (!holding ||
		    (r->parent &&
		     !limit_holding_draw(r->ledger, r->parent - 1, node)))
			return -EBADMSG;
		r->row = r->account.row;
		err = r->adopts ? limit_cells_adopt(cells, holding, node,
						    h->resource, h->amount)
				: limit_cells_reserve(cells, holding, node,
						      h->resource, h->amount,
						      &r->row);
		if (err) {
			r->refused = true;
			r->demand = i;
			return err;
		}
	}
	return 0;
}

static int ask(struct limit_request *r, struct tally_token *token)
{
	struct tally_ledger *l = r->ledger;
	struct limit_cells cells;
	int err = limit_check_account(l, r->account);

	r->refused = false;
	if (!err)
		err = make_room(r);
	if (!err)
		err = find_parent(r);
	if (!err)
		err = find_cells(r, &cells);
	if (!err)
		err = take_demands(r, &cells);
	if (!err)
		limit_reservation_start(l, r->account,
					r->adopts ? LAYOUT_RESERVATION_COMMITTED
						  : LAYOUT_RESERVATION_RESERVED,
					r->request.lease_ns, token);
	if (!err && r->parent)
		limit_family_join(l->layout, r->account.row, r->parent - 1);
	if (!err)
		err = limit_look_again(l, r->account);
	if (!err && !r->only_asks)
		limit_holding_finish(l, r->account.row);
	return err;
}

/* Leave *token alone unless it is granted. */
static int reserve(struct limit_request *r, const struct tally_request *request,
		   struct tally_token *token, struct tally_refusal *refusal)
{
	struct tally_token got;
	int err = limit_request(r, request, &got, refusal);

	if (!err)
		*token = got;
	return err;
}

static struct limit_request only_asking(struct tally_ledger *l,
					struct tally_account account,
					const struct tally_token *parent)
{
	return (struct limit_request){
		.ledger = l,
		.account = account,
		.from = parent,
		.ask = ask,
		.only_asks = true,
	};
}

int tally_limit_reserve(struct tally_ledger *l, struct tally_account account,
			const struct tally_request *request,
			struct tally_token *token,
			struct tally_refusal *refusal)
{
	UNCANCELLED;
	struct limit_request r = {
		.ledger = l,
		.account = account,
		.ask = ask,
	};

	return reserve(&r, request, token, refusal);
}

int tally_limit_claim(struct tally_ledger *l, struct tally_account account,
		      int64_t lease_ns, struct tally_token *token)
{
	UNCANCELLED;
	const struct tally_request nothing = {
		.size = sizeof(nothing),
		.lease_ns = lease_ns,
	};
	struct limit_request r = {
		.ledger = l,
		.account = account,
		.ask = ask,
		.claims = true,
	};

	return reserve(&r, &nothing, token, NULL);
}

int tally_limit_fits(struct tally_ledger *l, struct tally_account account,
		     const struct tally_request *request,
		     struct tally_refusal *refusal)
{
	UNCANCELLED;
	struct limit_request r = only_asking(l, account, NULL);
	struct tally_token unused;

	return limit_request(&r, request, &unused, refusal);
}

int tally_limit_wait(struct tally_ledger *l, struct tally_account account,
		     const struct tally_request *request, int64_t timeout_ns,
		     struct tally_refusal *refusal)
{
	UNCANCELLED;
	const struct limit_request r = only_asking(l, account, NULL);

	return limit_request_wait(&r, request, timeout_ns, refusal);
}

int tally_limit_draw(struct tally_ledger *l, struct tally_account account,
		     struct tally_token parent,
		     const struct tally_request *request,
		     struct tally_token *token, struct tally_refusal *refusal)
{
	UNCANCELLED;
	struct limit_request r = {
		.ledger = l,
		.account = account,
		.from = &parent,
		.ask = ask,
	};

	return reserve(&r, request, token, refusal);
}

int tally_limit_draw_fits(struct tally_ledger *l, struct tally_account account,
			  struct tally_token parent,
			  const struct tally_request *request,
			  struct tally_refusal *refusal)
{
	UNCANCELLED;
	struct limit_request r = only_asking(l, account, &parent);
	struct tally_token unused;

	return limit_request(&r, request, &unused, refusal);
}

int tally_limit_draw_wait(struct tally_ledger *l, struct tally_account account,
			  struct tally_token parent,
			  const struct tally_request *request,
			  int64_t timeout_ns, struct tally_refusal *refusal)
{
	UNCANCELLED;
	const struct limit_request r = only_asking(l, account, &parent);

	return limit_request_wait(&r, request, timeout_ns, refusal);
}

int tally_limit_adopt(struct tally_ledger *l, struct tally_account account,
		      const struct tally_request *request,
		      struct tally_token *token)
{
	UNCANCELLED;
	struct limit_request r = {
		.ledger = l,
		.account = account,
		.ask = ask,
		.adopts = true,
	};

	return reserve(&r, request, token, NULL);
}

int tally_limit_commit(struct tally_ledger *l, struct tally_token token)
{
	UNCANCELLED;
	struct layout_reservation *reservation;
	int err = limit_begin(l);

	if (err)
		return err;
	err = limit_reservation_find(l, token, &reservation);
	if (!err &&
	    limit_get(&reservation->state) == LAYOUT_RESERVATION_RESERVED)
		limit_reservation_commit(l, token.row);
	return limit_finish(l, err);
}

int tally_limit_cancel(struct tally_ledger *l, struct tally_token token)
{
	UNCANCELLED;
	struct layout_reservation *reservation;
	int err = limit_begin(l);

	if (err)
		return err;
	err = limit_reservation_find(l, token, &reservation);
	if (!err &&
	    limit_get(&reservation->state) == LAYOUT_RESERVATION_COMMITTED)
		err = -EBUSY;
	if (!err)
		err = limit_reservation_end(l, token.row);
	return limit_finish(l, err);
}

static int release_part(struct tally_ledger *l, uint32_t row,
			const struct tally_demand *demands, unsigned int nr)
{
	struct limit_cells cells;
	int err = limit_reservation_cells(l, row, &cells);

	for (unsigned int i = 0; !err && i < nr; i++) {
		uint32_t node =
			(uint32_t)layout_node_index(l->layout, demands[i].node);

		if (demands[i].amount)
			err = limit_give_back(&cells, node, demands[i].resource,
					      demands[i].amount);
	}
	if (!err)
		err = limit_family_check(l->layout, row);
	if (err || limit_holding_finish(l, row))
		return err;
	return limit_reservation_end(l, row);
}

int tally_limit_release(struct tally_ledger *l, struct tally_token token,
			const struct tally_demand *demands,
			unsigned int nr_demands)
{
	UNCANCELLED;
	struct layout_reservation *reservation;
	int err = limit_check_demands(l, demands, nr_demands, false);

	if (!err)
		limit_prefetch_row(l, token.row);
	if (!err)
		err = limit_begin(l);
	if (err)
		return err;
	err = limit_reservation_find(l, token, &reservation);
	if (!err)
		err = nr_demands
			      ? release_part(l, token.row, demands, nr_demands)
			      : limit_reservation_end(l, token.row);
	return limit_finish(l, err);
}

int tally_limit_reap(struct tally_ledger *l)
{
	UNCANCELLED;
	int err = limit_begin(l);

	if (err)
		return err;
	err = limit_reap_all(l, true);
	return limit_finish(l, err < 0 ? err : 0);
}
