// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "run/notes.h"

void run_note(struct run_notes *notes, const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return;
	for (size_t i = 0; i < notes->nr; i++)
		if (strcmp(notes->texts[i], text) == 0) {
			free(text);
			return;
		}
	if (array_reserve(notes->texts, notes->room, notes->nr + 1))
		free(text);
	else
		notes->texts[notes->nr++] = text;
}

void run_notes_clear(struct run_notes *notes)
{
	for (size_t i = 0; i < notes->nr; i++)
		free(notes->texts[i]);
	free(notes->texts);
	*notes = (struct run_notes){0};
}
