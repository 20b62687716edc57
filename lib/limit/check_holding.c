// SPDX-License-Identifier: MIT
/* Checking where holdings are: each on its row's list, or free. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "limit/check.h"

/* Whether a list may go on there: of holdings with this word, or of free places
 * (0). */
static bool may_reach(const struct limit_check *c, uint64_t place, uint64_t row)
{
	const struct layout_holding *h;

	if (place > c->nr_holdings || c->reached[place - 1])
		return false;
	h = layout_holding(c->layout, place - 1);
	return limit_get(&h->row) == row &&
	       (!row || limit_get(&h->node) < c->nr_nodes);
}

/* Walk through a list, and cut it where it is broken. Return whether it was. */
static bool walk(struct limit_check *c, const uint64_t *link, uint64_t row)
{
	uint64_t place;

	while ((place = limit_get(link))) {
		if (!may_reach(c, place, row)) {
			check_put(c, link, 0);
			return true;
		}
		c->reached[place - 1] = 1;
		link = &layout_holding(c->layout, place - 1)->next;
	}
	return false;
}

static void walk_row(struct limit_check *c, uint32_t row)
{
	const struct layout_family *f = reserved_family(c->layout, row);

	if (walk(c, &layout_reservation(c->layout, row)->holding,
		 row + UINT64_C(1)))
		check_tell(c,
			   "row %" PRIu32
			   ": the list of its holdings has a broken link",
			   row);
	if (f && walk(c, &f->drawn, (row + UINT64_C(1)) | LAYOUT_DRAWN))
		check_tell(
			c,
			"row %" PRIu32
			": the list of what its children have has a broken link",
			row);
}

static void walk_rows(struct limit_check *c)
{
	uint32_t end = c->layout->header.params.max_accounts;

	for (uint32_t row = 0; row < end; row++)
		if (check_exists(c, row))
			walk_row(c, row);
		else
			row |= LAYOUT_BUCKET_ROWS - 1;
}

static void push(struct limit_check *c, const uint64_t *first, uint64_t place)
{
	c->reached[place - 1] = c->repaired != NULL;
	check_put(c, &layout_holding(c->layout, place - 1)->next,
		  limit_get(first));
	check_put(c, first, place);
}

/* A place that no list reached. */
static void find_list(struct limit_check *c, uint64_t place)
{
	const struct layout_holding *h = layout_holding(c->layout, place - 1);
	uint64_t row = limit_get(&h->row);

	/* What children have is found out anew. */
	if (!row || row & LAYOUT_DRAWN) {
		check_tell(c, "holding %" PRIu64 ": not in the list of %s",
			   place - 1, row ? "its row" : "free ones");
		check_put(c, &h->row, 0);
		push(c, &layout_limits(c->layout)->free_holding, place);
		return;
	}
	check_tell(c, "holding %" PRIu64 ": not in the list of row %" PRIu64,
		   place - 1, row - 1);
	if (row <= c->layout->header.params.max_accounts &&
	    check_exists(c, (uint32_t)row - 1) &&
	    limit_get(&h->node) < c->nr_nodes)
		push(c,
		     &layout_reservation(c->layout, (uint32_t)row - 1)->holding,
		     place);
}

void check_holdings(struct limit_check *c)
{
	c->nr_holdings = reserved_nr_holdings(c->layout);
	free(c->reached);
	c->reached = calloc(c->nr_holdings + 1, 1);
	if (!c->reached) {
		c->err = -ENOMEM;
		return;
	}
	walk_rows(c);
	if (walk(c, &layout_limits(c->layout)->free_holding, 0))
		check_tell(c, "the list of free holdings has a broken link");
	for (uint64_t place = 1; place <= c->nr_holdings; place++)
		if (!c->reached[place - 1])
			find_list(c, place);
}
