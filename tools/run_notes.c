// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_notes.h"

void run_note(struct run_notes *notes, const char *format, ...)
{
	char **texts;
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return;
	for (unsigned int i = 0; i < notes->nr; i++)
		if (strcmp(notes->texts[i], text) == 0) {
			free(text);
			return;
		}
	texts = realloc(notes->texts, (notes->nr + 1) * sizeof(*texts));
	if (!texts) {
		free(text);
		return;
	}
	texts[notes->nr++] = text;
	notes->texts = texts;
}

void run_notes_clear(struct run_notes *notes)
{
	for (unsigned int i = 0; i < notes->nr; i++)
		free(notes->texts[i]);
	free(notes->texts);
	notes->texts = NULL;
	notes->nr = 0;
}
