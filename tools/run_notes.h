/* SPDX-License-Identifier: MIT */
/* What could not be done, to be said once, at the end. */
#ifndef RUN_NOTES_H
#define RUN_NOTES_H

struct run_notes {
	char **texts;
	unsigned int nr;
};

/* Adds a note, unless it is there. */
void run_note(struct run_notes *notes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void run_notes_clear(struct run_notes *notes);

#endif
