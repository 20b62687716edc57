/* SPDX-License-Identifier: MIT */
/* The machines that a trace is replayed on. */
#ifndef TOOL_REPLAY_MACHINES_H
#define TOOL_REPLAY_MACHINES_H

#include <numatally/limit.h>

#include "replay/trace.h"

/* Node n belongs to machine n / per_machine. A cell is a resource of a node. */
struct replay_machines {
	unsigned int nr_machines, per_machine;
	unsigned int nr_nodes, nr_resources;
	size_t nr_cells;
	int64_t *capacity; /* [cell]; TALLY_LIMIT_NONE: none is known */
};

static inline size_t replay_cell(const struct replay_machines *m, int node,
				 unsigned int resource)
{
	return (size_t)node * m->nr_resources + resource;
}

/* What the user asks for; 0 or NULL: what the trace records. */
struct replay_wish {
	unsigned int nr_machines, per_machine;
	const char *capacity; /* "cores=64,memory=262144": of a machine */
};

/* Whether it is RESOURCE=AMOUNT[,RESOURCE=AMOUNT]..., of any resources. */
bool replay_wish_is_list(const char *wish);

/* Derive the machines. -EINVAL and -ENOMEM are printed. */
int replay_machines(struct replay_trace *trace, const struct replay_wish *wish,
		    struct replay_machines *machines);
void replay_machines_free(struct replay_machines *machines);

#endif
