// SPDX-License-Identifier: MIT
/* Records calls of several threads, and searches for an order of them that
 * explains every result, by a model that is never raced. */
#include "support/test.h"

#include <numatally/limit_inline.h>

#include "support/history.h"
#include "support/limits.h"

#define MEMORY	  1
#define NR_BROKEN 500 /* with NUMATALLY_SHORT */
#define NR_SHORT  2000
#define NR_LONG	  200000
#define CAPACITY  6
#define QUOTA	  9

/* ---- calls --------------------------------------------------------------- */

static unsigned int demands_of(const struct call *c,
			       struct tally_demand *demands)
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
		.nr_demands = demands_of(c, demands),
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

/* What a child has, the node counts with its parent. */
static int32_t held_on(const struct model *m, int node)
{
	int32_t sum = 0;

	for (int i = 0; i < NR_ACCOUNTS; i++)
		sum += (m->parent[i] ? 0 : m->held[i][node]) +
		       m->taken[i][node];
	return sum;
}

static int32_t drawn_on(const struct model *m, int parent, int node)
{
	int32_t sum = 0;

	for (int i = 0; i < NR_ACCOUNTS; i++)
		sum += m->parent[i] == parent + 1 ? m->held[i][node] : 0;
	return sum;
}

static int32_t held_by_all(const struct model *m)
{
	int32_t sum = 0;

	for (int n = 0; n < NR_NODES; n++)
		sum += held_on(m, n);
	return sum;
}

static int64_t left(int32_t limit, int32_t held)
{
	return limit > held ? limit - held : 0;
}

static void start(struct model *m, const struct call *c, int state)
{
	m->state[c->account] = state;
	m->parent[c->account] = 0;
	m->generation[c->account]++;
	for (int n = 0; n < NR_NODES; n++)
		m->held[c->account][n] = c->amounts[n];
}

static bool step_reserve(struct model *m, const struct call *c)
{
	int32_t sum = 0, all = held_by_all(m);

	if (m->state[c->account])
		return c->err == -EEXIST;
	for (int n = 0; n < NR_NODES; n++) {
		int32_t asked = c->amounts[n], held = held_on(m, n);

		sum += asked;
		if (!asked)
			continue;
		if (held + asked > m->capacity[n])
			return c->err == -ENOSPC && c->node == n &&
			       c->told[0] == asked &&
			       c->told[1] == left(m->capacity[n], held);
		if (all + sum > m->quota)
			return c->err == -EDQUOT && c->node == n &&
			       c->told[0] == c->amounts[0] + c->amounts[1] &&
			       c->told[1] == left(m->quota, all);
	}
	start(m, c, TALLY_RESERVED);
	return !c->err && c->got == m->generation[c->account];
}

static void call_adopt(struct thread *t, struct call *c)
{
	struct tally_demand demands[NR_NODES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = demands_of(c, demands),
	};
	struct tally_token got;

	c->err = tally_limit_adopt(
		t->test->ledger, t->test->accounts[c->account], &request, &got);
	got_token(t, c, got);
}

static bool step_adopt(struct model *m, const struct call *c)
{
	if (m->state[c->account])
		return c->err == -EEXIST;
	start(m, c, TALLY_COMMITTED);
	return !c->err && c->got == m->generation[c->account];
}

static bool is_stale(const struct model *m, const struct call *c)
{
	return !m->state[c->account] ||
	       m->generation[c->account] != c->generation;
}

static void call_commit(struct thread *t, struct call *c)
{
	c->err = tally_limit_commit(t->test->ledger, token_of(t, c));
}

static bool step_commit(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	m->state[c->account] = TALLY_COMMITTED;
	return !c->err;
}

static void drop(struct model *m, int account)
{
	for (int i = 0; i < NR_ACCOUNTS; i++)
		if (m->parent[i] == account + 1)
			drop(m, i);
	m->state[account] = 0;
	m->parent[account] = 0;
	memset(m->held[account], 0, sizeof(m->held[account]));
}

static void call_cancel(struct thread *t, struct call *c)
{
	c->err = tally_limit_cancel(t->test->ledger, token_of(t, c));
}

static bool step_cancel(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	if (m->state[c->account] == TALLY_COMMITTED)
		return c->err == -EBUSY;
	drop(m, c->account);
	return !c->err;
}

static void call_release(struct thread *t, struct call *c)
{
	c->err = tally_limit_release(t->test->ledger, token_of(t, c), NULL, 0);
}

