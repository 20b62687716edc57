// SPDX-License-Identifier: MIT
/* Take without a reservation. Each CPU prefetches credit and takes from it
 * locally: see numatally/limit.h. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "file/reserved.h"
#include "ledger/rseq.h"
#include "limit/credit.h"
#include "limit/reap.h"
#include "limit/transaction.h"

/* A field, since a program's variable would take two loads here. */
#define TALLY_CREDIT_RSEQ(credit) ((credit)->rseq)
#include <numatally/limit_inline.h>

/* A CPU prefetches this many times the amount that it needs, but at most a
 * share of what is free: so that all CPUs can prefetch several times. */
#define AHEAD	   64
#define SHARES	   8
#define MOST_AHEAD (INT64_C(1) << 40)

#define MAX_TRIES  4

static bool is_of(const struct layout_credit *c, struct tally_account account,
		  uint32_t node, unsigned int resource)
{
	return limit_get(&c->row) == account.row &&
	       limit_get(&c->account) == account.generation &&
	       limit_get(&c->node) == node &&
	       limit_get(&c->resource) == resource;
}

/* Find the credit's place in the table. -ESTALE */
static int find(const struct tally_credit *credit, uint64_t *index)
{
	const struct layout *l = credit->ledger->layout;
	uint64_t i = credit->offset / sizeof(struct layout_credit_word);
	int node = layout_node_index(l, credit->node);

	if (credit->offset % sizeof(struct layout_credit_word) ||
	    i >= reserved_nr_credits(l) || node < 0 ||
	    limit_get(&layout_credit(l, i)->tag) != credit->tag ||
	    !is_of(layout_credit(l, i), credit->account, (uint32_t)node,
		   credit->resource))
		return -ESTALE;
	*index = i;
	return 0;
}

/* Return the credit's place (*its), a new one, or one that is not in use any
 * more; LAYOUT_NR_CREDITS: none. */
static uint64_t search(const struct layout *l, struct tally_account account,
		       uint32_t node, unsigned int resource, bool *its)
{
	uint64_t nr = reserved_nr_credits(l);
	uint64_t empty = LAYOUT_NR_CREDITS;

	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		*its = is_of(c, account, node, resource);
		if (*its)
			return i;
		if (!limit_get(&c->taken) && !limit_get(&c->lanes))
			empty = i;
	}
	return nr < LAYOUT_NR_CREDITS ? nr : empty;
}

static int make_place(struct tally_ledger *l, uint64_t index)
{
	struct layout_limits *limits = layout_limits(l->layout);
	const struct layout_plan *plan = l->layout->plan;
	int err;

	if (index < reserved_nr_credits(l->layout))
		return 0;
	err = layout_populate(l->layout, &l->limit_tables,
			      plan->credits.offset - plan->reservations.offset +
				      index * plan->credits.stride,
			      plan->credits.stride);
	if (!err)
		limit_set(l->layout, &limits->nr_credits, index + 1);
	return err;
}

static int take_place(struct tally_ledger *l, struct tally_account account,
		      uint32_t node, unsigned int resource, uint64_t *index)
{
	struct layout *layout = l->layout;
	struct layout_credit *c;
	bool its = false;
	int err;

	*index = search(layout, account, node, resource, &its);
	if (its)
		return 0;
	if (*index == LAYOUT_NR_CREDITS) {
		err = limit_credit_draw_back(l, NULL);
		if (err < 0)
			return err;
		*index = search(layout, account, node, resource, &its);
	}
	if (*index == LAYOUT_NR_CREDITS)
		return -EUSERS;
	err = make_place(l, *index);
	if (err)
		return err;
	c = layout_credit(layout, *index);
	limit_set(layout, &c->tag, layout_credit_next(limit_get(&c->tag)));
	limit_set(layout, &c->row, account.row);
	limit_set(layout, &c->account, account.generation);
	limit_set(layout, &c->node, node);
	limit_set(layout, &c->resource, resource);
	return 0;
}

int tally_limit_credit(struct tally_ledger *l, struct tally_account account,
		       int node, unsigned int resource,
		       struct tally_credit *credit)
{
	UNCANCELLED;
	int plane = layout_node_index(l->layout, node);
	uint64_t index;
	int err;

	if (plane < 0)
		return plane;
	if (!limit_is_reservable(l, resource))
		return -EINVAL;
	err = limit_begin(l);
	if (err)
		return err;
	err = limit_check_account(l, account);
	if (!err)
		err = limit_credit_tables(l);
	if (!err)
		err = limit_touch(l, account);
	if (!err)
		err = take_place(l, account, (uint32_t)plane, resource, &index);
	if (!err)
		*credit = (struct tally_credit){
			.ledger = l,
			.lanes = &l->credit_lanes,
			.offset = index * sizeof(struct layout_credit_word),
			.tag = limit_get(&layout_credit(l->layout, index)->tag),
			.rseq = l->fast.rseq,
			.atomic = !l->inlined,
			.account = account,
			.node = node,
			.resource = resource,
		};
	return limit_finish(l, err);
}

