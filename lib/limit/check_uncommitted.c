// SPDX-License-Identifier: MIT
/* Checking which reservations are uncommitted: the list of each writer, and the
 * heap of leases. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "file/writer.h"
#include "limit/check.h"
#include "limit/lease.h"
#include "limit/reservation.h"
#include "limit/uncommitted.h"

#define PREVIOUS_SHIFT 32

static bool is_reserved(const struct layout_reservation *reservation)
{
	return limit_get(&reservation->state) == LAYOUT_RESERVATION_RESERVED;
}

static bool has_lease(const struct layout_reservation *reservation)
{
	return is_reserved(reservation) &&
	       check_amount(&reservation->deadline_ns) != INT64_MAX;
}

void check_uncommitted_row(struct limit_check *c, uint32_t row,
			   const struct layout_reservation *reservation)
{
	c->nr_reserved += is_reserved(reservation);
	c->nr_leased += has_lease(reservation);
	if (has_lease(reservation) == (limit_get(&reservation->lease) != 0))
		return;
	c->unsorted = true;
	check_tell(c, "row %" PRIu32 ": wrongly %s the leases", row,
		   has_lease(reservation) ? "not among" : "among");
}

/* Return how many a list has, up to one too many. */
static uint64_t check_list(struct limit_check *c, uint32_t slot)
{
	uint64_t at = limit_get(&layout_uncommitted(c->layout, slot)->first);
	uint64_t nr = 0, previous = 0, owner = 0;

	for (; at && nr <= c->nr_reserved; nr++) {
		const struct layout_reservation *reservation;

		if (at > c->layout->header.params.max_accounts ||
		    !check_exists(c, (uint32_t)at - 1)) {
			check_tell(
				c,
				"the list of uncommitted reservations has a broken link");
			c->unsorted = true;
			return nr;
		}
		reservation = layout_reservation(c->layout, (uint32_t)at - 1);
		if (!nr)
			owner = limit_get(&reservation->owner);
		if (!is_reserved(reservation) ||
		    limit_get(&reservation->owner) != owner ||
		    limit_uncommitted_slot(owner) != slot ||
		    limit_get(&reservation->links) >> PREVIOUS_SHIFT !=
			    previous) {
			c->unsorted = true;
			check_tell(
				c,
				"row %" PRIu64
				": wrongly in the list of uncommitted reservations",
				at - 1);
		}
		previous = at;
		at = (uint32_t)limit_get(&reservation->links);
	}
	return nr;
}

static void check_lists(struct limit_check *c)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		nr += check_list(c, i);
	if (nr == c->nr_reserved)
		return;
	c->unsorted = true;
	check_tell(c, "the list of uncommitted reservations has too %s",
		   nr < c->nr_reserved ? "few" : "many");
}

static bool is_lease(const struct limit_check *c, uint64_t place, uint64_t word)
{
	uint32_t row = limit_lease_row(word);
	const struct layout_reservation *reservation;

	if (row >= c->layout->header.params.max_accounts ||
	    !check_exists(c, row))
		return false;
	reservation = layout_reservation(c->layout, row);
	return has_lease(reservation) &&
	       limit_get(&reservation->lease) == place + 1 &&
	       word == limit_lease_word(
			       row, check_amount(&reservation->deadline_ns));
}

static void check_leases(struct limit_check *c)
{
	const struct layout_limits *limits = layout_limits(c->layout);
	uint64_t nr = limit_get(&limits->nr_leases);
	uint64_t words = nr ? LAYOUT_LEASE_SKIP + nr : 0;

	if (nr != c->nr_leased || words > limit_get(&limits->leases_exist) ||
	    words > c->layout->plan->leases.count) {
		c->unsorted = true;
		check_tell(c,
			   "%" PRIu64 " leases are counted, but there are "
			   "%" PRIu64,
			   nr, c->nr_leased);
		return;
	}
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t word = limit_get(layout_lease(c->layout, i));
		uint64_t above = i ? (i - 1) / LAYOUT_LEASE_WIDTH : 0;

		if (is_lease(c, i, word) &&
		    limit_get(layout_lease(c->layout, above)) <= word)
			continue;
		c->unsorted = true;
		check_tell(c,
			   "lease %" PRIu64 ": of no reservation, or in the "
			   "wrong place",
			   i);
	}
}

