// SPDX-License-Identifier: MIT
/* Reservations: see numatally/limit.h. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "limit_cells.h"
#include "limit_hold.h"

/* What a call asks for, and what came in its way. */
struct asking {
	struct tally_ledger *ledger;
	struct tally_account account;
	const struct tally_request *request;
	bool adopts;
	bool refused;	   /* by a limit, that is */
	unsigned int hold; /* that was refused */
	uint32_t row;	   /* whose quota refused it */
};

static uint32_t index_of(const struct asking *a, unsigned int i)
{
	return (uint32_t)layout_node_index(a->ledger->layout,
					   a->request->holds[i].node);
}

static int check_holds(const struct tally_ledger *l,
		       const struct tally_hold *holds, unsigned int nr)
{
	assert(nr <= TALLY_LIMIT_MAX_HOLDS);
	for (unsigned int i = 0; i < nr; i++) {
		int index = layout_node_index(l->layout, holds[i].node);

		if (index < 0)
			return index;
		if (!limit_is_stock(l, holds[i].resource) ||
		    holds[i].amount < 0)
			return -EINVAL;
	}
	return 0;
}

/* All memory that is to be written exists, and the account's row has no
 * reservation, but one that is to be reaped. */
static int make_room(const struct asking *a)
{
	struct tally_ledger *l = a->ledger;
	uint32_t row = a->account.row;
	int err = limit_touch(l, a->account);

	for (unsigned int i = 0; !err && i < a->request->nr_holds; i++)
		err = limit_touch_node(l, index_of(a, i), row);
	if (err || layout_hold(l->layout, row)->state == LAYOUT_HOLD_NONE)
		return err;
	err = limit_hold_reap(l, row);
	if (!err)
		return -EEXIST;
	if (err > 0)
		limit_keep(l->layout);
	return err < 0 ? err : 0;
}

static int take_holds(struct asking *a, const struct limit_cells *cells,
		      uint64_t *nodes)
{
	*nodes = 0;
	for (unsigned int i = 0; i < a->request->nr_holds; i++) {
		const struct tally_hold *h = &a->request->holds[i];
		uint32_t node = index_of(a, i);
		int err;

		a->row = a->account.row;
		err = a->adopts ? limit_cells_adopt(cells, node, h->resource,
						    h->amount)
				: limit_cells_reserve(cells, node, h->resource,
						      h->amount, &a->row);
		if (err) {
			a->refused = true;
			a->hold = i;
			return err;
		}
		*nodes |= UINT64_C(1) << node % 64;
	}
	return 0;
}

