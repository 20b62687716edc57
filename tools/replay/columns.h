/* SPDX-License-Identifier: MIT */
/* What is free on the machines of a replay, in columns for numatally/place.h. */
#ifndef TOOL_REPLAY_COLUMNS_H
#define TOOL_REPLAY_COLUMNS_H

#include <numatally/place.h>

#include "replay/machines.h"

struct replay_columns {
	struct tally_place place;
	int64_t *cells;	   /* free, then capacity: [resource][node] */
	int64_t **columns; /* of them */
	uint32_t *machines;
	double *weights;
};

/* Make columns of empty machines. -ENOMEM */
int replay_columns_create(const struct replay_machines *machines,
			  struct replay_columns *columns);
void replay_columns_destroy(struct replay_columns *columns);

/* What is free in a cell. */
static inline int64_t *replay_column_cell(const struct replay_columns *c,
					  size_t cell)
{
	return &c->place.free[cell % c->place.nr_resources]
			     [cell / c->place.nr_resources];
}

#endif