static bool step_release(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	drop(m, c->account);
	return !c->err;
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
				     demands_of(c, demands));
}

static bool step_release_part(struct model *m, const struct call *c)
{
	int32_t *held = m->held[c->account], sum = 0;

	if (is_stale(m, c))
		return c->err == -ESTALE;
	for (int n = 0; n < NR_NODES; n++)
		if (held[n] < c->amounts[n])
			return c->err == -ERANGE;
	for (int n = 0; n < NR_NODES; n++)
		if (held[n] - c->amounts[n] < drawn_on(m, c->account, n))
			return c->err == -EBUSY;
	for (int n = 0; n < NR_NODES; n++) {
		held[n] -= c->amounts[n];
		sum += held[n];
	}
	if (!sum)
		drop(m, c->account);
	return !c->err;
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
		.nr_demands = demands_of(c, demands),
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

static bool is_refused_by(const struct model *m, const struct call *c,
			  int parent, int node)
{
	int32_t left = m->held[parent][node] - drawn_on(m, parent, node);

	return c->err == -ENOSPC && c->node == node &&
	       c->told[0] == c->amounts[node] && c->told[1] == left;
}

static bool has_left(const struct model *m, int parent, int node,
		     int32_t amount)
{
	return drawn_on(m, parent, node) + amount <= m->held[parent][node];
}

static bool step_draw(struct model *m, const struct call *c)
{
	if (m->state[c->account])
		return c->err == -EEXIST;
	if (!m->state[c->parent] ||
	    m->generation[c->parent] != c->parent_generation)
		return c->err == -ESTALE;
	for (int n = 0; n < NR_NODES; n++)
		if (!has_left(m, c->parent, n, c->amounts[n]))
			return is_refused_by(m, c, c->parent, n);
	start(m, c, TALLY_RESERVED);
	m->parent[c->account] = c->parent + 1;
	return !c->err && c->got == m->generation[c->account];
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

static bool step_left(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	return !c->err &&
	       c->told[0] == m->held[c->account][c->node] -
				     drawn_on(m, c->account, c->node);
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
		.nr_demands = demands_of(c, demands),
	};
	struct tally_refusal why = {.size = sizeof(why)};

	c->err = tally_limit_change(t->test->ledger, token_of(t, c), &request,
				    &why);
	c->told[0] = why.asked;
	c->told[1] = why.free;
	c->node = why.node == machine_nodes[0] ? 0 : 1;
}

/* The first limit that is passed by what the change adds to it. */
static bool step_change(struct model *m, const struct call *c)
{
	int32_t *held = m->held[c->account], net = 0, sum = 0;
	int32_t all = held_by_all(m), parent = m->parent[c->account];
	bool takes = false, gives = false;

	if (is_stale(m, c))
		return c->err == -ESTALE;
	for (int n = 0; n < NR_NODES; n++) {
		if (held[n] < -c->amounts[n])
			return c->err == -ERANGE;
		net += c->amounts[n];
	}
	for (int n = 0; n < NR_NODES; n++)
		if (held[n] + c->amounts[n] < drawn_on(m, c->account, n))
			return c->err == -EBUSY;
	for (int n = 0; n < NR_NODES; n++) {
		int32_t asked = c->amounts[n], on = held_on(m, n);

		takes |= asked > 0;
		gives |= asked < 0;
		if (asked <= 0)
			continue;
		if (parent) {
			if (!has_left(m, parent - 1, n, asked))
				return is_refused_by(m, c, parent - 1, n);
			continue;
		}
		if (on + asked > m->capacity[n])
			return c->err == -ENOSPC && c->node == n &&
			       c->told[0] == asked &&
			       c->told[1] == left(m->capacity[n], on);
		if (net > 0 && all + net > m->quota)
			return c->err == -EDQUOT && c->node == n &&
			       c->told[0] == net &&
			       c->told[1] == left(m->quota, all);
	}
	for (int n = 0; n < NR_NODES; n++)
		sum += held[n] += c->amounts[n];
	if (gives && !takes && !sum)
		drop(m, c->account);
	return !c->err;
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

static bool step_capacity(struct model *m, const struct call *c)
{
	m->capacity[c->node] = c->amounts[0];
	return !c->err;
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

static bool step_quota(struct model *m, const struct call *c)
{
	m->quota = c->amounts[0];
	return !c->err;
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

static bool step_exchange(struct model *m, const struct call *c)
{
	bool good = !c->err && c->told[1] == m->quota &&
		    c->told[0] ==
			    m->capacity[0] + INT64_C(1000) * m->capacity[1];

	m->capacity[0] = m->capacity[1] = c->amounts[0];
	m->quota = c->amounts[1];
	return good;
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

static bool step_node(struct model *m, const struct call *c)
{
	return !c->err && c->told[0] == held_on(m, c->node) &&
	       c->told[1] == m->capacity[c->node];
}

/* Of both nodes together. */
static void call_held(struct thread *t, struct call *c)
{
	int64_t amounts[2];

	c->err = tally_limit_holding(t->view, t->test->accounts[c->account],
				     TALLY_VIEW_ALL, amounts);
	c->told[0] = amounts[MEMORY];
}

static bool step_held(struct model *m, const struct call *c)
{
	return !c->err &&
	       c->told[0] == m->held[c->account][0] + m->held[c->account][1];
}

static const struct kind reserving_kinds[] = {
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
#define NR_RESERVING_KINDS \
	(sizeof(reserving_kinds) / sizeof(reserving_kinds[0]))

static const struct kind drawing_kinds[] = {
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
#define NR_DRAWING_KINDS (sizeof(drawing_kinds) / sizeof(drawing_kinds[0]))

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

static bool step_take(struct model *m, const struct call *c)
{
	if (held_on(m, c->node) + c->amounts[0] > m->capacity[c->node])
		return c->err == -ENOSPC;
	if (held_by_all(m) + c->amounts[0] > m->quota)
		return c->err == -EDQUOT;
	m->taken[c->account][c->node] += c->amounts[0];
	return !c->err;
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

static bool step_give(struct model *m, const struct call *c)
{
	m->taken[c->account][c->node] -= c->amounts[0];
	return !c->err && m->taken[c->account][c->node] >= 0;
}

/* Without calls that read: idle credits are read CPU by CPU. */
static const struct kind taking_kinds[] = {
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
#define NR_TAKING_KINDS (sizeof(taking_kinds) / sizeof(taking_kinds[0]))

/* ---- histories ----------------------------------------------------------- */

/* No reservation is left, and limits are as at first. */
static void clean(struct test *test)
{
	struct model *m = &test->history.first;
	const struct tally_request request = {.size = sizeof(request),
					      .nr_demands = 0};
	struct tally_view *view;

	memset(m, 0, sizeof(*m));
	assert_int_equal(tally_view_open(test->ledger, &view), 0);
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		struct tally_reservation found = {.size = sizeof(found)};
		struct tally_token t;

		if (!tally_limit_find(view, test->accounts[i], &found))
			assert_int_equal(tally_limit_release(test->ledger,
							     found.token, NULL,
							     0),
					 0);
		assert_int_equal(tally_limit_reserve(test->ledger,
						     test->accounts[i],
						     &request, &t, NULL),
				 0);
		assert_int_equal(tally_limit_cancel(test->ledger, t), 0);
		m->generation[i] = (uint32_t)t.generation;
		test->latest[i] = (uint32_t)t.generation;
	}
	tally_view_close(view);
	for (int i = 0; i < NR_ACCOUNTS; i++)
		for (int n = 0; n < NR_NODES; n++) {
			assert_int_equal(tally_limit_give(&test->credits[i][n],
							  test->theirs[i][n]),
					 0);
			test->theirs[i][n] = 0;
		}
	for (int n = 0; n < NR_NODES; n++) {
		m->capacity[n] = CAPACITY * test->scale;
		assert_int_equal(
			tally_limit_set_capacity(test->ledger, machine_nodes[n],
						 MEMORY, m->capacity[n]),
			0);
	}
	m->quota = QUOTA * test->scale;
	assert_int_equal(tally_limit_set_quota(test->ledger, test->quota,
					       MEMORY, m->quota),
			 0);
}

/* The second account draws from the first at first. */
static void begin_as_family(struct test *test)
{
	static const struct call calls[] = {{.account = 0, .amounts = {5, 3}},
					    {.account = 1, .amounts = {3, 2}}};
	struct model *m = &test->history.first;
	struct tally_token tokens[2];

	for (int i = 0; i < 2; i++) {
		struct tally_demand demands[NR_NODES];
		const struct tally_request request = {
			.size = sizeof(request),
			.demands = demands,
			.nr_demands = demands_of(&calls[i], demands),
		};
		int err = i ? tally_limit_draw(test->ledger, test->accounts[i],
					       tokens[0], &request, &tokens[i],
					       NULL)
			    : tally_limit_reserve(test->ledger,
						  test->accounts[i], &request,
						  &tokens[i], NULL);

		assert_int_equal(err, 0);
		start(m, &calls[i], TALLY_RESERVED);
		assert_int_equal(tokens[i].generation, m->generation[i]);
		test->latest[i] = m->generation[i];
	}
	m->parent[1] = 1;
}

/* The final state is what the order gives. */
static void check_end(const struct test *test, const struct model *last)
{
	for (int n = 0; n < NR_NODES; n++)
		assert_int_equal(
			limits_of_node(test->ledger, machine_nodes[n]).held,
			held_on(last, n));
	limits_agree(test->ledger);
}

static void make(struct test *test, struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	static const char *const keys[NR_ACCOUNTS] = {"q/a", "q/b", "q/c/d"};

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &test->ledger),
			 0);
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		test->accounts[i] = machine_account(test->ledger, keys[i]);
		for (int n = 0; n < NR_NODES; n++)
			assert_int_equal(
				tally_limit_credit(test->ledger,
						   test->accounts[i],
						   machine_nodes[n], MEMORY,
						   &test->credits[i][n]),
				0);
	}
	test->quota = machine_account(test->ledger, "q/");
	assert_int_equal(
		pthread_barrier_init(&test->barrier, NULL, MAX_THREADS + 1), 0);
}

static int nr_histories(void)
{
	if (getenv("NUMATALLY_SHORT"))
		return NR_BROKEN;
	return test_is_long() ? NR_LONG : NR_SHORT;
}

static void run(struct machine *m, const struct kind *kinds,
		unsigned int nr_kinds, int scale, bool exclusive)
{
	static struct test test;
	struct checker *checker = history_checker(kinds);
	unsigned int seed = (unsigned int)getpid();
	static struct thread threads[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	uint64_t overlaps = 0, calls = 0;
	int nr = nr_histories();

	test = (struct test){
		.kinds = kinds,
		.nr_kinds = nr_kinds,
		.scale = scale,
	};
	make(&test, m, exclusive);
	print_message("# seed %u\n", seed);
	for (int t = 0; t < MAX_THREADS; t++) {
		threads[t] = (struct thread){
			.test = &test,
			.number = t,
			.seed = seed + (unsigned int)t,
		};
		assert_int_equal(tally_view_open(test.ledger, &threads[t].view),
				 0);
		assert_int_equal(
			pthread_create(&ids[t], NULL, history_run, &threads[t]),
			0);
	}
	for (int i = 0; i < nr; i++) {
		test.history.nr_threads = 2 + rand_r(&seed) % (MAX_THREADS - 1);
		for (int t = 0; t < MAX_THREADS; t++)
			test.history.nr[t] =
				2 + rand_r(&seed) % (MAX_CALLS - 1);
		clean(&test);
		if (kinds == drawing_kinds)
			begin_as_family(&test);
		test.nr_here = 0;
		pthread_barrier_wait(&test.barrier);
		pthread_barrier_wait(&test.barrier);
		check_end(&test, history_check(checker, &test.history));
		overlaps += history_nr_overlaps(&test.history);
		for (int t = 0; t < test.history.nr_threads; t++)
			calls += (uint64_t)test.history.nr[t];
	}
	test.ends = true;
	pthread_barrier_wait(&test.barrier);
	for (int t = 0; t < MAX_THREADS; t++) {
		pthread_join(ids[t], NULL);
		tally_view_close(threads[t].view);
	}
	print_message("# %d histories of %" PRIu64 " calls, %" PRIu64
		      " beside another, %" PRIu64 " states\n",
		      nr, calls, overlaps, history_nr_states(checker));
	pthread_barrier_destroy(&test.barrier);
	history_free(checker);
	tally_ledger_close(test.ledger);
}

static void some_order_gives_each_history(void **state)
{
	run(*state, reserving_kinds, NR_RESERVING_KINDS, 1, false);
}

static void also_with_parents_and_children(void **state)
{
	run(*state, drawing_kinds, NR_DRAWING_KINDS, 1, false);
}

static void also_with_takes_of_several_processes(void **state)
{
	run(*state, taking_kinds, NR_TAKING_KINDS, 100, false);
}

static void also_with_takes_of_one_process(void **state)
{
	run(*state, taking_kinds, NR_TAKING_KINDS, 100, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(some_order_gives_each_history),
		MACHINE_TEST(also_with_parents_and_children),
		MACHINE_TEST(also_with_takes_of_several_processes),
		MACHINE_TEST(also_with_takes_of_one_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
