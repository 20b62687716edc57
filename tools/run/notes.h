/* SPDX-License-Identifier: MIT */
/* What could not be done: printed once, at the end. */
#ifndef TOOL_RUN_NOTES_H
#define TOOL_RUN_NOTES_H

#include <stddef.h>

struct run_notes {
	char **texts;
	size_t nr, room;
};

/* Add a note, unless it is there already. */
void run_note(struct run_notes *notes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void run_notes_clear(struct run_notes *notes);

#endif
