/* SPDX-License-Identifier: MIT */
/* held: reads what accounts have reserved, from any process, with all or
 * nothing of each reservation. */
#ifndef HELD_H
#define HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "layout_limit.h"

/* Around reads of words that may be changed meanwhile. They are good where
 * held_again() is false. -EAGAIN: whoever is changing them does not go on. */
struct held_read {
	uint64_t sequence;
	unsigned int tries;
	int64_t until_ns; /* 0: it was not asked for yet */
};
int held_begin(const struct layout *layout, struct held_read *read);
bool held_again(const struct layout *layout, const struct held_read *read);

/* Whether anything was ever reserved. */
static inline bool held_any(const struct layout *layout)
{
	return __atomic_load_n(&layout_limits(layout)->sequence,
			       __ATOMIC_ACQUIRE) != 0;
}

/* Whether the words of holds and quotas in the row are those of the account
 * that has it now, and not left by one that is gone. */
bool held_is_current(const struct layout *layout, uint32_t row);

/* Whether the account in the row holds something, or has what is idle. */
bool held_any_of(const struct layout *layout, uint32_t row);

/* What is idle of a credit: taken, but not held. Like held_add(), of what is
 * there between held_begin() and held_again(). */
int64_t held_idle(const struct layout *layout, uint64_t credit);
uint64_t held_nr_credits(const struct layout *layout);

/*
 * Adds what all accounts hold on the nodes of index [first, end) or, where row
 * is not NULL, what the account in that row does, to amounts[nr_resources].
 * -EAGAIN, -EBADMSG
 */
int held_add(const struct layout *layout, const uint32_t *row, uint32_t first,
	     uint32_t end, int64_t *amounts);

#endif
