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

/* Send them to a collector, by OTLP. */
int export_otlp(struct export_set *set, const char *url, int64_t interval_ns);

/* Look at the ledgers, and put what they have, once or again and again; a put
 * returns 0 or -errno, and prints the error. */
typedef int (*export_put)(void *arg, const struct export_families *families);
int export_repeat(struct export_set *set, int64_t interval_ns,
		  export_put put_them, void *arg);

/* Have SIGINT and SIGTERM end what repeats. */
void export_catch_signals(void);
bool export_is_ended(void);

#endif
