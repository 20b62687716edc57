// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "limit/lease.h"
#include "limit/lock.h"
#include "limit/uncommitted.h"

#define PREVIOUS_SHIFT 32

/* A broken link ends the list. */
static uint32_t sound(const struct layout *l, uint64_t link)
{
	return link <= l->header.params.max_accounts ? (uint32_t)link : 0;
}

static uint32_t next_of(const struct layout *l, uint64_t links)
{
	return sound(l, (uint32_t)links);
}

static uint32_t previous_of(const struct layout *l, uint64_t links)
{
	return sound(l, links >> PREVIOUS_SHIFT);
}

static uint64_t *links_at(const struct layout *l, uint32_t link)
{
	return &layout_reservation(l, link - 1)->links;
}

static void set_next(struct layout *l, uint32_t link, uint32_t next)
{
	uint64_t *links = links_at(l, link);

	limit_set(l, links,
		  limit_get(links) >> PREVIOUS_SHIFT << PREVIOUS_SHIFT | next);
}

static void set_previous(struct layout *l, uint32_t link, uint32_t previous)
{
	uint64_t *links = links_at(l, link);

	limit_set(l, links,
		  (uint64_t)previous << PREVIOUS_SHIFT |
			  (uint32_t)limit_get(links));
}

/* The beginning of the list that the row is to be in. */
static uint64_t *first_of(const struct layout *l, uint32_t row)
{
	uint32_t slot = limit_uncommitted_slot(
		limit_get(&layout_reservation(l, row)->owner));

	return slot < LAYOUT_NR_WRITERS ? &layout_uncommitted(l, slot)->first
					: NULL;
}

static bool has_lease(const struct layout *l, uint32_t row)
{
	return (int64_t)limit_get(&layout_reservation(l, row)->deadline_ns) !=
	       INT64_MAX;
}

int limit_uncommitted_touch(struct tally_ledger *l)
{
	return limit_lease_touch(
		l, limit_get(&layout_limits(l->layout)->nr_leases) + 1);
}

void limit_uncommitted_add(struct layout *l, uint32_t row)
{
	uint64_t *head = first_of(l, row);
	uint32_t first = head ? sound(l, limit_get(head)) : 0;

	limit_set(l, links_at(l, row + 1), first);
	if (first)
		set_previous(l, first, row + 1);
	if (head)
		limit_set(l, head, row + 1);
	limit_uncommitted_renew(l, row);
}

void limit_uncommitted_renew(struct layout *l, uint32_t row)
{
	if (has_lease(l, row))
		limit_lease_put(l, row);
	else
		limit_lease_remove(l, row);
}

void limit_uncommitted_remove(struct layout *l, uint32_t row)
{
	uint64_t links = limit_get(links_at(l, row + 1));
	uint32_t next = next_of(l, links), previous = previous_of(l, links);
	uint64_t *head = first_of(l, row);

	if (next)
		set_previous(l, next, previous);
	if (previous)
		set_next(l, previous, next);
	else if (head && limit_get(head) == row + 1)
		limit_set(l, head, next);
	limit_lease_remove(l, row);
}

int limit_uncommitted_of(const struct layout *l, uint32_t slot, uint32_t *row)
{
	uint64_t first = limit_get(&layout_uncommitted(l, slot)->first);
	const struct layout_reservation *reservation;

	if (!first)
		return -ENOENT;
	if (!sound(l, first) ||
	    !__atomic_load_n(layout_populated(l, (uint32_t)first - 1),
			     __ATOMIC_ACQUIRE))
		return -EBADMSG;
	*row = (uint32_t)first - 1;
	reservation = layout_reservation(l, *row);
	return limit_get(&reservation->state) == LAYOUT_RESERVATION_RESERVED &&
			       limit_uncommitted_slot(
				       limit_get(&reservation->owner)) == slot
		       ? 0
		       : -EBADMSG;
}

bool limit_uncommitted_any(const struct layout *l)
{
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		if (limit_get(&layout_uncommitted(l, i)->first))
			return true;
	return false;
}
