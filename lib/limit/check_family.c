// SPDX-License-Identifier: MIT
/* Checking which reservations are drawn from which: each from one that is there
 * and on its list, and all together no more than it has. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "limit/check.h"
#include "limit/family.h"
#include "limit/holding.h"

#define PREVIOUS_SHIFT 32

static bool is_there(const struct limit_check *c, uint32_t row)
{
	return limit_get(&layout_reservation(c->layout, row)->state) !=
	       LAYOUT_RESERVATION_NONE;
}

/* The next row from *row on that has a family. */
static const struct layout_family *next(const struct limit_check *c,
					uint64_t *row)
{
	for (; *row < c->layout->header.params.max_accounts; ++*row) {
		if (!check_exists(c, (uint32_t)*row) ||
		    !reserved_family(c->layout, (uint32_t)*row)) {
			*row |= LAYOUT_BUCKET_ROWS - 1;
			continue;
		}
		return layout_family(c->layout, (uint32_t)(*row)++);
	}
	return NULL;
}

/* ---- parents and lists ---------------------------------------------------- */

/* Return how many are drawn from another. */
static uint64_t check_parents(struct limit_check *c)
{
	const struct layout_family *f;
	uint64_t at = 0, nr = 0;

	while ((f = next(c, &at))) {
		uint32_t row = (uint32_t)at - 1;
		uint32_t parent = reserved_parent(c->layout, row);

		if (!limit_get(&f->parent))
			continue;
		if (parent && is_there(c, row) && is_there(c, parent - 1) &&
		    limit_family_height(c->layout, row) <= LIMIT_MAX_PARENTS) {
			nr++;
			continue;
		}
		check_tell(c,
			   "row %" PRIu32
			   ": drawn from a reservation that is not there",
			   row);
		check_put(c, &f->parent, 0);
	}
	return nr;
}

/* Return how many children the list has, up to one too many, or UINT64_MAX. */
static uint64_t check_list(const struct limit_check *c, uint32_t row,
			   uint64_t most)
{
	uint64_t at = limit_get(&layout_family(c->layout, row)->children);
	uint64_t nr = 0, previous = 0;

	for (; at && nr <= most; nr++) {
		const struct layout_family *f;

		if (!reserved_link(c->layout, at))
			return UINT64_MAX;
		f = layout_family(c->layout, (uint32_t)at - 1);
		if (limit_get(&f->parent) != row + UINT64_C(1) ||
		    limit_get(&f->siblings) >> PREVIOUS_SHIFT != previous)
			return UINT64_MAX;
		previous = at;
		at = (uint32_t)limit_get(&f->siblings);
	}
	return nr;
}

static void make_lists(struct limit_check *c)
{
	const struct layout_family *f;
	uint64_t at = 0;

	while ((f = next(c, &at))) {
		check_put(c, &f->children, 0);
		check_put(c, &f->siblings, 0);
	}
	at = 0;
	while (next(c, &at)) {
		uint32_t row = (uint32_t)at - 1;
		uint32_t parent = reserved_parent(c->layout, row);

		if (!parent)
			continue;
		limit_family_join(c->repaired->layout, row, parent - 1);
		limit_keep(c->repaired->layout);
	}
}

static void check_lists(struct limit_check *c, uint64_t most)
{
	uint64_t at = 0, nr = 0;
	bool wrong = false;

	while (next(c, &at)) {
		uint64_t found = check_list(c, (uint32_t)at - 1, most);

		if (found == UINT64_MAX) {
			wrong = true;
			check_tell(
				c,
				"row %" PRIu64
				": the list of its children has a broken link",
				at - 1);
		} else {
			nr += found;
		}
	}
	if (!wrong && nr == most)
		return;
	if (!wrong)
		check_tell(c, "the lists of children have too %s",
			   nr < most ? "few" : "many");
	if (c->repaired)
		make_lists(c);
}

/* ---- amounts -------------------------------------------------------------- */

static uint64_t place_of(const struct limit_check *c,
			 const struct layout_holding *h)
{
	return ((uint64_t)((const char *)h - c->layout->origin) -
		c->layout->plan->holdings.offset) /
	       c->layout->plan->holdings.stride;
}

