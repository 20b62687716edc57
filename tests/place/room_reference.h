/* SPDX-License-Identifier: MIT */
/*
 * Making room step by step, as numatally/place_room.h says, with tally_place_fit()
 * on changed columns, in a small cluster.
 */
#ifndef TEST_PLACE_ROOM_REFERENCE_H
#define TEST_PLACE_ROOM_REFERENCE_H

#include "support/test.h"

#include <numatally/place_room.h>

#define MACHINES   3u
#define NODES	   3u /* on a machine */
#define ALL_NODES  (MACHINES * NODES)
#define RESOURCES  3u
#define PARTS	   2u
#define CANDIDATES 10u
#define BUDGETS	   3u

struct small {
	unsigned int nr_machines, nr_nodes, nr_resources, nr_parts, nr;
	int64_t free[RESOURCES][ALL_NODES], capacity[RESOURCES][ALL_NODES];
	struct tally_amount amounts[PARTS][RESOURCES];
	struct tally_candidate candidates[CANDIDATES];
	struct tally_demand demands[CANDIDATES][3];
	uint32_t budgets[BUDGETS];
	bool spared[CANDIDATES]; /* [row] */
	uint32_t refused;	 /* bit n: node, by the filter */
	/* For the library */
	int64_t *free_of[RESOURCES], *capacity_of[RESOURCES];
	uint32_t machines[MACHINES + 1];
	struct tally_place_part parts[PARTS];
	struct tally_place place;
	struct tally_place_request request;
	struct tally_eviction eviction;
};

struct answer {
	int rc;
	uint32_t nr, nr_over;
	struct tally_account victims[CANDIDATES];
	struct tally_fit fit;
};

struct unit {
	uint32_t members, nr; /* bit i: candidate */
	int leader;
	bool out;
	uint32_t nr_over;
};

static bool more_important(const struct tally_candidate *a,
			   const struct tally_candidate *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns;
	return a->account.row < b->account.row;
}

static bool is_on(const struct small *s, unsigned int candidate, uint32_t m)
{
	const struct tally_candidate *c = &s->candidates[candidate];

	for (unsigned int i = 0; i < c->nr_demands; i++)
		if ((uint32_t)c->demands[i].node / s->nr_nodes == m &&
		    c->demands[i].amount)
			return true;
	return false;
}

/* The units that may be evicted, with something on the machine, in order. */
static unsigned int find_units(const struct small *s, uint32_t m,
			       struct unit *units)
{
	uint32_t seen = 0;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < s->nr; i++) {
		struct unit u = {.leader = -1};
		bool may = true, here = false;

		if (seen >> i & 1)
			continue;
		for (unsigned int j = 0; j < s->nr; j++) {
			const struct tally_candidate *c = &s->candidates[j];

			if (j != i &&
			    (!c->group || c->group != s->candidates[i].group))
				continue;
			u.members |= 1u << j;
			u.nr++;
			may &= !c->kept && c->priority < s->eviction.priority &&
			       !(s->eviction.spare &&
				 s->spared[c->account.row]);
			here |= is_on(s, j, m);
			if (u.leader < 0 ||
			    more_important(c, &s->candidates[u.leader]))
				u.leader = (int)j;
		}
		seen |= u.members;
		if (may && here)
			units[nr++] = u;
	}
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int j = i + 1; j < nr; j++)
			if (more_important(&s->candidates[units[j].leader],
					   &s->candidates[units[i].leader])) {
				struct unit u = units[i];

				units[i] = units[j];
				units[j] = u;
			}
	return nr;
}

static void change(struct small *s, const struct unit *u, int sign)
{
	for (unsigned int i = 0; i < s->nr; i++)
		for (unsigned int d = 0;
		     u->members >> i & 1 && d < s->candidates[i].nr_demands;
		     d++) {
			const struct tally_demand *demand = &s->demands[i][d];

			s->free[demand->resource][demand->node] +=
				sign * demand->amount;
		}
}

static bool fits(struct small *s, uint32_t m, struct tally_fit *fit)
{
	int err = tally_place_fit(&s->place, &s->request, m, NULL, fit);

	assert_true(!err || err == -ENOSPC || err == -ERANGE);
	return !err;
}

static bool brought_back(struct small *s, uint32_t m, struct unit *u,
			 struct tally_fit *fit)
{
	change(s, u, -1);
	u->out = !fits(s, m, fit);
	if (u->out)
		change(s, u, 1);
	return !u->out;
}

struct price {
	int64_t of[5]; /* the first that differs decides: the lower is better */
};

