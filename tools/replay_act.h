/* SPDX-License-Identifier: MIT */
/* What a thread of a replay does for one event. */
#ifndef REPLAY_ACT_H
#define REPLAY_ACT_H

#include <numatally/limit.h>

#include "replay_drive.h"

/* A slot is its events' own, one after the other: see replay_wait(). */
struct replay_slot {
	struct tally_account account;
	struct tally_token token;
	uint32_t done; /* events; the last thing that an event writes */
	bool held;
	uint8_t nr_left;
	struct tally_hold *left; /* what it holds, where there is a log */
};

struct replay_drive {
	const struct replay_setup *setup;
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct replay_slot *slots;
	uint64_t stamps;
	uint64_t next; /* event to be taken */
	int err;       /* the first failure, and where */
	uint64_t failed;
};

/* What was free in a cell when it was looked at, in the how-many-eth look. */
struct replay_seen {
	uint64_t look;
	int64_t free;
};

struct replay_thread {
	struct replay_drive *drive;
	struct replay_log *log; /* or NULL */
	struct replay_counts counts;
	struct replay_times times[REPLAY_NR_OPS];
	int view_err; /* of looking at what is free */
	uint64_t looks;
	struct replay_seen *seen; /* [cell] */
};

/* Does it. 0, or the -errno of what a call should not have said. */
int replay_act(struct replay_thread *thread, uint32_t index);

#endif