struct taking {
	struct tally_ledger *ledger;
	uint64_t index;
	uint32_t node;
	unsigned int resource;
	uint32_t cpu;
	struct tally_account account;
	int64_t amount;
	struct limit_cells cells;
	uint32_t row; /* of the account whose quota refused it */
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t share(const struct taking *t, uint64_t limit,
		     const int64_t *held)
{
	int64_t left;

	if (__builtin_sub_overflow(limit_value(limit), (int64_t)limit_get(held),
				   &left))
		return MOST_AHEAD;
	return left / (SHARES * (int64_t)t->ledger->nr_online);
}

/* The amount to prefetch. */
static int64_t ahead(const struct taking *t)
{
	const struct layout *l = t->ledger->layout;
	const struct layout_capacity *c =
		layout_capacity(l, t->node, t->resource);
	int64_t most = MOST_AHEAD;

	if (t->amount < MOST_AHEAD / AHEAD)
		most = t->amount * AHEAD;
	most = least(most, share(t, limit_get(&c->limit), &c->held));
	for (unsigned int i = 0; i < t->cells.nr_rows; i++) {
		const struct layout_quota *q =
			&layout_quotas(l, t->cells.rows[i])[t->resource];

		most = least(most, share(t, limit_get(&q->limit), &q->held));
	}
	return most >= t->amount ? most : 0;
}

static int draw(struct taking *t, int64_t idle)
{
	struct layout *l = t->ledger->layout;
	struct layout_credit *c = layout_credit(l, t->index);
	int err;

	t->row = t->cells.rows[0];
	err = limit_cells_reserve(&t->cells, NULL, t->node, t->resource,
				  t->amount + idle, &t->row);
	if (err)
		return err;
	limit_set(l, &c->taken,
		  limit_get(&c->taken) + (uint64_t)t->amount + (uint64_t)idle);
	err = limit_look_again(t->ledger, t->account);
	if (err) {
		limit_undo(l);
		return err;
	}
	if (idle)
		limit_credit_plan(t->ledger, t->cpu, t->index, idle);
	limit_keep(l);
	if (idle)
		limit_credit_open(t->ledger, t->cpu, t->index);
	return 0;
}

static bool may_open(const struct taking *t)
{
	return t->cpu < t->ledger->nr_cpus &&
	       !limit_credit_touch(t->ledger, t->cpu);
}

static void refuse(const struct taking *t, int err)
{
	struct layout *l = t->ledger->layout;
	struct layout_capacity *c = layout_capacity(l, t->node, t->resource);
	struct layout_quota *q = &layout_quotas(l, t->row)[t->resource];
	uint64_t *nr = err == -ENOSPC ? &c->nr_refused : &q->nr_refused;

	limit_set(l, nr, limit_get(nr) + 1);
	limit_keep(l);
}

static int take_of_pool(struct taking *t)
{
	struct tally_ledger *l = t->ledger;
	int err, nr;

	nr = limit_credit_close_here(l, t->cpu, t->index);
	if (nr < 0)
		return nr;
	do {
		err = draw(t, may_open(t) ? ahead(t) : 0);
		if (err != -ENOSPC && err != -EDQUOT)
			return err;
		limit_undo(l->layout);
		nr = limit_make_free(l, t->resource);
	} while (nr > 0);
	if (nr < 0)
		return nr;
	refuse(t, err);
	return err;
}

static int begin(const struct tally_credit *credit, struct taking *t)
{
	struct tally_ledger *l = credit->ledger;
	int err;

	if (l->inlined)
		rseq_register();
	err = limit_begin(l);
	if (err)
		return err;
	t->ledger = l;
	t->node = (uint32_t)layout_node_index(l->layout, credit->node);
	t->resource = credit->resource;
	t->account = credit->account;
	t->cpu = (uint32_t)sched_getcpu();
	err = tally_account_phase(l->accounts, credit->account);
	if (err >= 0)
		err = find(credit, &t->index);
	if (!err)
		err = limit_cells_of(l, credit->account, &t->cells);
	if (err)
		limit_finish(l, err);
	return err;
}

static __attribute__((noinline)) int
take_slowly(const struct tally_credit *credit, int64_t amount)
{
	UNCANCELLED;
	struct taking t = {.amount = amount};
	int err;

	assert(amount >= 0);
	for (int i = 0; i < MAX_TRIES; i++)
		if (tally_limit_take_fast(credit, amount))
			return 0;
	err = begin(credit, &t);
	if (err)
		return err;
	err = take_of_pool(&t);
	return limit_finish(t.ledger, err);
}

static int give_to_pool(struct taking *t)
{
	struct layout_credit *c = layout_credit(t->ledger->layout, t->index);
	int64_t taken = (int64_t)limit_get(&c->taken);

	if (t->amount > taken)
		return -ERANGE;
	limit_set(t->ledger->layout, &c->taken, (uint64_t)(taken - t->amount));
	if (taken == t->amount)
		limit_note(t->ledger, t->account.row);
	return limit_cells_change(&t->cells, NULL, t->node, t->resource,
				  -t->amount);
}

static __attribute__((noinline)) int
give_slowly(const struct tally_credit *credit, int64_t amount)
{
	UNCANCELLED;
	struct taking t = {.amount = amount};
	int err;

	assert(amount >= 0);
	for (int i = 0; i < MAX_TRIES; i++)
		if (tally_limit_give_fast(credit, amount))
			return 0;
	err = begin(credit, &t);
	return err ? err : limit_finish(t.ledger, give_to_pool(&t));
}

/* Both aligned to a cache line, which saves a tenth of the call. */
__attribute__((aligned(64))) int
tally_limit_take(const struct tally_credit *credit, int64_t amount)
{
	if (tally_limit_take_fast(credit, amount))
		return 0;
	return take_slowly(credit, amount);
}

__attribute__((aligned(64))) int
tally_limit_give(const struct tally_credit *credit, int64_t amount)
{
	if (tally_limit_give_fast(credit, amount))
		return 0;
	return give_slowly(credit, amount);
}
