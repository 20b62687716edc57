/* SPDX-License-Identifier: MIT */
/* What a thread does for one event. */
#ifndef TOOL_REPLAY_ACT_H
#define TOOL_REPLAY_ACT_H

#include <numatally/limit.h>

#include "replay/setup.h"

/* Events of a slot come one after the other, whichever threads take them. */
struct replay_slot {
	struct tally_account account;
	struct tally_token token;
	uint32_t done; /* events; each writes this last */
	bool held;
	uint8_t nr_left;
	struct tally_demand *left; /* what it holds */
};

struct replay_drive {
	const struct replay_setup *setup;
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct replay_slot *slots;
	uint64_t stamps;
	uint64_t next;	 /* event to be taken */
	int err;	 /* the first failure */
	uint64_t failed; /* the event where it occurred */
};

struct replay_thread {
	struct replay_drive *drive;
	struct replay_log *log; /* or NULL */
	struct replay_counts counts;
	struct replay_times times[REPLAY_NR_OPS];
	struct replay_columns columns; /* right where no other thread was */
};

/* Make the calls of an event. 0, or the -errno that a call must not return. */
int replay_act(struct replay_thread *thread, uint32_t index);

#endif
