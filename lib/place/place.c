// SPDX-License-Identifier: MIT
/* The columns of a ledger's nodes. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/sized.h"
#include "place/internal.h"

#define MACHINE_SHIFT 16 /* of a node's number in a ledger */

/* One allocation each, so that a failure in between is simple to undo. */
struct owned {
	struct tally_place place; /* what the caller has; first */
	int64_t **free, **capacity;
	int64_t *cells;
	double *weights;
	uint32_t *machines;
	int *numbers;
	const int **distances;
	int *distance_cells;
};

static void clear(struct owned *o)
{
	free((void *)o->free);
	free((void *)o->capacity);
	free(o->cells);
	free(o->weights);
	free(o->machines);
	free(o->numbers);
	free((void *)o->distances);
	free(o->distance_cells);
	free(o);
}

static int allocate(struct owned *o)
{
	size_t nodes = o->place.nr_nodes, resources = o->place.nr_resources;

	o->free = (int64_t **)calloc(resources, sizeof(*o->free));
	o->capacity = (int64_t **)calloc(resources, sizeof(*o->capacity));
	o->cells = calloc(2 * resources * nodes, sizeof(*o->cells));
	o->weights = calloc(resources, sizeof(*o->weights));
	o->machines = calloc(nodes + 1, sizeof(*o->machines));
	o->numbers = calloc(nodes, sizeof(*o->numbers));
	if (!o->free || !o->capacity || !o->cells || !o->weights ||
	    !o->machines || !o->numbers)
		return -ENOMEM;
	o->place.free = o->free;
	o->place.capacity = o->capacity;
	o->place.weights = o->weights;
	o->place.machines = o->machines;
	o->place.numbers = o->numbers;
	return 0;
}

/* Columns of what can be reserved alone. */
static void name(struct owned *o, const struct tally_view *view)
{
	struct tally_place *place = &o->place;

	for (unsigned int r = 0; r < place->nr_resources; r++) {
		size_t at = (size_t)2 * r * place->nr_nodes;

		if (tally_view_resource(view, r)->kind != TALLY_RESERVABLE)
			continue;
		o->free[r] = o->cells + at;
		o->capacity[r] = o->cells + at + place->nr_nodes;
	}
	place->nr_machines = 0;
	for (uint32_t n = 0; n < place->nr_nodes; n++) {
		o->numbers[n] = tally_view_node(view, n);
		if (!n || o->numbers[n] >> MACHINE_SHIFT !=
				  o->numbers[n - 1] >> MACHINE_SHIFT)
			o->machines[place->nr_machines++] = n;
	}
	o->machines[place->nr_machines] = place->nr_nodes;
}

/* The topology's nodes ascend by number, as the columns do. */
static int copy_distances(struct owned *o, const struct tally_topo *topo)
{
	unsigned int nr = tally_topo_nr_nodes(topo), t = 0;
	const struct tally_place *place = &o->place;
	size_t cells = 0, used = 0;

	for (uint32_t m = 0; m < place->nr_machines; m++) {
		size_t nodes = o->machines[m + 1] - o->machines[m];

		cells += nodes * nodes;
	}
	o->distances =
		(const int **)calloc(place->nr_nodes, sizeof(*o->distances));
	o->distance_cells = calloc(cells, sizeof(*o->distance_cells));
	if (!o->distances || !o->distance_cells)
		return -ENOMEM;
	for (uint32_t n = 0, m = 0; n < place->nr_nodes; n++) {
		const struct tally_node *node;
		size_t nodes;

		m += n == o->machines[m + 1];
		nodes = o->machines[m + 1] - o->machines[m];
		while (t < nr && tally_topo_number(topo, t) < o->numbers[n])
			t++;
		if (t == nr || tally_topo_number(topo, t) != o->numbers[n])
			continue;
		node = tally_topo_node(topo, t);
		if (!node->distances ||
		    tally_topo_machine(topo, node->machine)->nr_nodes != nodes)
			continue;
		for (size_t i = 0; i < nodes; i++)
			o->distance_cells[used + i] = node->distances[i];
		o->distances[n] = o->distance_cells + used;
		used += nodes;
	}
	o->place.distances = o->distances;
	return 0;
}

static void weigh(struct owned *o)
{
	for (unsigned int r = 0; r < o->place.nr_resources; r++) {
		int64_t most = 0;

		for (uint32_t n = 0; o->capacity[r] && n < o->place.nr_nodes;
		     n++)
			if (o->capacity[r][n] > most &&
			    o->capacity[r][n] != TALLY_LIMIT_NONE)
				most = o->capacity[r][n];
		o->weights[r] = most ? 1 / (double)most : 0;
	}
}

int tally_place_create(const struct tally_view *view,
		       const struct tally_topo *topo,
		       struct tally_place **place)
{
	struct owned *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	o->place.size = sizeof(o->place);
	o->place.nr_nodes = tally_view_nr_nodes(view);
	o->place.nr_resources = tally_view_nr_resources(view);
	err = allocate(o);
	if (!err) {
		name(o, view);
		err = topo ? copy_distances(o, topo) : 0;
	}
	if (!err)
		err = tally_place_refresh(&o->place, view, 0,
					  o->place.nr_nodes);
	if (err) {
		clear(o);
		return err;
	}
	weigh(o);
	*place = &o->place;
	return 0;
}

void tally_place_destroy(struct tally_place *place)
{
	if (place)
		clear((struct owned *)place);
}

int tally_place_refresh(struct tally_place *place,
			const struct tally_view *view, uint32_t first,
			uint32_t nr)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	int err = 0;

	if (first > place->nr_nodes || nr > place->nr_nodes - first)
		return -ENOENT;
	for (uint32_t n = first; n < first + nr; n++)
		for (unsigned int r = 0; !err && r < place->nr_resources; r++) {
			int number = place->numbers ? place->numbers[n]
						    : (int)n;

			if (!place->free[r])
				continue;
			err = tally_limit_node(view, number, r, &limit);
			if (err)
				return err;
			if (__builtin_sub_overflow(limit.limit, limit.held,
						   &place->free[r][n]))
				return -EBADMSG;
			if (place->capacity)
				place->capacity[r][n] = limit.limit;
		}
	return 0;
}

int64_t place_index(const struct tally_place *place, int number)
{
	uint32_t low = 0, high = place->nr_nodes;

	if (!place->numbers)
		return number >= 0 && (uint32_t)number < high ? number : -1;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (place->numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == place->nr_nodes || place->numbers[low] != number)
		return -1;
	return low;
}

static int take_one(const struct tally_place *place,
		    const struct tally_demand *demand, bool undo)
{
	int64_t node = place_index(place, demand->node), *cell, left;

	if (node < 0)
		return -ENOENT;
	if (demand->resource >= place->nr_resources ||
	    !place->free[demand->resource])
		return -EINVAL;
	cell = &place->free[demand->resource][node];
	if (undo)
		left = *cell + demand->amount;
	else if (__builtin_sub_overflow(*cell, demand->amount, &left))
		return -EOVERFLOW;
	*cell = left;
	return 0;
}

int tally_place_take(struct tally_place *place,
		     const struct tally_demand *demands,
		     unsigned int nr_demands)
{
	unsigned int i = 0;
	int err = 0;

	while (!err && i < nr_demands) {
		err = take_one(place, &demands[i], false);
		i += !err;
	}
	while (err && i)
		(void)take_one(place, &demands[--i], true);
	return err;
}
