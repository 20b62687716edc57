// SPDX-License-Identifier: MIT
/* Candidates come and leave. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/sized.h"
#include "base/sort.h"
#include "place/candidates.h"
#include "place/internal.h"

void tally_place_candidates_destroy(struct tally_candidates *c)
{
	if (!c)
		return;
	for (unsigned int i = 0; i < c->nr; i++)
		free(c->of[i].amounts);
	for (uint32_t m = 0; c->homes && m < place_nr_machines(&c->place);
	     m++) {
		free(c->homes[m].entries);
		free(c->homes[m].amounts);
	}
	free(c->machine);
	free((void *)c->held);
	free(c->cells);
	free(c->homes);
	free(c->of);
	free(c->units);
	place_map_clear(&c->accounts);
	place_map_clear(&c->groups);
	free(c);
}

static int allocate(struct tally_candidates *c)
{
	const struct tally_place *place = &c->place;
	size_t nodes = place->nr_nodes, resources = place->nr_resources;

	/* One more of each, so that none has no bytes. */
	c->machine = calloc(nodes + 1, sizeof(*c->machine));
	c->held = (int64_t **)calloc(resources + 1, sizeof(*c->held));
	c->cells = calloc(nodes * resources + 1, sizeof(*c->cells));
	c->homes =
		calloc((size_t)place_nr_machines(place) + 1, sizeof(*c->homes));
	if (!c->machine || !c->held || !c->cells || !c->homes)
		return -ENOMEM;
	for (size_t r = 0; r < resources; r++)
		c->held[r] = c->cells + r * nodes;
	for (uint32_t m = 0; m < place_nr_machines(place); m++)
		for (uint32_t n = place_first(place, m);
		     n < place_first(place, m + 1); n++)
			c->machine[n] = m;
	return 0;
}

int tally_place_candidates_create(const struct tally_place *place,
				  struct tally_candidates **candidates)
{
	struct tally_candidates *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->hole = c->unit_hole = PLACE_NONE;
	err = sized_get(&c->place, sizeof(c->place),
			sized_upto(struct tally_place, distances), place);
	if (!err && !c->place.capacity)
		err = -EINVAL;
	if (!err)
		err = allocate(c);
	if (err)
		tally_place_candidates_destroy(c);
	else
		*candidates = c;
	return err;
}

/* ---- what candidates have ------------------------------------------------ */

static int by_node(const void *a, const void *b)
{
	const struct place_amount *x = a, *y = b;

	return x->node < y->node ? -1 : x->node > y->node;
}

static int copy_amounts(const struct tally_candidates *c,
			const struct tally_candidate *add,
			struct place_candidate *its)
{
	const struct tally_place *place = &c->place;

	its->amounts =
		calloc((size_t)add->nr_demands + 1, sizeof(*its->amounts));
	if (!its->amounts)
		return -ENOMEM;
	for (unsigned int i = 0; i < add->nr_demands; i++) {
		const struct tally_demand *d = &add->demands[i];
		int64_t node = place_index(place, d->node);

		if (node < 0)
			return -ENOENT;
		if (d->resource >= place->nr_resources ||
		    !place->free[d->resource] || d->amount < 0)
			return -EINVAL;
		if (d->amount)
			its->amounts[its->nr++] = (struct place_amount){
				(uint32_t)node, d->resource, d->amount};
	}
	sort_in_place(its->amounts, its->nr, sizeof(*its->amounts), by_node);
	return 0;
}

static void give_back(struct tally_candidates *c,
		      const struct place_candidate *its, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct place_amount *a = &its->amounts[i];

		c->held[a->resource][a->node] -= a->amount;
	}
}

static int hold(struct tally_candidates *c, const struct place_candidate *its)
{
	for (unsigned int i = 0; i < its->nr; i++) {
		const struct place_amount *a = &its->amounts[i];
		int64_t *held = &c->held[a->resource][a->node];

		if (*held > INT64_MAX - a->amount) {
			give_back(c, its, i);
			return -EOVERFLOW;
		}
		*held += a->amount;
	}
	return 0;
}

/* ---- units --------------------------------------------------------------- */

static void enter_all(struct tally_candidates *c, uint32_t unit)
{
	for (uint32_t i = c->units[unit].first; i != PLACE_NONE;
	     i = c->of[i].next)
		place_homes_enter(c, i);
}

static void leave_all(struct tally_candidates *c, uint32_t unit)
{
	for (uint32_t i = c->units[unit].first; i != PLACE_NONE;
	     i = c->of[i].next)
		place_homes_leave(c, i);
}

/* What the unit is by its members, of which it has one at least. */
static struct place_unit seen(const struct tally_candidates *c, uint32_t unit)
{
	struct place_unit u = c->units[unit];

	u.rank = c->of[u.first].rank;
	u.kept = u.budgeted = false;
	for (uint32_t i = u.first; i != PLACE_NONE; i = c->of[i].next) {
		const struct place_candidate *its = &c->of[i];

		if (place_rank_order(&its->rank, &u.rank) < 0)
			u.rank = its->rank;
		u.kept |= its->kept;
		u.budgeted |= its->budget != 0;
	}
	return u;
}

static bool differ(const struct place_unit *a, const struct place_unit *b)
{
	return place_rank_order(&a->rank, &b->rank) || a->kept != b->kept ||
	       a->budgeted != b->budgeted;
}

