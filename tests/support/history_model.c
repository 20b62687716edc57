// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "support/history_model.h"

/* What a child has, the node counts with its parent. */
int32_t history_held_on(const struct model *m, int node)
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
		sum += history_held_on(m, n);
	return sum;
}

static int64_t left(int32_t limit, int32_t held)
{
	return limit > held ? limit - held : 0;
}

void history_start(struct model *m, const struct call *c, int state)
{
	m->state[c->account] = state;
	m->parent[c->account] = 0;
	m->generation[c->account]++;
	for (int n = 0; n < NR_NODES; n++)
		m->held[c->account][n] = c->amounts[n];
}

bool step_reserve(struct model *m, const struct call *c)
{
	int32_t sum = 0, all = held_by_all(m);

	if (m->state[c->account])
		return c->err == -EEXIST;
	for (int n = 0; n < NR_NODES; n++) {
		int32_t asked = c->amounts[n], held = history_held_on(m, n);

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
	history_start(m, c, TALLY_RESERVED);
	return !c->err && c->got == m->generation[c->account];
}

bool step_adopt(struct model *m, const struct call *c)
{
	if (m->state[c->account])
		return c->err == -EEXIST;
	history_start(m, c, TALLY_COMMITTED);
	return !c->err && c->got == m->generation[c->account];
}

static bool is_stale(const struct model *m, const struct call *c)
{
	return !m->state[c->account] ||
	       m->generation[c->account] != c->generation;
}

bool step_commit(struct model *m, const struct call *c)
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

bool step_cancel(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	if (m->state[c->account] == TALLY_COMMITTED)
		return c->err == -EBUSY;
	drop(m, c->account);
	return !c->err;
}

bool step_release(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	drop(m, c->account);
	return !c->err;
}

bool step_release_part(struct model *m, const struct call *c)
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

bool step_draw(struct model *m, const struct call *c)
{
	if (m->state[c->account])
		return c->err == -EEXIST;
	if (!m->state[c->parent] ||
	    m->generation[c->parent] != c->parent_generation)
		return c->err == -ESTALE;
	for (int n = 0; n < NR_NODES; n++)
		if (!has_left(m, c->parent, n, c->amounts[n]))
			return is_refused_by(m, c, c->parent, n);
	history_start(m, c, TALLY_RESERVED);
	m->parent[c->account] = c->parent + 1;
	return !c->err && c->got == m->generation[c->account];
}

bool step_left(struct model *m, const struct call *c)
{
	if (is_stale(m, c))
		return c->err == -ESTALE;
	return !c->err &&
	       c->told[0] == m->held[c->account][c->node] -
				     drawn_on(m, c->account, c->node);
}

/* The first limit that is passed by what the change adds to it. */
bool step_change(struct model *m, const struct call *c)
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
		int32_t asked = c->amounts[n], on = history_held_on(m, n);

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

bool step_capacity(struct model *m, const struct call *c)
{
	m->capacity[c->node] = c->amounts[0];
	return !c->err;
}

bool step_quota(struct model *m, const struct call *c)
{
	m->quota = c->amounts[0];
	return !c->err;
}

bool step_exchange(struct model *m, const struct call *c)
{
	bool good = !c->err && c->told[1] == m->quota &&
		    c->told[0] ==
			    m->capacity[0] + INT64_C(1000) * m->capacity[1];

	m->capacity[0] = m->capacity[1] = c->amounts[0];
	m->quota = c->amounts[1];
	return good;
}

bool step_node(struct model *m, const struct call *c)
{
	return !c->err && c->told[0] == history_held_on(m, c->node) &&
	       c->told[1] == m->capacity[c->node];
}

bool step_held(struct model *m, const struct call *c)
{
	return !c->err &&
	       c->told[0] == m->held[c->account][0] + m->held[c->account][1];
}

bool step_take(struct model *m, const struct call *c)
{
	if (history_held_on(m, c->node) + c->amounts[0] > m->capacity[c->node])
		return c->err == -ENOSPC;
	if (held_by_all(m) + c->amounts[0] > m->quota)
		return c->err == -EDQUOT;
	m->taken[c->account][c->node] += c->amounts[0];
	return !c->err;
}

bool step_give(struct model *m, const struct call *c)
{
	m->taken[c->account][c->node] -= c->amounts[0];
	return !c->err && m->taken[c->account][c->node] >= 0;
}
