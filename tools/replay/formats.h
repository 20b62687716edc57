/* SPDX-License-Identifier: MIT */
/*
 * The formats of traces. Whether a file is in one is told by its first line,
 * which is in the reader when the format reads the rest into the trace. Errors
 * are printed where they occur. One of a line leaves its job out; one of the file
 * is returned: -EBADMSG, -EINVAL, -ENOMEM, or what a read failed with.
 */
#ifndef TOOL_REPLAY_FORMATS_H
#define TOOL_REPLAY_FORMATS_H

#include <errno.h>
#include <stdbool.h>

#include "replay/trace.h"

/* The error of the file, if it is more than one of a line. */
static inline int replay_file_error(int err)
{
	return err == -EINVAL ? 0 : err;
}

bool replay_is_machines(const char *line);
bool replay_is_pods(const char *line);
bool replay_is_azure(const char *line);
bool replay_is_swf(const char *line);

int replay_read_machines(struct replay_reader *reader,
			 struct replay_trace *trace);
int replay_read_pods(struct replay_reader *reader, struct replay_trace *trace);
int replay_read_azure(struct replay_reader *reader, struct replay_trace *trace);
int replay_read_swf(struct replay_reader *reader, struct replay_trace *trace);
int replay_read_csv(struct replay_reader *reader, struct replay_trace *trace);

#endif
