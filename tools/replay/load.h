/* SPDX-License-Identifier: MIT */
/* From files to a trace that can be driven. */
#ifndef TOOL_REPLAY_LOAD_H
#define TOOL_REPLAY_LOAD_H

#include "replay/trace.h"

/*
 * Read the files into *trace, which is all 0 but for until_full. The caller
 * frees the trace, also after a failure. Errors are printed. Those of a line
 * leave its job out, and count in trace->nr_errors; others are returned:
 * -EINVAL, -EBADMSG, -ENOMEM, -E2BIG, or what a read failed with.
 */
int replay_load(struct replay_trace *trace, char **paths, int nr);

/* The nodes' part of it: give nodes of large numbers indices. -ENOMEM, which is
 * printed. */
int replay_place_nodes(struct replay_trace *trace);

/* Sort the events, check their order, which leaves jobs out as above, and give
 * each other job a slot. -EINVAL: errors left no job. -ENOMEM is printed. */
int replay_schedule(struct replay_trace *trace);

#endif
