// SPDX-License-Identifier: MIT
/* Gives the nodes that a trace names their places in the replay. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "replay/load.h"

static int compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static void collect(const struct replay_item *items, size_t nr,
		    int32_t *numbers, size_t *nr_numbers)
{
	for (size_t i = 0; i < nr; i++)
		if (items[i].node != REPLAY_ANYWHERE)
			numbers[(*nr_numbers)++] = items[i].node;
}

/* Sort, and keep each once. Returns how many there are. */
static size_t sort(int32_t *numbers, size_t nr)
{
	size_t kept = 0;

	qsort(numbers, nr, sizeof(*numbers), compare);
	for (size_t i = 0; i < nr; i++)
		if (!kept || numbers[i] != numbers[kept - 1])
			numbers[kept++] = numbers[i];
	return kept;
}

/* False: the replay has no such node. */
static bool place(const struct replay_trace *trace, struct replay_item *item)
{
	const int32_t *at;

	if (item->node == REPLAY_ANYWHERE)
		return true;
	at = bsearch(&item->node, trace->numbers, trace->nr_numbers,
		     sizeof(*trace->numbers), compare);
	if (at)
		item->node = (int32_t)(at - trace->numbers);
	return at;
}

static int place_events(struct replay_trace *trace)
{
	int err = 0;

	for (size_t i = 0; !err && i < trace->nr_events; i++) {
		const struct replay_event *e = &trace->events[i];
		bool all = true;

		for (unsigned int j = 0; j < e->nr_items; j++)
			all &= place(trace, &trace->items[e->item + j]);
		if (all)
			continue;
		if (e->op == REPLAY_RESERVE)
			trace->nr_beyond++;
		err = replay_leave_out(trace, e->job);
	}
	return err;
}

static void place_capacities(struct replay_trace *trace)
{
	struct replay_origin *origin = &trace->origin;
	size_t nr = 0;

	for (size_t i = 0; i < origin->nr_capacities; i++)
		if (place(trace, &origin->capacities[i]))
			origin->capacities[nr++] = origin->capacities[i];
	origin->nr_capacities = nr;
}

int replay_place_nodes(struct replay_trace *trace)
{
	struct replay_origin *origin = &trace->origin;
	size_t nr = 0;

	if (origin->last_node < REPLAY_DENSE_NODES)
		return 0;
	trace->numbers = reallocarray(NULL,
				      trace->nr_items + origin->nr_capacities,
				      sizeof(*trace->numbers));
	if (!trace->numbers) {
		warnx("no memory for the trace");
		return -ENOMEM;
	}
	collect(trace->items, trace->nr_items, trace->numbers, &nr);
	collect(origin->capacities, origin->nr_capacities, trace->numbers, &nr);
	nr = sort(trace->numbers, nr);
	if (nr > REPLAY_MAX_NODES)
		nr = REPLAY_MAX_NODES;
	trace->nr_numbers = (unsigned int)nr;
	origin->last_node = (int32_t)nr - 1;
	place_capacities(trace);
	return place_events(trace);
}
