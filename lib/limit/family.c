// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "limit/family.h"
#include "limit/lock.h"

#define PREVIOUS_SHIFT 32

int limit_family_touch(struct tally_ledger *l, uint32_t row)
{
	const struct layout *layout = l->layout;
	const struct layout_plan *plan = layout->plan;
	unsigned char *byte = layout_populated(layout, row);
	uint64_t first = row - row % LAYOUT_BUCKET_ROWS;
	uint64_t nr = LAYOUT_BUCKET_ROWS;
	int err;

	if (reserved_family(layout, row))
		return 0;
	if (nr > plan->families.count - first)
		nr = plan->families.count - first;
	err = layout_populate(layout, &l->limit_tables,
			      plan->families.offset -
				      plan->reservations.offset +
				      first * plan->families.stride,
			      nr * plan->families.stride);
	if (!err)
		__atomic_store_n(byte, *byte | LAYOUT_HAS_FAMILIES,
				 __ATOMIC_RELEASE);
	return err;
}

static uint64_t *siblings_of(const struct layout *l, uint32_t link)
{
	return &layout_family(l, link - 1)->siblings;
}

void limit_family_join(struct layout *l, uint32_t row, uint32_t parent)
{
	struct layout_family *f = layout_family(l, row);
	uint64_t *first = &layout_family(l, parent)->children;
	uint32_t next = reserved_link(l, limit_get(first));

	limit_set(l, &f->parent, parent + UINT64_C(1));
	limit_set(l, &f->siblings, next);
	if (next)
		limit_set(l, siblings_of(l, next),
			  (row + UINT64_C(1)) << PREVIOUS_SHIFT |
				  (uint32_t)limit_get(siblings_of(l, next)));
	limit_set(l, first, row + UINT64_C(1));
}

void limit_family_leave(struct layout *l, uint32_t row)
{
	uint32_t parent = reserved_parent(l, row), next, previous;
	struct layout_family *f;
	uint64_t *first;

	if (!parent)
		return;
	f = layout_family(l, row);
	first = &layout_family(l, parent - 1)->children;
	next = reserved_link(l, (uint32_t)limit_get(&f->siblings));
	previous = reserved_link(l, limit_get(&f->siblings) >> PREVIOUS_SHIFT);
	if (next)
		limit_set(l, siblings_of(l, next),
			  (uint64_t)previous << PREVIOUS_SHIFT |
				  (uint32_t)limit_get(siblings_of(l, next)));
	if (previous)
		limit_set(l, siblings_of(l, previous),
			  limit_get(siblings_of(l, previous)) >>
					  PREVIOUS_SHIFT << PREVIOUS_SHIFT |
				  next);
	else if (limit_get(first) == row + UINT64_C(1))
		limit_set(l, first, next);
	limit_set(l, &f->parent, 0);
	limit_set(l, &f->siblings, 0);
}

unsigned int limit_family_height(const struct layout *l, uint32_t row)
{
	unsigned int nr = 0;

	for (uint32_t above = row + 1; nr <= LIMIT_MAX_PARENTS &&
				       (above = reserved_parent(l, above - 1));)
		nr++;
	return nr;
}

int limit_family_lowest(const struct layout *l, uint32_t row, uint32_t *lowest)
{
	uint32_t at = row + 1;
	uint64_t below;

	for (int nr = 0; nr <= LIMIT_MAX_PARENTS + 1; nr++) {
		const struct layout_family *f = reserved_family(l, at - 1);

		below = f ? limit_get(&f->children) : 0;
		if (!below && at == row + 1)
			return -ENOENT;
		*lowest = at - 1;
		if (!below)
			return 0;
		at = reserved_link(l, below);
		if (!at || limit_get(&layout_reservation(l, at - 1)->state) ==
				   LAYOUT_RESERVATION_NONE)
			return -EBADMSG;
	}
	return -EBADMSG;
}

int limit_family_check(const struct layout *l, uint32_t row)
{
	struct reserved_walk walk = reserved_drawn(l, row);
	const struct layout_holding *drawn;

	while ((drawn = reserved_next(l, &walk))) {
		const struct layout_holding *has =
			reserved_holding(l, row, reserved_node(l, drawn));

		for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
			if ((int64_t)limit_get(&drawn->amounts[i]) >
			    (has ? (int64_t)limit_get(&has->amounts[i]) : 0))
				return -EBUSY;
	}
	return 0;
}
