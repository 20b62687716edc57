/* SPDX-License-Identifier: MIT */
/* Columns that a test fills, without a ledger. */
#ifndef TEST_PLACE_COLUMNS_H
#define TEST_PLACE_COLUMNS_H

#include <numatally/place.h>

#define COLUMNS_RESOURCES 4
#define COLUMNS_NODES	  1400

struct columns {
	struct tally_place place;
	int64_t free[COLUMNS_RESOURCES][COLUMNS_NODES];
	int64_t capacity[COLUMNS_RESOURCES][COLUMNS_NODES];
	int64_t *free_of[COLUMNS_RESOURCES], *capacity_of[COLUMNS_RESOURCES];
	double weights[COLUMNS_RESOURCES];
	uint32_t machines[COLUMNS_NODES + 1];
};

/* Machines of @per_machine nodes each, which all have 8 of each resource free. */
static inline void columns_init(struct columns *c, uint32_t nr_nodes,
				uint32_t per_machine)
{
	c->place = (struct tally_place){
		.size = sizeof(c->place),
		.nr_nodes = nr_nodes,
		.nr_resources = COLUMNS_RESOURCES,
		.free = c->free_of,
		.capacity = c->capacity_of,
		.weights = c->weights,
		.machines = c->machines,
	};
	for (unsigned int r = 0; r < COLUMNS_RESOURCES; r++) {
		c->free_of[r] = c->free[r];
		c->capacity_of[r] = c->capacity[r];
		c->weights[r] = 1;
		for (uint32_t n = 0; n < nr_nodes; n++)
			c->free[r][n] = c->capacity[r][n] = 8;
	}
	for (uint32_t n = 0; n < nr_nodes; n += per_machine)
		c->machines[c->place.nr_machines++] = n;
	c->machines[c->place.nr_machines] = nr_nodes;
}

static inline uint64_t columns_random(uint64_t *state, uint64_t end)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*state >> 32) * end >> 32;
}

#endif