/*
 * ---- making them anew ------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
	uint64_t wa = *(const uint64_t *)a, wb = *(const uint64_t *)b;

	return (wa > wb) - (wa < wb);
}

static bool is_of_writer(const struct layout *l, uint32_t row)
{
	uint64_t owner = limit_get(&layout_reservation(l, row)->owner);

	return owner && writer_in(l, limit_uncommitted_slot(owner)) == owner;
}

static void put_first(struct limit_check *c, uint32_t row)
{
	const struct layout_reservation *reservation =
		layout_reservation(c->layout, row);
	const struct layout_uncommitted *list = layout_uncommitted(
		c->layout,
		limit_uncommitted_slot(limit_get(&reservation->owner)));
	uint64_t first = limit_get(&list->first);

	check_put(c, &reservation->links, first);
	if (first) {
		const uint64_t *links =
			&layout_reservation(c->layout, (uint32_t)first - 1)
				 ->links;

		check_put(c, links,
			  (row + UINT64_C(1)) << PREVIOUS_SHIFT |
				  (uint32_t)limit_get(links));
	}
	check_put(c, &list->first, row + UINT64_C(1));
}

/* Those of a process that is dead, since another has its slot, end. */
static void list_or_end(struct limit_check *c, uint32_t row)
{
	if (is_of_writer(c->layout, row)) {
		put_first(c, row);
		return;
	}
	if (limit_reservation_end(c->repaired, row))
		limit_undo(c->repaired->layout);
	else
		limit_keep(c->repaired->layout);
}

/* Call each for every row that is uncommitted, ascending. */
static void each_reserved(struct limit_check *c,
			  void (*each)(struct limit_check *c, uint32_t row))
{
	uint32_t end = c->layout->header.params.max_accounts;

	for (uint32_t row = 0; row < end; row++) {
		if (!check_exists(c, row))
			row |= LAYOUT_BUCKET_ROWS - 1;
		else if (is_reserved(layout_reservation(c->layout, row)))
			each(c, row);
	}
}

static void forget_links(struct limit_check *c, uint32_t row)
{
	check_put(c, &layout_reservation(c->layout, row)->links, 0);
}

static void make_lists(struct limit_check *c)
{
	each_reserved(c, forget_links);
	for (uint32_t i = 0; i < LAYOUT_NR_WRITERS; i++)
		check_put(c, &layout_uncommitted(c->layout, i)->first, 0);
	each_reserved(c, list_or_end);
}

static void collect(struct limit_check *c, uint32_t row)
{
	const struct layout_reservation *reservation =
		layout_reservation(c->layout, row);

	if (has_lease(reservation) && c->nr_leases < c->nr_leased)
		c->leases[c->nr_leases++] = limit_lease_word(
			row, check_amount(&reservation->deadline_ns));
}

static void forget_place(struct limit_check *c, uint32_t row)
{
	check_put(c, &layout_reservation(c->layout, row)->lease, 0);
}

/* Words in order are a heap. */
static void make_leases(struct limit_check *c)
{
	const struct layout_limits *limits = layout_limits(c->layout);

	c->nr_leases = 0;
	c->leases = calloc(c->nr_leased + 1, sizeof(*c->leases));
	c->err = c->leases ? limit_lease_touch(c->repaired, c->nr_leased)
			   : -ENOMEM;
	if (c->err)
		return;
	check_put(c, &limits->nr_leases, 0);
	each_reserved(c, forget_place);
	each_reserved(c, collect);
	qsort(c->leases, c->nr_leases, sizeof(*c->leases), compare);
	for (uint64_t i = 0; i < c->nr_leases; i++) {
		uint32_t row = limit_lease_row(c->leases[i]);

		check_put(c, layout_lease(c->layout, i), c->leases[i]);
		check_put(c, &layout_reservation(c->layout, row)->lease, i + 1);
	}
	check_put(c, &limits->nr_leases, c->nr_leases);
}

void check_uncommitted(struct limit_check *c)
{
	check_lists(c);
	check_leases(c);
	if (!c->unsorted || !c->repaired)
		return;
	make_leases(c);
	free(c->leases);
	c->leases = NULL;
	if (!c->err)
		make_lists(c);
}
