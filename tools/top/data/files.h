/* SPDX-License-Identifier: MIT */
/* What the library does not read of a machine; @root: a captured tree, or NULL
 * for this machine. */
#ifndef TOOL_TOP_DATA_FILES_H
#define TOOL_TOP_DATA_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "top/model/model.h"

/* The load of 1, 5 and 15 minutes; negative: unknown. */
void top_files_load(const char *root, double load[3]);

/* Swap, and what is used of it; TOP_UNKNOWN. */
void top_files_swap(const char *root, int64_t *bytes, int64_t *used_bytes);

/* The command line, with spaces between arguments, cut to the size. False: it has
 * none, or it can't be read. */
bool top_files_command(const char *root, pid_t pid, char *text, size_t size);

#endif
