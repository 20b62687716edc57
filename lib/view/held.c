// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "file/reserved.h"
#include "view/held.h"

#define FIRST_ROOM 64

static int64_t get(const int64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t word(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool in_range(uint64_t n, uint32_t first, uint32_t end)
{
	return n >= first && n < end;
}

static int put(struct held *h, uint32_t node, uint32_t resource, int64_t amount)
{
	if (!amount)
		return 0;
	if (h->nr == h->room) {
		size_t room = h->room ? 2 * h->room : FIRST_ROOM;
		struct held_amount *amounts =
			realloc(h->amounts, room * sizeof(*amounts));

		if (!amounts)
			return -ENOMEM;
		h->amounts = amounts;
		h->room = room;
	}
	h->amounts[h->nr++] = (struct held_amount){node, resource, amount};
	return 0;
}

static int put_holdings(const struct layout *l, uint32_t row, size_t max,
			struct held *h)
{
	struct reserved_walk walk = reserved_holdings(l, row);
	const struct layout_holding *holding;
	int err = 0;

	while (!err && (holding = reserved_next(l, &walk))) {
		uint32_t node = reserved_node(l, holding);

		if (!in_range(node, h->first_node, h->end_node))
			continue;
		for (uint32_t i = h->first_resource;
		     i < h->end_resource && !err; i++)
			err = put(h, node, i, get(&holding->amounts[i]));
		if (h->nr > max)
			err = -ERANGE;
	}
	return err;
}

/* Holdings lack what credits have taken. */
static int put_credits(const struct layout *l, uint32_t row, struct held *h)
{
	uint64_t nr = reserved_nr_credits(l);
	int err = 0;

	for (uint64_t i = 0; i < nr && !err; i++) {
		const struct layout_credit *c = layout_credit(l, i);
		uint64_t node = word(&c->node), resource = word(&c->resource);

		if (word(&c->row) == row &&
		    in_range(node, h->first_node, h->end_node) &&
		    in_range(resource, h->first_resource, h->end_resource))
			err = put(h, (uint32_t)node, (uint32_t)resource,
				  plus(get(&c->taken), -reserved_idle(l, i)));
	}
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct held_amount *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->resource < y->resource ? -1 : x->resource > y->resource;
}

/* Several credits may be of one node and resource, and a holding. */
static void merge(struct held *h)
{
	size_t nr = 0;

	if (h->nr < 2)
		return;
	qsort(h->amounts, h->nr, sizeof(*h->amounts), compare);
	for (size_t i = 0; i < h->nr; i++) {
		struct held_amount *last = &h->amounts[nr ? nr - 1 : 0];

		if (nr && !compare(last, &h->amounts[i]))
			last->amount = plus(last->amount, h->amounts[i].amount);
		else
			h->amounts[nr++] = h->amounts[i];
	}
	h->nr = nr;
}

int held_read(const struct layout *l, uint32_t row, size_t max, struct held *h)
{
	struct reserved_read read = {0};
	int err;

	do {
		err = reserved_begin(l, &read);
		if (err)
			return err;
		h->nr = 0;
		if (__atomic_load_n(layout_populated(l, row), __ATOMIC_ACQUIRE))
			err = put_holdings(l, row, max, h);
		if (!err)
			err = put_credits(l, row, h);
	} while (reserved_again(l, &read));
	merge(h);
	return err;
}
