/* SPDX-License-Identifier: MIT */
/*
 * What happened in a replay, call by call, as its threads saw it: each call
 * between two stamps of one counter, so that what had ended before something
 * else began is known to have come first.
 */
#ifndef REPLAY_LOG_H
#define REPLAY_LOG_H

#include <numatally/limit.h>

enum replay_did {
	REPLAY_GRANTED,	 /* a reserve; its holds */
	REPLAY_REFUSED,	 /* a reserve, for a lack of room; its holds */
	REPLAY_GAVE,	 /* back: these holds */
	REPLAY_SAW_NONE, /* looked over all nodes, and found no room */
};

struct replay_record {
	uint64_t begin, end; /* stamps */
	size_t hold;	     /* the first, in log->holds */
	uint32_t event;
	uint8_t nr_holds;
	uint8_t did;
};

/* Of one thread. */
struct replay_log {
	struct replay_record *records;
	size_t nr, room;
	struct tally_hold *holds;
	size_t nr_holds, room_holds;
};

/* Appends; the record's hold is filled in. -ENOMEM */
int replay_log_add(struct replay_log *log, const struct replay_record *record,
		   const struct tally_hold *holds);
void replay_log_free(struct replay_log *log);

#endif
