// SPDX-License-Identifier: MIT
/* What is taken and given back without a reservation: see numatally/limit.h. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "held.h"
#include "limit_credit.h"
#include "limit_hold.h"

/* A program's is behind two loads here. */
#define TALLY_CREDIT_RSEQ(credit) ((credit)->rseq)
#include <numatally/limit_inline.h>

/* Amounts that a CPU draws beyond what it needs: as many times as much, but not
 * more than a share of what is free, which all CPUs could draw several times. */
#define AHEAD	   64
#define SHARES	   8
#define MOST_AHEAD (INT64_C(1) << 40)

#define MAX_TRIES  4

/* The credit's place, or -ESTALE. */
static int find(const struct tally_credit *credit, uint64_t *index)
{
	const struct layout *l = credit->ledger->layout;
	uint64_t i = credit->offset / sizeof(uint64_t);

	if (i >= held_nr_credits(l) ||
	    limit_get(&layout_credit(l, i)->tag) != credit->tag ||
	    limit_get(&layout_credit(l, i)->account) !=
		    credit->account.generation)
		return -ESTALE;
	*index = i;
	return 0;
}

/* ---- places -------------------------------------------------------------- */

static bool is_of(const struct layout_credit *c, struct tally_account account,
		  uint32_t node, unsigned int resource)
{
	return limit_get(&c->row) == account.row &&
	       limit_get(&c->account) == account.generation &&
	       limit_get(&c->node) == node &&
	       limit_get(&c->resource) == resource;
}

/* The place that is this one's, or a new one, or, without any, one that holds
 * nothing; LAYOUT_NR_CREDITS: there is none. */
static uint64_t search(const struct layout *l, struct tally_account account,
		       uint32_t node, unsigned int resource, bool *its)
{
	uint64_t nr = held_nr_credits(l);
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

	if (index < held_nr_credits(l->layout))
		return 0;
	err = tally_region_fault(&l->holds,
				 plan->credits.offset - plan->holds.offset +
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
	limit_set(layout, &c->tag, limit_get(&c->tag) % 65535 + 1);
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
	int plane = layout_node_index(l->layout, node);
	uint64_t index;
	int err;

	if (plane < 0)
		return plane;
	if (!limit_is_stock(l, resource))
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
			.offset = index * sizeof(uint64_t),
			.tag = limit_get(&layout_credit(l->layout, index)->tag),
			.rseq = l->fast.rseq,
			.atomic = !l->inlined,
			.account = account,
			.node = node,
			.resource = resource,
		};
	return limit_finish(l, err);
}

/* ---- takes --------------------------------------------------------------- */

struct taking {
	struct tally_ledger *ledger;
	uint64_t index;
	uint32_t node;
	unsigned int resource;
	uint32_t cpu;
	struct tally_account account;
	int64_t amount;
	struct limit_cells cells;
	uint32_t row; /* whose quota refused it */
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

/* What the CPU draws for takes to come. */
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
	err = limit_cells_reserve(&t->cells, t->node, t->resource,
				  t->amount + idle, &t->row);
	if (err)
		return err;
	limit_set(l, &c->taken,
		  limit_get(&c->taken) + (uint64_t)t->amount + (uint64_t)idle);
	/* Whoever ends the account has set its phase, and then looks at what it
	 * holds. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	err = limit_check_account(t->ledger, t->account);
	if (err) {
		limit_undo(l);
		limit_note(t->ledger, t->account.row);
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
	int err = limit_begin(l);

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
	t->cells.direct = true;
	if (err)
		limit_finish(l, err);
	return err;
}

static __attribute__((noinline)) int
take_slowly(const struct tally_credit *credit, int64_t amount)
{
	struct taking t = {.amount = amount};
	int err;

	assert(amount >= 0);
	for (int i = 0; i < MAX_TRIES; i++)
		if (tally_limit_try_take(credit, amount))
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
	return limit_cells_change(&t->cells, t->node, t->resource, -t->amount);
}

static __attribute__((noinline)) int
give_slowly(const struct tally_credit *credit, int64_t amount)
{
	struct taking t = {.amount = amount};
	int err;

	assert(amount >= 0);
	for (int i = 0; i < MAX_TRIES; i++)
		if (tally_limit_try_give(credit, amount))
			return 0;
	err = begin(credit, &t);
	return err ? err : limit_finish(t.ledger, give_to_pool(&t));
}

int tally_limit_take(const struct tally_credit *credit, int64_t amount)
{
	if (tally_limit_try_take(credit, amount))
		return 0;
	return take_slowly(credit, amount);
}

int tally_limit_give(const struct tally_credit *credit, int64_t amount)
{
	if (tally_limit_try_give(credit, amount))
		return 0;
	return give_slowly(credit, amount);
}
