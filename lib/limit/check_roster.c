// SPDX-License-Identifier: MIT
/* Checking that each node's roster has the accounts of its holdings. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "limit/check.h"
#include "limit/holding.h"
#include "limit/roster.h"

/* The next place from *place on with a holding that is on its row's list. */
static struct layout_holding *next(const struct limit_check *c, uint64_t *place)
{
	while (*place < c->nr_holdings) {
		struct layout_holding *h = layout_holding(c->layout, *place);

		++*place;
		if (c->reached[*place - 1] && limit_get(&h->row) &&
		    !(limit_get(&h->row) & LAYOUT_DRAWN))
			return h;
	}
	return NULL;
}

/* Whether the roster has the holding's account where the holding says. */
static bool is_in(const struct limit_check *c, const struct layout_holding *h)
{
	uint32_t node = reserved_node(c->layout, h);
	uint64_t entry = limit_get(&h->entry) - 1, nr;
	const uint64_t *entries;

	if (entry >= limit_roster_len(c->layout, node))
		return false;
	entries = reserved_roster(
		c->layout, node,
		limit_get(&layout_roster(c->layout, node)->current), &nr);
	return limit_get(&entries[entry]) ==
	       limit_roster_entry(c->layout, reserved_row(c->layout, h));
}

static void make_anew(struct limit_check *c, uint32_t node, uint64_t nr)
{
	uint64_t *entries = calloc(nr + 1, sizeof(*entries));
	struct layout_holding *h;
	uint64_t place = 0, i = 0;

	c->err = entries ? limit_roster_room(c->repaired, node, nr) : -ENOMEM;
	while (!c->err && (h = next(c, &place))) {
		if (limit_get(&h->node) != node)
			continue;
		if (limit_holding_is_empty(c->layout, h)) {
			check_put(c, &h->entry, 0);
			continue;
		}
		if (i == nr)
			break; /* damaged since they were counted */
		entries[i] = limit_roster_entry(c->layout,
						reserved_row(c->layout, h));
		check_put(c, &h->entry, ++i);
	}
	if (!c->err)
		limit_roster_make(c->repaired->layout, node, entries, nr);
	free(entries);
}

void check_rosters(struct limit_check *c)
{
	uint64_t *nr = calloc(c->nr_nodes, sizeof(*nr));
	bool *wrong = calloc(c->nr_nodes, sizeof(*wrong));
	const struct layout_holding *h;
	uint64_t place = 0;

	if (!nr || !wrong)
		c->err = -ENOMEM;
	while (!c->err && (h = next(c, &place)))
		if (!limit_holding_is_empty(c->layout, h)) {
			uint32_t node = reserved_node(c->layout, h);

			nr[node]++;
			wrong[node] |= !is_in(c, h);
		}
	for (uint32_t n = 0; !c->err && n < c->nr_nodes; n++)
		if (wrong[n] || limit_roster_len(c->layout, n) != nr[n]) {
			check_tell(c, "node %s: its roster is wrong",
				   check_node(c, n));
			if (c->repaired)
				make_anew(c, n, nr[n]);
		}
	free(nr);
	free(wrong);
}
