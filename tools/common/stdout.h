/* SPDX-License-Identifier: MIT */
/* Standard output, whose first error is kept until it is closed: stdio keeps no more
 * than that there was one. */
#ifndef TOOL_COMMON_STDOUT_H
#define TOOL_COMMON_STDOUT_H

/* Write out what is buffered. Returns 0, or -errno of this or an earlier failure. */
int stdout_flush(void);

/* Tell of a write that failed with this error. */
void stdout_failed(int error);

/* Close stdout. Returns @status, or 1 if it was 0 and output was lost. */
int stdout_close(int status);

#endif