static int ask(struct asking *a, struct tally_token *token)
{
	struct tally_ledger *l = a->ledger;
	struct limit_cells cells;
	uint64_t nodes;
	int err = limit_check_account(l, a->account);

	a->refused = false;
	if (!err)
		err = make_room(a);
	if (!err)
		err = limit_cells_of(l, a->account, &cells);
	if (!err)
		err = take_holds(a, &cells, &nodes);
	if (!err)
		limit_hold_start(l, a->account,
				 a->adopts ? LAYOUT_HOLD_COMMITTED
					   : LAYOUT_HOLD_RESERVED,
				 nodes, a->request->lease_ns, token);
	if (err)
		return err;
	/* Whoever ends the account has set its phase, and then looks at what it
	 * holds. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	err = limit_check_account(l, a->account);
	if (err)
		limit_note(l, a->account.row);
	return err;
}

/* What the request asks of the limit that refused it. */
static int64_t asked(const struct asking *a, bool of_node)
{
	const struct tally_hold *refused = &a->request->holds[a->hold];
	int64_t sum = 0;

	for (unsigned int i = 0; i < a->request->nr_holds; i++) {
		const struct tally_hold *h = &a->request->holds[i];

		if (h->resource == refused->resource &&
		    (!of_node || h->node == refused->node) &&
		    __builtin_add_overflow(sum, h->amount, &sum))
			return INT64_MAX;
	}
	return sum;
}

static int64_t left(uint64_t limit, const int64_t *held)
{
	int64_t n;

	if (__builtin_sub_overflow(limit_value(limit), (int64_t)limit_get(held),
				   &n))
		n = INT64_MAX;
	return n > 0 ? n : 0;
}

static struct tally_account account_at(const struct tally_ledger *l,
				       uint32_t row)
{
	uint64_t cursor = row;
	struct tally_account account;

	if (tally_account_next(l->accounts, &cursor, &account) ||
	    account.row != row)
		account = (struct tally_account){.row = row};
	return account;
}

/* Counts the refusal, behind an undo, and says of what it was. */
static void refuse(const struct asking *a, int err,
		   struct tally_refusal *refusal)
{
	const struct tally_hold *h = &a->request->holds[a->hold];
	struct layout *l = a->ledger->layout;
	struct layout_capacity *capacity =
		layout_capacity(l, index_of(a, a->hold), h->resource);
	struct layout_quota *quota = &layout_quotas(l, a->row)[h->resource];
	bool of_node = err == -ENOSPC;
	uint64_t *nr = of_node ? &capacity->nr_refused : &quota->nr_refused;

	limit_set(l, nr, limit_get(nr) + 1);
	limit_keep(l);
	refusal->node = h->node;
	refusal->resource = h->resource;
	refusal->asked = asked(a, of_node);
	refusal->free =
		of_node ? left(limit_get(&capacity->limit), &capacity->held)
			: left(limit_get(&quota->limit), &quota->held);
	if (!of_node)
		refusal->account = account_at(a->ledger, a->row);
}

/* Asks again for as long as there is something to reap. */
static int ask_all(struct asking *a, struct tally_token *token,
		   struct tally_refusal *refusal)
{
	int err, nr;

	do {
		err = ask(a, token);
		if (!a->refused)
			return err;
		limit_undo(a->ledger->layout);
		nr = limit_make_free(a->ledger,
				     a->request->holds[a->hold].resource);
	} while (nr > 0);
	if (nr < 0)
		return nr;
	if (!a->adopts)
		refuse(a, err, refusal);
	return err;
}

static int reserve(struct asking *a, struct tally_token *token,
		   struct tally_refusal *refusal)
{
	struct tally_refusal why = {0};
	struct tally_token got;
	int err;

	err = check_holds(a->ledger, a->request->holds, a->request->nr_holds);
	if (!err && a->request->lease_ns < 0)
		err = -EINVAL;
	if (!err)
		err = limit_begin(a->ledger);
	if (err)
		return err;
	err = limit_finish(a->ledger, ask_all(a, &got, &why));
	if (!err)
		*token = got;
	else if (refusal && (err == -ENOSPC || err == -EDQUOT))
		*refusal = why;
	return err;
}

int tally_limit_reserve(struct tally_ledger *l, struct tally_account account,
			const struct tally_request *request,
			struct tally_token *token,
			struct tally_refusal *refusal)
{
	struct asking a = {
		.ledger = l,
		.account = account,
		.request = request,
	};

	return reserve(&a, token, refusal);
}

int tally_limit_adopt(struct tally_ledger *l, struct tally_account account,
		      const struct tally_request *request,
		      struct tally_token *token)
{
	struct asking a = {
		.ledger = l,
		.account = account,
		.request = request,
		.adopts = true,
	};

	return reserve(&a, token, NULL);
}

int tally_limit_commit(struct tally_ledger *l, struct tally_token token)
{
	struct layout_hold *hold;
	int err = limit_begin(l);

	if (err)
		return err;
	err = limit_hold_find(l, token, &hold);
	if (!err && limit_get(&hold->state) == LAYOUT_HOLD_RESERVED)
		limit_hold_commit(l, token.row);
	return limit_finish(l, err);
}

int tally_limit_cancel(struct tally_ledger *l, struct tally_token token)
{
	struct layout_hold *hold;
	int err = limit_begin(l);

	if (err)
		return err;
	err = limit_hold_find(l, token, &hold);
	if (!err && limit_get(&hold->state) == LAYOUT_HOLD_COMMITTED)
		err = -EBUSY;
	if (!err)
		err = limit_hold_end(l, token.row);
	return limit_finish(l, err);
}

static int release_part(struct tally_ledger *l, uint32_t row,
			const struct tally_hold *holds, unsigned int nr)
{
	const struct tally_account account = {
		.row = row,
		.generation = (uint32_t)limit_get(
			&layout_hold(l->layout, row)->account),
	};
	struct limit_cells cells;
	int err = limit_cells_of(l, account, &cells);

	for (unsigned int i = 0; !err && i < nr; i++) {
		uint32_t node =
			(uint32_t)layout_node_index(l->layout, holds[i].node);
		const int64_t *held = layout_held(l->layout, node, row);

		if (!holds[i].amount)
			continue;
		if (!__atomic_load_n(layout_held_byte(l->layout, 1 + node, row),
				     __ATOMIC_ACQUIRE) ||
		    (int64_t)limit_get(&held[holds[i].resource]) <
			    holds[i].amount)
			err = -ERANGE;
		else
			err = limit_cells_change(&cells, node,
						 holds[i].resource,
						 -holds[i].amount);
	}
	return err ? err : limit_hold_end_empty(l, row);
}

int tally_limit_release(struct tally_ledger *l, struct tally_token token,
			const struct tally_hold *holds, unsigned int nr_holds)
{
	struct layout_hold *hold;
	int err = check_holds(l, holds, nr_holds);

	if (!err)
		err = limit_begin(l);
	if (err)
		return err;
	err = limit_hold_find(l, token, &hold);
	if (!err)
		err = nr_holds ? release_part(l, token.row, holds, nr_holds)
			       : limit_hold_end(l, token.row);
	return limit_finish(l, err);
}

int tally_limit_reap(struct tally_ledger *l)
{
	int err = limit_begin(l);

	if (err)
		return err;
	err = limit_hold_reap_all(l, true);
	return limit_finish(l, err < 0 ? err : 0);
}
