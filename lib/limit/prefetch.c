// SPDX-License-Identifier: MIT
#include "config.h"

#include "account/directory.h"
#include "file/reserved.h"
#include "limit/lock.h"
#include "limit/prefetch.h"
#include "limit/roster.h"

/* Nodes of one call that are looked after. */
#define MOST 8

/* What fewer holdings and their rosters need stays in a cache. */
#define FEW 4096

static bool is_small(const struct layout *l)
{
	return limit_get(&layout_limits(l)->nr_holdings) < FEW;
}

static void ask_for(const void *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += LAYOUT_LINE)
		__builtin_prefetch((const char *)from + i, 1);
}

static void ask_for_node(const struct layout *l, uint32_t node)
{
	const struct layout_roster *r = layout_roster(l, node);

	ask_for(r, offsetof(struct layout_roster, edits));
	__builtin_prefetch(layout_roster_byte(l, node));
}

/* The next edits, and what they catch up with. */
static void ask_for_edits(const struct layout *l, uint32_t node)
{
	const struct layout_roster *r = layout_roster(l, node);
	uint64_t current, number;

	if (!__atomic_load_n(layout_roster_byte(l, node), __ATOMIC_ACQUIRE))
		return;
	current = limit_get(&r->current);
	for (number = current - 3; number != current + 3; number += 2)
		__builtin_prefetch(&r->edits[number % LAYOUT_NR_EDITS], 1);
	for (number = current; number != current + 3; number++)
		ask_for(r->entries[number % LAYOUT_NR_COPIES],
			sizeof(r->entries[0]));
}

/* An account that leaves has its entry taken by the last one. */
static void ask_for_last(const struct layout *l, uint32_t node)
{
	const struct layout_holding *h;

	if (!__atomic_load_n(layout_roster_byte(l, node), __ATOMIC_ACQUIRE))
		return;
	h = limit_roster_last(l, node);
	if (h)
		__builtin_prefetch(h, 1);
}

static void ask_for_all(const struct layout *l, const uint32_t *nodes,
			unsigned int nr, bool leaves)
{
	for (unsigned int i = 0; i < nr; i++)
		ask_for_edits(l, nodes[i]);
	for (unsigned int i = 0; leaves && i < nr; i++)
		ask_for_last(l, nodes[i]);
}

void limit_prefetch_row(const struct tally_ledger *ledger, uint32_t row)
{
	const struct layout *l = ledger->layout;
	const struct layout_holding *h;
	struct reserved_walk walk;
	uint32_t nodes[MOST];
	unsigned int nr = 0;

	if (is_small(l) || row >= l->header.params.max_accounts ||
	    !__atomic_load_n(layout_populated(l, row), __ATOMIC_ACQUIRE))
		return;
	__builtin_prefetch(layout_reservation(l, row), 1);
	__builtin_prefetch(layout_quotas(l, row), 1);
	directory_prefetch(l, row);
	walk = reserved_holdings(l, row);
	while (nr < MOST && (h = reserved_next(l, &walk))) {
		nodes[nr] = reserved_node(l, h);
		ask_for_node(l, nodes[nr]);
		for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
			if (limit_get(&h->amounts[i]))
				__builtin_prefetch(
					layout_capacity(l, nodes[nr], i), 1);
		nr++;
	}
	ask_for_all(l, nodes, nr, true);
}

void limit_prefetch_demands(const struct tally_ledger *ledger, uint32_t row,
			    const struct tally_demand *demands,
			    unsigned int nr_demands)
{
	const struct layout *l = ledger->layout;
	uint32_t nodes[MOST];
	unsigned int nr = 0;

	if (is_small(l))
		return;
	if (row < l->header.params.max_accounts) {
		__builtin_prefetch(layout_reservation(l, row), 1);
		__builtin_prefetch(layout_quotas(l, row), 1);
		directory_prefetch(l, row);
	}
	for (unsigned int i = 0; nr < MOST && i < nr_demands; i++) {
		int index = layout_node_index(l, demands[i].node);

		if (index < 0)
			continue;
		nodes[nr] = (uint32_t)index;
		ask_for_node(l, nodes[nr]);
		__builtin_prefetch(
			layout_capacity(l, nodes[nr], demands[i].resource), 1);
		nr++;
	}
	ask_for_all(l, nodes, nr, false);
}
