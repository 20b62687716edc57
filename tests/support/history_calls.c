// SPDX-License-Identifier: MIT
/* Each kind of call: its arguments at random, and the call. */
#include "support/test.h"

#include <numatally/limit_inline.h>

#include "support/history_calls.h"
#include "support/history_model.h"

/* ---- calls --------------------------------------------------------------- */

unsigned int history_demands(const struct call *c, struct tally_demand *demands)
{
	for (int n = 0; n < NR_NODES; n++)
		demands[n] = (struct tally_demand){machine_nodes[n], MEMORY,
						   c->amounts[n]};
	return NR_NODES;
}

static struct tally_token token_of(const struct thread *t, const struct call *c)
{
	return (struct tally_token){t->test->accounts[c->account].row,
				    c->generation};
}

static void make_token(struct thread *t, struct call *c)
{
	c->account = (int)some(t, NR_ACCOUNTS);
	c->generation =
		__atomic_load_n(&t->test->latest[c->account], __ATOMIC_RELAXED);
}

static void make_amounts(struct thread *t, struct call *c)
{
	make_token(t, c);
	for (int n = 0; n < NR_NODES; n++)
		c->amounts[n] = (int32_t)some(t, 5) * t->test->scale;
}

static void got_token(struct thread *t, struct call *c, struct tally_token got)
{
	if (c->err)
		return;
	c->got = (uint32_t)got.generation;
	__atomic_store_n(&t->test->latest[c->account], (uint32_t)got.generation,
			 __ATOMIC_RELAXED);
}

static void call_reserve(struct thread *t, struct call *c)
{
	struct tally_demand demands[NR_NODES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = history_demands(c, demands),
	};
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_token got;

	c->err = tally_limit_reserve(t->test->ledger,
				     t->test->accounts[c->account], &request,
				     &got, &why);
	got_token(t, c, got);
	if (c->err != -ENOSPC && c->err != -EDQUOT)
		return;
	c->told[0] = why.asked;
	c->told[1] = why.free;
	c->node = why.node == machine_nodes[0] ? 0 : 1;
}

static void call_adopt(struct thread *t, struct call *c)
{
	struct tally_demand demands[NR_NODES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = history_demands(c, demands),
	};
	struct tally_token got;

	c->err = tally_limit_adopt(
		t->test->ledger, t->test->accounts[c->account], &request, &got);
	got_token(t, c, got);
}

static void call_commit(struct thread *t, struct call *c)
{
	c->err = tally_limit_commit(t->test->ledger, token_of(t, c));
}

static void call_cancel(struct thread *t, struct call *c)
{
	c->err = tally_limit_cancel(t->test->ledger, token_of(t, c));
}

static void call_release(struct thread *t, struct call *c)
{
	c->err = tally_limit_release(t->test->ledger, token_of(t, c), NULL, 0);
}

static void make_part(struct thread *t, struct call *c)
{
	make_token(t, c);
	for (int n = 0; n < NR_NODES; n++)
		c->amounts[n] = (int32_t)some(t, 3) * t->test->scale;
}

static void call_release_part(struct thread *t, struct call *c)
{
	struct tally_demand demands[NR_NODES];

	c->err = tally_limit_release(t->test->ledger, token_of(t, c), demands,
				     history_demands(c, demands));
}

/* ---- from a parent ------------------------------------------------------- */

static void make_draw(struct thread *t, struct call *c)
{
	make_amounts(t, c);
	c->parent = (int)some(t, NR_ACCOUNTS);
	c->parent_generation =
		__atomic_load_n(&t->test->latest[c->parent], __ATOMIC_RELAXED);
}

static void call_draw(struct thread *t, struct call *c)
{
	const struct tally_token parent = {t->test->accounts[c->parent].row,
					   c->parent_generation};
	struct tally_demand demands[NR_NODES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = history_demands(c, demands),
	};
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_token got;

	c->err = tally_limit_draw(t->test->ledger,
				  t->test->accounts[c->account], parent,
				  &request, &got, &why);
	got_token(t, c, got);
	c->told[0] = why.asked;
	c->told[1] = why.free;
	c->node = why.node == machine_nodes[0] ? 0 : 1;
}

static void make_left(struct thread *t, struct call *c)
{
	make_token(t, c);
	c->node = (int)some(t, NR_NODES);
}

static void call_left(struct thread *t, struct call *c)
{
	c->err = tally_limit_draw_free(t->view, token_of(t, c),
				       machine_nodes[c->node], MEMORY,
				       &c->told[0]);
}

/* ---- changes ------------------------------------------------------------- */

/* Amounts of either sign. */
static void make_change(struct thread *t, struct call *c)
{
	make_token(t, c);
	for (int n = 0; n < NR_NODES; n++)
		c->amounts[n] = ((int32_t)some(t, 7) - 3) * t->test->scale;
}

static void call_change(struct thread *t, struct call *c)
{
	struct tally_demand demands[NR_NODES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = history_demands(c, demands),
	};
	struct tally_refusal why = {.size = sizeof(why)};

	c->err = tally_limit_change(t->test->ledger, token_of(t, c), &request,
				    &why);
	c->told[0] = why.asked;
	c->told[1] = why.free;
	c->node = why.node == machine_nodes[0] ? 0 : 1;
}

static void make_capacity(struct thread *t, struct call *c)
{
	c->node = (int)some(t, NR_NODES);
	c->amounts[0] = (int32_t)some(t, 2 * CAPACITY) * t->test->scale;
}

static void call_capacity(struct thread *t, struct call *c)
{
	c->err = tally_limit_set_capacity(
		t->test->ledger, machine_nodes[c->node], MEMORY, c->amounts[0]);
}

