/* SPDX-License-Identifier: MIT */
/*
 * What the threads of a replay saw, call by call. Each call is between two stamps
 * of one counter: a call that ended before another began came first.
 */
#ifndef TOOL_REPLAY_LOG_H
#define TOOL_REPLAY_LOG_H

#include <numatally/limit.h>

enum replay_did {
	REPLAY_GRANTED,	 /* a reserve, of these demands */
	REPLAY_REFUSED,	 /* a reserve, of these demands, for lack of room */
	REPLAY_GAVE,	 /* back, these demands */
	REPLAY_SAW_NONE, /* looked at all nodes, and saw no room */
};

struct replay_record {
	uint64_t begin, end; /* stamps */
	size_t demand;	     /* the first, in log->demands */
	uint32_t event;
	uint8_t nr_demands;
	uint8_t did;
};

/* Of one thread. */
struct replay_log {
	struct replay_record *records;
	size_t nr, room;
	struct tally_demand *demands;
	size_t nr_demands, room_demands;
};

/* Append a record, and fill its demand in. -ENOMEM */
int replay_log_add(struct replay_log *log, const struct replay_record *record,
		   const struct tally_demand *demands);
void replay_log_free(struct replay_log *log);

#endif
