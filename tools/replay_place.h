/* SPDX-License-Identifier: MIT */
/* The machines that a trace is replayed on, and where on them a request goes:
 * a pure function of what is free, so that a replay can be repeated. */
#ifndef REPLAY_PLACE_H
#define REPLAY_PLACE_H

#include <numatally/limit.h>

#include "replay_trace.h"

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

/* What the user says; what is 0 or NULL is the trace's to say. */
struct replay_wish {
	unsigned int nr_machines, per_machine;
	const char *capacity; /* "cores=64,memory=262144": of a machine */
};

/* The machines of a trace. -EINVAL, -ENOMEM: which has been said */
int replay_machines(struct replay_trace *trace, const struct replay_wish *wish,
		    struct replay_machines *machines);
void replay_machines_free(struct replay_machines *machines);

enum replay_policy {
	REPLAY_FIRST,  /* that fits */
	REPLAY_BEST,   /* where least is left */
	REPLAY_SPREAD, /* where most is left */
	REPLAY_NR_POLICIES,
};
extern const char *const replay_policy_names[REPLAY_NR_POLICIES];

/* Asks what is free in a cell (below 0: less than nothing); it says the same
 * all through a call. */
struct replay_free {
	int64_t (*free)(void *arg, size_t cell);
	void *arg;
};

struct replay_place {
	struct tally_hold holds[TALLY_LIMIT_MAX_HOLDS];
	unsigned int nr;
};

/*
 * Where the items of a reserve go: to the node or nodes that they name,
 * whatever is free; or, anywhere: all on one node; or cut over the nodes of one
 * machine; or, tasks, over machines.
 *
 * -ENOSPC	nowhere
 * -E2BIG	only over more nodes than one request may name
 */
int replay_place(const struct replay_machines *machines,
		 enum replay_policy policy, const struct replay_trace *trace,
		 const struct replay_event *event,
		 const struct replay_free *free, struct replay_place *place);

/* All of it on the node with most free: what is asked for in vain. */
void replay_place_in_vain(const struct replay_machines *machines,
			  const struct replay_trace *trace,
			  const struct replay_event *event,
			  const struct replay_free *free,
			  struct replay_place *place);

#endif
