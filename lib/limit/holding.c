// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include <numatally/limit.h>

#include "limit/holding.h"
#include "limit/lock.h"
#include "limit/roster.h"

/* An account keeps the places of so many holdings that are empty: it often comes
 * back to a node. */
#define MOST_EMPTY 4

/* One for each demand, and one for what is drawn from a parent. */
#define PLACES_OF_A_REQUEST (UINT64_C(2) * TALLY_LIMIT_MAX_DEMANDS)

static int make_places(struct tally_ledger *l)
{
	struct layout_limits *limits = layout_limits(l->layout);
	const struct layout_plan *plan = l->layout->plan;
	uint64_t exist = limit_get(&limits->holdings_exist);
	uint64_t nr = limit_get(&limits->nr_holdings);
	uint64_t end = nr + PLACES_OF_A_REQUEST;
	int err;

	if (end > plan->holdings.count)
		end = plan->holdings.count;
	if (exist >= end)
		return 0;
	/* More than this request needs: one that follows has it then. */
	end += PLACES_OF_A_REQUEST;
	if (end > plan->holdings.count)
		end = plan->holdings.count;
	err = layout_populate(l->layout, &l->limit_tables,
			      plan->holdings.offset -
				      plan->reservations.offset +
				      exist * plan->holdings.stride,
			      (end - exist) * plan->holdings.stride);
	if (!err)
		__atomic_store_n(&limits->holdings_exist, end,
				 __ATOMIC_RELEASE);
	return err;
}

int limit_holding_room(struct tally_ledger *l, uint32_t node)
{
	int err = make_places(l);

	return err || limit_roster_has_room(l->layout, node)
		       ? err
		       : limit_roster_room(l, node,
					   limit_roster_len(l->layout, node) +
						   1);
}

/* Take a free place, or one that was never used. Return place + 1; 0: none. */
static uint64_t take_place(struct layout *l)
{
	struct layout_limits *limits = layout_limits(l);
	uint64_t nr = reserved_nr_holdings(l);
	uint64_t free = limit_get(&limits->free_holding);

	if (free && free <= nr &&
	    !limit_get(&layout_holding(l, free - 1)->row)) {
		limit_set(l, &limits->free_holding,
			  limit_get(&layout_holding(l, free - 1)->next));
		return free;
	}
	if (nr >= limit_get(&limits->holdings_exist) ||
	    nr >= l->plan->holdings.count)
		return 0;
	limit_set(l, &limits->nr_holdings, nr + 1);
	return nr + 1;
}

/* Add an empty holding at the beginning of a list. row: its word. */
static struct layout_holding *add(struct layout *l, uint64_t *first,
				  uint64_t row, uint32_t node)
{
	uint64_t place = take_place(l);
	struct layout_holding *h;

	if (!place)
		return NULL;
	h = layout_holding(l, place - 1);
	limit_set(l, &h->row, row);
	limit_set(l, &h->node, node);
	limit_set(l, &h->next, limit_get(first));
	limit_set(l, &h->entry, 0);
	for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
		limit_set(l, &h->amounts[i], 0);
	limit_set(l, first, place);
	return h;
}

struct layout_holding *limit_holding_make(struct tally_ledger *ledger,
					  uint32_t row, uint32_t node)
{
	struct layout *l = ledger->layout;
	struct layout_holding *h = reserved_holding(l, row, node);

	return h ? h
		 : add(l, &layout_reservation(l, row)->holding,
		       row + UINT64_C(1), node);
}

struct layout_holding *limit_holding_draw(struct tally_ledger *ledger,
					  uint32_t row, uint32_t node)
{
	struct layout *l = ledger->layout;
	struct layout_holding *h = reserved_drawn_on(l, row, node);

	return h ? h
		 : add(l, &layout_family(l, row)->drawn,
		       (row + UINT64_C(1)) | LAYOUT_DRAWN, node);
}

/* Free the place to which a link leads. */
static void free_place(struct layout *l, uint64_t *link)
{
	struct layout_limits *limits = layout_limits(l);
	uint64_t place = limit_get(link);
	struct layout_holding *h = layout_holding(l, place - 1);

	limit_set(l, link, limit_get(&h->next));
	limit_set(l, &h->row, 0);
	limit_set(l, &h->next, limit_get(&limits->free_holding));
	limit_set(l, &limits->free_holding, place);
}

bool limit_holding_is_empty(const struct layout *l,
			    const struct layout_holding *h)
{
	for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
		if (limit_get(&h->amounts[i]))
			return false;
	return true;
}

/* Free the place of what the row's children had on a node. */
static void finish_drawn(struct layout *l, uint32_t row, uint64_t node)
{
	struct reserved_walk walk = reserved_drawn(l, row);
	uint64_t *link = &layout_family(l, row)->drawn;
	struct layout_holding *h;

	while ((h = reserved_next(l, &walk)) && limit_get(&h->node) != node)
		link = &h->next;
	if (h && limit_holding_is_empty(l, h))
		free_place(l, link);
}

uint32_t limit_holding_finish(struct tally_ledger *ledger, uint32_t row)
{
	struct layout *l = ledger->layout;
	struct reserved_walk walk = reserved_holdings(l, row);
	uint64_t *link = &layout_reservation(l, row)->holding;
	uint32_t parent = reserved_parent(l, row), nr = 0, nr_empty = 0;
	struct layout_holding *h;

	while ((h = reserved_next(l, &walk))) {
		if (!limit_holding_is_empty(l, h)) {
			if (!limit_get(&h->entry))
				limit_roster_add(l, h);
			nr++;
		} else {
			if (limit_get(&h->entry))
				limit_roster_remove(l, h);
			if (parent)
				finish_drawn(l, parent - 1,
					     limit_get(&h->node));
			if (nr_empty++ >= MOST_EMPTY) {
				free_place(l, link);
				continue;
			}
		}
		link = &h->next;
	}
	return nr;
}
