// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "replay/columns.h"

static void fill(const struct replay_machines *m, struct replay_columns *c)
{
	for (unsigned int r = 0; r < m->nr_resources; r++) {
		int64_t most = 0;

		for (unsigned int n = 0; n < m->nr_nodes; n++) {
			int64_t has = m->capacity[replay_cell(m, (int)n, r)];

			c->columns[r][n] = has;
			c->columns[m->nr_resources + r][n] = has;
			if (has > most && has != TALLY_LIMIT_NONE)
				most = has;
		}
		c->weights[r] = most ? 1 / (double)most : 0;
	}
	for (unsigned int i = 0; i <= m->nr_machines; i++)
		c->machines[i] = i * m->per_machine;
}

int replay_columns_create(const struct replay_machines *m,
			  struct replay_columns *c)
{
	unsigned int nr = 2 * m->nr_resources;

	*c = (struct replay_columns){
		.cells = calloc(2 * m->nr_cells + 1, sizeof(*c->cells)),
		.columns = calloc(nr + 1, sizeof(*c->columns)),
		.machines = calloc(m->nr_machines + 1ul, sizeof(*c->machines)),
		.weights = calloc(nr + 1, sizeof(*c->weights)),
	};
	if (!c->cells || !c->columns || !c->machines || !c->weights) {
		replay_columns_destroy(c);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < nr; i++)
		c->columns[i] = c->cells + (size_t)i * m->nr_nodes;
	c->place = (struct tally_place){
		.size = sizeof(c->place),
		.nr_nodes = m->nr_nodes,
		.nr_machines = m->nr_machines,
		.nr_resources = m->nr_resources,
		.free = c->columns,
		.capacity = c->columns + m->nr_resources,
		.weights = c->weights,
		.machines = c->machines,
	};
	fill(m, c);
	return 0;
}

void replay_columns_destroy(struct replay_columns *c)
{
	free(c->cells);
	free(c->columns);
	free(c->machines);
	free(c->weights);
	*c = (struct replay_columns){.cells = NULL};
}
