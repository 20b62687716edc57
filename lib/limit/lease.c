// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "limit/lease.h"
#include "limit/lock.h"
#include "base/clock.h"

#define CHUNK	512u /* words that are allocated at once */
#define MAX_KEY (UINT64_MAX >> LAYOUT_LEASE_SHIFT)

uint64_t limit_lease_word(uint32_t row, int64_t deadline_ns)
{
	uint64_t key = (uint64_t)(deadline_ns / SHARED_STEP_NS) +
		       (deadline_ns % SHARED_STEP_NS > 0);

	/* The latest one is 87 years after the boot. */
	if (key > MAX_KEY)
		key = MAX_KEY;
	return key << LAYOUT_LEASE_SHIFT | row;
}

uint32_t limit_lease_row(uint64_t word)
{
	return (uint32_t)word & ((1u << LAYOUT_LEASE_SHIFT) - 1);
}

static uint64_t parent_of(uint64_t place)
{
	return (place - 1) / LAYOUT_LEASE_WIDTH;
}

static uint64_t exist(const struct layout *l)
{
	return __atomic_load_n(&layout_limits(l)->leases_exist,
			       __ATOMIC_RELAXED);
}

/* Leases whose words can be read. */
static uint64_t nr_sound(const struct layout *l)
{
	uint64_t nr = limit_get(&layout_limits(l)->nr_leases);
	uint64_t most =
		exist(l) > LAYOUT_LEASE_SKIP ? exist(l) - LAYOUT_LEASE_SKIP : 0;

	if (most > l->header.params.max_accounts)
		most = l->header.params.max_accounts;
	return nr < most ? nr : most;
}

int limit_lease_touch(struct tally_ledger *l, uint64_t nr)
{
	const struct layout *layout = l->layout;
	const struct layout_plan *plan = layout->plan;
	uint64_t from = exist(layout), to = from;
	int err;

	if (nr > layout->header.params.max_accounts)
		nr = layout->header.params.max_accounts;
	if (LAYOUT_LEASE_SKIP + nr <= from)
		return 0;
	while (to < LAYOUT_LEASE_SKIP + nr)
		to += CHUNK;
	if (to > plan->leases.count)
		to = plan->leases.count;
	err = layout_populate(layout, &l->limit_tables,
			      plan->leases.offset - plan->reservations.offset +
				      from * plan->leases.stride,
			      (to - from) * plan->leases.stride);
	if (!err)
		__atomic_store_n(&layout_limits(layout)->leases_exist, to,
				 __ATOMIC_RELAXED);
	return err;
}

static bool has_row(const struct layout *l, uint32_t row)
{
	return row < l->header.params.max_accounts &&
	       __atomic_load_n(layout_populated(l, row), __ATOMIC_ACQUIRE);
}

static void place(struct layout *l, uint64_t at, uint64_t word)
{
	uint32_t row = limit_lease_row(word);

	limit_set(l, layout_lease(l, at), word);
	if (has_row(l, row))
		limit_set(l, &layout_reservation(l, row)->lease, at + 1);
}

/* Place the word where the place at is free, or above it. */
static void rise(struct layout *l, uint64_t at, uint64_t word)
{
	while (at) {
		uint64_t above = limit_get(layout_lease(l, parent_of(at)));

		if (above <= word)
			break;
		place(l, at, above);
		at = parent_of(at);
	}
	place(l, at, word);
}

/* The same, or below it. */
static void sink(struct layout *l, uint64_t nr, uint64_t at, uint64_t word)
{
	for (;;) {
		uint64_t first = at * LAYOUT_LEASE_WIDTH + 1, least = at;
		uint64_t least_word = word;

		for (uint64_t i = first;
		     i < first + LAYOUT_LEASE_WIDTH && i < nr; i++) {
			uint64_t below = limit_get(layout_lease(l, i));

			if (below < least_word) {
				least = i;
				least_word = below;
			}
		}
		place(l, at, least_word);
		if (least == at)
			return;
		at = least;
	}
}

static void settle(struct layout *l, uint64_t nr, uint64_t at, uint64_t word)
{
	if (at && limit_get(layout_lease(l, parent_of(at))) > word)
		rise(l, at, word);
	else
		sink(l, nr, at, word);
}

/* Whether the row's lease is in the heap, and where. */
static bool find(const struct layout *l, uint32_t row, uint64_t *at)
{
	uint64_t found = limit_get(&layout_reservation(l, row)->lease);

	*at = found - 1;
	return found && found <= nr_sound(l) &&
	       limit_lease_row(limit_get(layout_lease(l, *at))) == row;
}

void limit_lease_put(struct layout *l, uint32_t row)
{
	const struct layout_reservation *reservation =
		layout_reservation(l, row);
	uint64_t nr = nr_sound(l), at;
	uint64_t word = limit_lease_word(
		row, (int64_t)limit_get(&reservation->deadline_ns));

	if (find(l, row, &at)) {
		settle(l, nr, at, word);
		return;
	}
	if (LAYOUT_LEASE_SKIP + nr >= exist(l))
		return;
	limit_set(l, &layout_limits(l)->nr_leases, nr + 1);
	rise(l, nr, word);
}

void limit_lease_remove(struct layout *l, uint32_t row)
{
	struct layout_reservation *reservation = layout_reservation(l, row);
	uint64_t last = nr_sound(l) - 1, at;

	if (!limit_get(&reservation->lease))
		return;
	if (find(l, row, &at)) {
		limit_set(l, &layout_limits(l)->nr_leases, last);
		if (at != last)
			settle(l, last, at, limit_get(layout_lease(l, last)));
	}
	limit_set(l, &reservation->lease, 0);
}

int limit_lease_first(const struct layout *l, uint32_t *row,
		      int64_t *deadline_ns)
{
	uint64_t nr = limit_get(&layout_limits(l)->nr_leases), word;

	if (!nr)
		return -ENOENT;
	if (nr != nr_sound(l))
		return -EBADMSG;
	word = limit_get(layout_lease(l, 0));
	*row = limit_lease_row(word);
	*deadline_ns = (int64_t)(word >> LAYOUT_LEASE_SHIFT) * SHARED_STEP_NS;
	return has_row(l, *row) &&
			       limit_get(&layout_reservation(l, *row)->lease) ==
				       1 &&
			       limit_get(&layout_reservation(l, *row)->state) ==
				       LAYOUT_RESERVATION_RESERVED
		       ? 0
		       : -EBADMSG;
}
