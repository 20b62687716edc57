/* SPDX-License-Identifier: MIT */
/* Where metrics go. Each function prints errors, and returns the exit status. */
#ifndef TOOL_EXPORT_OUTPUT_H
#define TOOL_EXPORT_OUTPUT_H

#include <stdint.h>

#include "export/text.h"

/* Write them into a file, which is replaced by a whole one, or "-", stdout; once, or
 * until a signal every @interval_ns. */
int export_textfile(struct export_set *set, const char *file,
		    enum export_format format, int64_t interval_ns);

/* Have SIGINT and SIGTERM end what repeats. */
void export_catch_signals(void);
bool export_is_ended(void);

#endif