static void make_quota(struct thread *t, struct call *c)
{
	c->amounts[0] = (int32_t)some(t, 2 * QUOTA) * t->test->scale;
}

static void call_quota(struct thread *t, struct call *c)
{
	c->err = tally_limit_set_quota(t->test->ledger, t->test->quota, MEMORY,
				       c->amounts[0]);
}

/* Both capacities and the quota at once. */
static void make_exchange(struct thread *t, struct call *c)
{
	make_capacity(t, c);
	c->amounts[1] = (int32_t)some(t, 2 * QUOTA) * t->test->scale;
}

static void call_exchange(struct thread *t, struct call *c)
{
	struct tally_capacity capacities[] = {
		{machine_nodes[0], MEMORY, c->amounts[0]},
		{machine_nodes[1], MEMORY, c->amounts[0]},
	};
	struct tally_quota quota = {"q/", MEMORY, c->amounts[1]};

	c->err =
		tally_limit_exchange(t->test->ledger, capacities, 2, &quota, 1);
	c->told[0] = capacities[0].capacity + 1000 * capacities[1].capacity;
	c->told[1] = quota.quota;
}

static void make_node(struct thread *t, struct call *c)
{
	c->node = (int)some(t, NR_NODES);
}

static void call_node(struct thread *t, struct call *c)
{
	struct tally_limit limit = {.size = sizeof(limit)};

	c->err = tally_limit_node(t->view, machine_nodes[c->node], MEMORY,
				  &limit);
	c->told[0] = limit.held;
	c->told[1] = limit.limit;
}

/* Of both nodes together. */
static void call_held(struct thread *t, struct call *c)
{
	int64_t amounts[2];

	c->err = tally_limit_holding(t->view, t->test->accounts[c->account],
				     TALLY_VIEW_ALL, amounts);
	c->told[0] = amounts[MEMORY];
}

const struct kind reserving_kinds[] = {
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"adopt", make_amounts, call_adopt, step_adopt},
	{"commit", make_token, call_commit, step_commit},
	{"cancel", make_token, call_cancel, step_cancel},
	{"release", make_token, call_release, step_release},
	{"release part", make_part, call_release_part, step_release_part},
	{"change", make_change, call_change, step_change},
	{"change", make_change, call_change, step_change},
	{"set_capacity", make_capacity, call_capacity, step_capacity},
	{"set_quota", make_quota, call_quota, step_quota},
	{"exchange", make_exchange, call_exchange, step_exchange},
	{"node", make_node, call_node, step_node},
	{"held", make_token, call_held, step_held},
};
const unsigned int history_nr_reserving =
	sizeof(reserving_kinds) / sizeof(reserving_kinds[0]);

const struct kind drawing_kinds[] = {
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"draw", make_draw, call_draw, step_draw},
	{"draw", make_draw, call_draw, step_draw},
	{"draw", make_draw, call_draw, step_draw},
	{"draw", make_draw, call_draw, step_draw},
	{"commit", make_token, call_commit, step_commit},
	{"cancel", make_token, call_cancel, step_cancel},
	{"release", make_token, call_release, step_release},
	{"release part", make_part, call_release_part, step_release_part},
	{"change", make_change, call_change, step_change},
	{"change", make_change, call_change, step_change},
	{"set_capacity", make_capacity, call_capacity, step_capacity},
	{"set_quota", make_quota, call_quota, step_quota},
	{"node", make_node, call_node, step_node},
	{"left", make_left, call_left, step_left},
	{"held", make_token, call_held, step_held},
};
const unsigned int history_nr_drawing =
	sizeof(drawing_kinds) / sizeof(drawing_kinds[0]);

/* ---- without a reservation ----------------------------------------------- */

static void make_take(struct thread *t, struct call *c)
{
	c->account = (int)some(t, NR_ACCOUNTS);
	c->node = (int)some(t, NR_NODES);
	c->amounts[0] = 1 + (int32_t)some(t, 9);
}

static void call_take(struct thread *t, struct call *c)
{
	c->err = tally_limit_inline_take(&t->test->credits[c->account][c->node],
					 c->amounts[0]);
	if (!c->err)
		__atomic_fetch_add(&t->test->theirs[c->account][c->node],
				   c->amounts[0], __ATOMIC_RELAXED);
}

/* Of an amount that is taken for sure, and that no other call gives back. */
static void make_give(struct thread *t, struct call *c)
{
	int32_t *theirs, n;

	make_take(t, c);
	theirs = &t->test->theirs[c->account][c->node];
	n = __atomic_load_n(theirs, __ATOMIC_RELAXED);
	do {
		if (c->amounts[0] > n)
			c->amounts[0] = n;
	} while (!__atomic_compare_exchange_n(theirs, &n, n - c->amounts[0],
					      false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

static void call_give(struct thread *t, struct call *c)
{
	c->err = tally_limit_inline_give(&t->test->credits[c->account][c->node],
					 c->amounts[0]);
}

/* Without calls that read: idle credits are read CPU by CPU. */
const struct kind taking_kinds[] = {
	{"take", make_take, call_take, step_take},
	{"take", make_take, call_take, step_take},
	{"take", make_take, call_take, step_take},
	{"give", make_give, call_give, step_give},
	{"give", make_give, call_give, step_give},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"reserve", make_amounts, call_reserve, step_reserve},
	{"commit", make_token, call_commit, step_commit},
	{"release", make_token, call_release, step_release},
	{"change", make_change, call_change, step_change},
	{"set_capacity", make_capacity, call_capacity, step_capacity},
	{"set_quota", make_quota, call_quota, step_quota},
	{"exchange", make_exchange, call_exchange, step_exchange},
};
const unsigned int history_nr_taking =
	sizeof(taking_kinds) / sizeof(taking_kinds[0]);
