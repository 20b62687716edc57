/* SPDX-License-Identifier: MIT */
/* Where on the machines a request goes: a pure function of what is free, so that
 * a replay can be repeated. */
#ifndef TOOL_REPLAY_PLACE_H
#define TOOL_REPLAY_PLACE_H

#include <numatally/limit.h>

#include "replay/machines.h"

enum replay_policy {
	REPLAY_FIRST,  /* that fits */
	REPLAY_BEST,   /* where least is left */
	REPLAY_SPREAD, /* where most is left */
	REPLAY_NR_POLICIES,
};
extern const char *const replay_policy_names[REPLAY_NR_POLICIES];

/* Returns what is free in a cell, which may be below 0. It must not change
 * during a call. */
struct replay_free {
	int64_t (*free)(void *arg, size_t cell);
	void *arg;
};

struct replay_place {
	struct tally_demand demands[TALLY_LIMIT_MAX_DEMANDS];
	unsigned int nr;
};

/*
 * Place the items of a reserve: on the nodes that they name, whatever is free
 * there; or, if they name none, all on one node, or else cut over the nodes of
 * one machine, or else, between tasks, over machines.
 *
 * -ENOSPC	it fits nowhere
 * -E2BIG	it fits only over more nodes than one request may name
 */
int replay_place(const struct replay_machines *machines,
		 enum replay_policy policy, const struct replay_trace *trace,
		 const struct replay_event *event,
		 const struct replay_free *free, struct replay_place *place);

/* Place all of it on the node with most free: it will be refused there. */
void replay_place_in_vain(const struct replay_machines *machines,
			  const struct replay_trace *trace,
			  const struct replay_event *event,
			  const struct replay_free *free,
			  struct replay_place *place);

#endif
