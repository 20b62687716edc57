/* SPDX-License-Identifier: MIT */
/*
 * A trace is driven through the library.
 *
 * Threads take the events in their order, one by one; an event waits for those
 * of its slot that come before, which other threads have taken. So with one
 * thread the order is that of the trace, and with several it is theirs to race
 * for, but for what depends on each other.
 */
#ifndef REPLAY_DRIVE_H
#define REPLAY_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "replay_log.h"
#include "replay_place.h"
#include "replay_times.h"

#define REPLAY_MAX_THREADS 256

struct replay_counts {
	uint64_t admitted, refused; /* reserves */
	uint64_t skipped;	    /* events of what was refused */
	uint64_t wide;		    /* of the refused: never asked for */
	uint64_t conflicts;	    /* others took the room that was seen */
	uint64_t done;		    /* events */
};

/* What a cell is like at the end, as the library says. */
struct replay_cell_end {
	int64_t peak;
	int64_t held; /* when the last event was over */
	int64_t left; /* when all had been given back */
	uint64_t nr_refused;
};

struct replay_setup {
	const struct replay_trace *trace;
	const struct replay_machines *machines;
	enum replay_policy policy;
	unsigned int nr_threads;
	bool logs;
	bool progress; /* said on stderr */
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

/* -errno, which has been said; there is something to free whatever it
 * returns. */
int replay_drive(const struct replay_setup *setup,
		 struct replay_result *result);
void replay_result_free(struct replay_result *result);

#endif