/* Make what the parent lacks for what a child has on a node. */
static void make_drawn(struct limit_check *c, uint32_t parent, uint32_t node)
{
	check_tell(c,
		   "row %" PRIu32
		   ": node %s: lacks what its children have there",
		   parent, check_node(c, node));
	if (!c->repaired)
		return;
	c->err = limit_holding_room(c->repaired, node);
	if (!c->err && !limit_holding_draw(c->repaired, parent, node))
		c->err = -ENOSPC;
	limit_keep(c->repaired->layout);
}

/* Call each for what each child has on a node. */
static void each_held(struct limit_check *c,
		      void (*each)(struct limit_check *c, uint32_t parent,
				   const struct layout_holding *h))
{
	uint64_t at = 0;

	while (!c->err && next(c, &at)) {
		uint32_t parent = reserved_parent(c->layout, (uint32_t)at - 1);
		struct reserved_walk walk =
			reserved_holdings(c->layout, (uint32_t)at - 1);
		const struct layout_holding *h;

		while (parent && !c->err &&
		       (h = reserved_next(c->layout, &walk)))
			if (!limit_holding_is_empty(c->layout, h))
				each(c, parent - 1, h);
	}
}

static void find_drawn(struct limit_check *c, uint32_t parent,
		       const struct layout_holding *h)
{
	uint32_t node = reserved_node(c->layout, h);

	if (!reserved_drawn_on(c->layout, parent, node))
		make_drawn(c, parent, node);
}

static void add_drawn(struct limit_check *c, uint32_t parent,
		      const struct layout_holding *h)
{
	const struct layout_holding *drawn = reserved_drawn_on(
		c->layout, parent, reserved_node(c->layout, h));

	if (!drawn || place_of(c, drawn) >= c->nr_drawn)
		return;
	for (uint32_t i = 0; i < c->nr_resources; i++)
		check_add(
			&c->of_drawn[place_of(c, drawn) * c->nr_resources + i],
			check_amount(&h->amounts[i]));
}

static void compare(struct limit_check *c, uint32_t row,
		    const struct layout_holding *drawn, uint32_t resource)
{
	uint32_t node = reserved_node(c->layout, drawn);
	const struct layout_holding *has =
		reserved_holding(c->layout, row, node);
	int64_t sum =
		c->of_drawn[place_of(c, drawn) * c->nr_resources + resource];
	const char *name = check_name(c, resource);

	if (check_amount(&drawn->amounts[resource]) != sum) {
		check_tell(c,
			   "row %" PRIu32 ": node %s: %s: it counts %" PRId64
			   ", but its children have %" PRId64,
			   row, check_node(c, node), name,
			   check_amount(&drawn->amounts[resource]), sum);
		check_put(c, &drawn->amounts[resource], (uint64_t)sum);
	}
	if (sum > (has ? check_amount(&has->amounts[resource]) : 0))
		check_tell(c,
			   "row %" PRIu32
			   ": node %s: %s: its children have more than it",
			   row, check_node(c, node), name);
}

static void compare_all(struct limit_check *c)
{
	uint64_t at = 0;

	while (next(c, &at)) {
		struct reserved_walk walk =
			reserved_drawn(c->layout, (uint32_t)at - 1);
		const struct layout_holding *drawn;

		while ((drawn = reserved_next(c->layout, &walk)) &&
		       place_of(c, drawn) < c->nr_drawn)
			for (uint32_t i = 0; i < c->nr_resources; i++)
				compare(c, (uint32_t)at - 1, drawn, i);
	}
}

void check_families(struct limit_check *c)
{
	uint64_t at = 0, nr;

	if (!next(c, &at))
		return;
	nr = check_parents(c);
	check_lists(c, nr);
	each_held(c, find_drawn);
	if (c->err)
		return;
	free(c->of_drawn);
	c->nr_drawn = reserved_nr_holdings(c->layout);
	c->of_drawn =
		calloc(c->nr_drawn * c->nr_resources + 1, sizeof(*c->of_drawn));
	if (!c->of_drawn) {
		c->err = -ENOMEM;
		return;
	}
	each_held(c, add_drawn);
	compare_all(c);
}