/* The candidate, which is in no unit yet, joins one. */
static void join(struct tally_candidates *c, uint32_t unit, uint32_t candidate)
{
	struct place_unit *u = &c->units[unit], now;

	c->of[candidate].unit = unit;
	c->of[candidate].next = u->first;
	u->first = candidate;
	now = seen(c, unit);
	if (differ(u, &now)) {
		u->first = c->of[candidate].next;
		leave_all(c, unit);
		*u = now;
		enter_all(c, unit);
	} else {
		place_homes_enter(c, candidate);
	}
}

static uint32_t new_unit(struct tally_candidates *c,
			 const struct tally_candidate *add)
{
	uint32_t unit = c->unit_hole;

	if (unit == PLACE_NONE)
		unit = c->nr_units++;
	else
		c->unit_hole = c->units[unit].first;
	c->units[unit] =
		(struct place_unit){.first = PLACE_NONE, .group = add->group};
	if (add->group)
		place_map_put(&c->groups, add->group, unit);
	return unit;
}

static void part(struct tally_candidates *c, uint32_t candidate)
{
	uint32_t unit = c->of[candidate].unit;
	struct place_unit *u = &c->units[unit], now;
	uint32_t *link = &u->first;

	place_homes_leave(c, candidate);
	while (*link != candidate)
		link = &c->of[*link].next;
	*link = c->of[candidate].next;
	if (u->first == PLACE_NONE) {
		if (u->group)
			place_map_remove(&c->groups, u->group);
		u->first = c->unit_hole;
		c->unit_hole = unit;
		return;
	}
	now = seen(c, unit);
	if (differ(u, &now)) {
		leave_all(c, unit);
		*u = now;
		enter_all(c, unit);
	}
}

/* ---- candidates ---------------------------------------------------------- */

static void remove_one(struct tally_candidates *c, uint32_t candidate)
{
	struct place_candidate *its = &c->of[candidate];

	part(c, candidate);
	give_back(c, its, its->nr);
	place_map_remove(&c->accounts, place_key(its->rank.account));
	free(its->amounts);
	*its = (struct place_candidate){.next = c->hole};
	c->hole = candidate;
}

static int reserve(struct tally_candidates *c,
		   const struct place_candidate *its)
{
	int err = array_reserve(c->of, c->cap, c->nr + 1);

	if (!err)
		err = array_reserve(c->units, c->cap_units, c->nr_units + 1);
	if (!err)
		err = place_map_reserve(&c->accounts);
	if (!err)
		err = place_map_reserve(&c->groups);
	return err ? err : place_homes_reserve(c, its);
}

static int add_one(struct tally_candidates *c,
		   const struct tally_candidate *add)
{
	struct place_candidate its = {
		.rank = {add->start_ns, add->priority, add->account},
		.budget = add->budget,
		.kept = add->kept,
	};
	uint32_t at = c->hole, unit;
	int err;

	if (place_map_get(&c->accounts, place_key(add->account)) != PLACE_NONE)
		return -EEXIST;
	err = copy_amounts(c, add, &its);
	if (!err)
		err = reserve(c, &its);
	if (!err)
		err = hold(c, &its);
	if (err) {
		free(its.amounts);
		return err;
	}
	if (at == PLACE_NONE)
		at = c->nr++;
	else
		c->hole = c->of[at].next;
	c->of[at] = its;
	place_map_put(&c->accounts, place_key(add->account), at);
	unit = add->group ? place_map_get(&c->groups, add->group) : PLACE_NONE;
	if (unit == PLACE_NONE)
		unit = new_unit(c, add);
	join(c, unit, at);
	return 0;
}

struct added {
	const struct tally_candidate *candidate;
};

static int by_importance(const void *a, const void *b)
{
	const struct tally_candidate *x = ((const struct added *)a)->candidate;
	const struct tally_candidate *y = ((const struct added *)b)->candidate;
	const struct place_rank i = {x->start_ns, x->priority, x->account};
	const struct place_rank j = {y->start_ns, y->priority, y->account};

	return place_rank_order(&i, &j);
}

int tally_place_candidates_add(struct tally_candidates *c,
			       const struct tally_candidate *add,
			       unsigned int nr)
{
	struct added *order = calloc((size_t)nr + 1, sizeof(*order));
	unsigned int done = 0;
	int err = 0;

	if (!order)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++)
		order[i].candidate = &add[i];
	/* So each is put behind those that are there, and a group's first member
	 * is its most important one. */
	qsort(order, nr, sizeof(*order), by_importance);
	while (!err && done < nr) {
		err = add_one(c, order[done].candidate);
		done += !err;
	}
	while (err && done)
		tally_place_candidates_remove(
			c, &order[--done].candidate->account, 1);
	free(order);
	return err;
}

/* From the last on: victims that are removed come as they are listed, and so a
 * group's first member leaves last. */
void tally_place_candidates_remove(struct tally_candidates *c,
				   const struct tally_account *accounts,
				   unsigned int nr)
{
	while (nr--) {
		uint32_t at =
			place_map_get(&c->accounts, place_key(accounts[nr]));

		if (at != PLACE_NONE)
			remove_one(c, at);
	}
}