static struct price price_of(const struct small *s, const struct unit *units,
			     unsigned int nr)
{
	struct price p = {{0, INT64_MIN, 0, 0, INT64_MIN}};

	for (unsigned int u = 0; u < nr; u++)
		for (unsigned int i = 0; i < s->nr && units[u].out; i++) {
			const struct tally_candidate *c = &s->candidates[i];

			if (!(units[u].members >> i & 1))
				continue;
			if (c->priority > p.of[1]) {
				p.of[1] = c->priority;
				p.of[4] = -c->start_ns;
			} else if (c->priority == p.of[1] &&
				   -c->start_ns > p.of[4]) {
				p.of[4] = -c->start_ns;
			}
			p.of[2] += (INT64_C(1) << 31) + c->priority;
			p.of[3]++;
		}
	for (unsigned int u = 0; u < nr; u++)
		p.of[0] += units[u].out ? units[u].nr_over : 0;
	return p;
}

static bool cheaper(const struct price *a, const struct price *b)
{
	for (int i = 0; i < 5; i++)
		if (a->of[i] != b->of[i])
			return a->of[i] < b->of[i];
	return false;
}

static void spend(const struct small *s, struct unit *units, unsigned int nr)
{
	int64_t left[BUDGETS + 1] = {0};

	for (unsigned int b = 0; b < s->eviction.nr_budgets; b++)
		left[b] = s->budgets[b];
	for (unsigned int u = 0; u < nr; u++)
		for (unsigned int i = 0; i < s->nr; i++)
			if (units[u].members >> i & 1 &&
			    s->candidates[i].budget &&
			    left[s->candidates[i].budget - 1]-- <= 0)
				units[u].nr_over++;
}

/* Whether the machine has victims, which are then out. The columns are what
 * they are without these. */
static bool victims_on(struct small *s, uint32_t m, struct unit *units,
		       unsigned int *nr)
{
	struct tally_fit fit = {.size = sizeof(fit)};

	*nr = find_units(s, m, units);
	for (unsigned int u = 0; u < *nr; u++)
		change(s, &units[u], 1);
	if (!*nr || !fits(s, m, &fit))
		return false;
	spend(s, units, *nr);
	for (int over = 1; over >= 0; over--)
		for (unsigned int u = 0; u < *nr; u++)
			if ((units[u].nr_over > 0) == over)
				(void)brought_back(s, m, &units[u], &fit);
	return true;
}

static void list(const struct small *s, const struct unit *units,
		 unsigned int nr, struct answer *a)
{
	uint32_t left = 0;

	a->nr = a->nr_over = 0;
	for (unsigned int u = 0; u < nr; u++)
		if (units[u].out) {
			left |= units[u].members;
			a->nr_over += units[u].nr_over;
		}
	while (left) {
		unsigned int best = s->nr;

		for (unsigned int i = 0; i < s->nr; i++)
			if (left >> i & 1 &&
			    (best == s->nr ||
			     more_important(&s->candidates[i],
					    &s->candidates[best])))
				best = i;
		a->victims[a->nr++] = s->candidates[best].account;
		left &= ~(1u << best);
	}
}

static struct answer reference(struct small *s, uint32_t only)
{
	struct answer a = {.fit = {.size = sizeof(a.fit)}};
	struct unit units[CANDIDATES], best[CANDIDATES];
	int64_t before[RESOURCES][ALL_NODES];
	struct price least = {{0}};
	unsigned int nr_best = 0;
	int64_t taken = -1;
	bool again = true;

	a.rc = tally_place_fit(&s->place, &s->request, only, NULL, &a.fit);
	if (a.rc != -ENOSPC)
		return a;
	memcpy(before, s->free, sizeof(before));
	for (uint32_t m = 0; m < s->nr_machines; m++) {
		struct price p;
		unsigned int nr;
		bool has = (only == TALLY_PLACE_ANY || only == m) &&
			   victims_on(s, m, units, &nr);

		memcpy(s->free, before, sizeof(before));
		if (!has)
			continue;
		p = price_of(s, units, nr);
		if (taken >= 0 && !cheaper(&p, &least))
			continue;
		taken = m;
		least = p;
		nr_best = nr;
		memcpy(best, units, sizeof(best));
	}
	if (taken < 0)
		return a;
	for (unsigned int u = 0; u < nr_best; u++)
		if (best[u].out)
			change(s, &best[u], 1);
	while (again) {
		again = false;
		for (unsigned int u = 0; u < nr_best; u++)
			if (best[u].out)
				again |= brought_back(s, (uint32_t)taken,
						      &best[u], &a.fit);
	}
	list(s, best, nr_best, &a);
	a.rc = fits(s, (uint32_t)taken, &a.fit) ? 0 : -EIO;
	memcpy(s->free, before, sizeof(before));
	return a;
}

#endif
