/* SPDX-License-Identifier: MIT */
/* What a replay is to do, and what came of it. */
#ifndef TOOL_REPLAY_SETUP_H
#define TOOL_REPLAY_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/log.h"
#include "replay/place.h"
#include "replay/times.h"

#define REPLAY_MAX_THREADS 256

struct replay_counts {
	uint64_t admitted, refused; /* reserves */
	uint64_t skipped;	    /* events of refused jobs */
	uint64_t wide;		    /* of those refused: never asked for */
	uint64_t conflicts;	    /* another thread took the room */
	uint64_t done;		    /* events */
};

/* A cell at the end, read from the library. */
struct replay_cell_end {
	int64_t peak;
	int64_t held; /* after the last event */
	int64_t left; /* after everything was released */
	uint64_t nr_refused;
};

struct replay_setup {
	const struct replay_trace *trace;
	const struct replay_machines *machines;
	enum replay_policy policy;
	unsigned int nr_threads;
	bool logs;
	bool progress; /* shown on stderr */
};

struct replay_result {
	struct replay_counts counts;
	struct replay_times times[REPLAY_NR_OPS];
	int64_t wall_ns;
	struct replay_cell_end *cells;
	struct replay_log *logs; /* one of each thread, or NULL */
	uint64_t nr_stamps;	 /* in them */
	unsigned int nr_logs;
};

/* Requests, admitted or refused, per second. */
static inline uint64_t replay_per_second(const struct replay_result *result)
{
	double s = (double)result->wall_ns / 1e9;
	uint64_t nr = result->counts.admitted + result->counts.refused;

	return s > 0 ? (uint64_t)((double)nr / s) : 0;
}

#endif
