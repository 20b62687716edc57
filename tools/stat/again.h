/* SPDX-License-Identifier: MIT */
/* Repeated readings, of --interval and --count. */
#ifndef TOOL_STAT_AGAIN_H
#define TOOL_STAT_AGAIN_H

#include "stat/stat.h"

struct stat_again {
	uint64_t nr; /* readings so far */
	int64_t next_ns;
};

/* Call it before the first reading. SIGINT and SIGTERM then end a sleep, but let
 * a report that is being written finish. */
void stat_again_begin(const struct stat_options *o);

/* Call it at the end: the parent learns of a signal that ended the readings. */
void stat_again_end(void);

/* Call it after a reading, with its time. Sleep until the next one. Returns false
 * if there is none. */
bool stat_again(const struct stat_options *o, struct stat_again *again,
		int64_t time_ns);

#endif
