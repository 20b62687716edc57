/* SPDX-License-Identifier: MIT */
/* Where on the machines a request goes: a pure function of what is free, so that
 * a replay can be repeated. */
#ifndef TOOL_REPLAY_PLACE_H
#define TOOL_REPLAY_PLACE_H

#include <numatally/limit.h>

#include "replay/columns.h"

enum replay_policy {
	REPLAY_FIRST,  /* that fits */
	REPLAY_BEST,   /* where least is left */
	REPLAY_SPREAD, /* where most is left */
	REPLAY_NR_POLICIES,
};
extern const char *const replay_policy_names[REPLAY_NR_POLICIES];

struct replay_place {
	struct tally_demand demands[TALLY_LIMIT_MAX_DEMANDS];
	unsigned int nr;
};

/*
 * Place the items of a reserve: on the nodes that they name, whatever is free
 * there; or, if they name none, all on one node, or else a lump over the nodes of
 * one machine, tasks over all nodes. The columns are as before when it returns.
 *
 * -ENOSPC	it fits nowhere
 * -E2BIG	it fits only over more nodes than one request may name, or
 *		tally_place_fit() looks at
 * -ENOMEM	no memory
 */
int replay_place(struct replay_columns *columns, enum replay_policy policy,
		 const struct replay_trace *trace,
		 const struct replay_event *event, struct replay_place *place);

/* Place all of it on the node with most free: it will be refused there. */
void replay_place_in_vain(const struct replay_columns *columns,
			  const struct replay_trace *trace,
			  const struct replay_event *event,
			  struct replay_place *place);

#endif
