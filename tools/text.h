/* SPDX-License-Identifier: MIT */
/* Names that others chose: keys of accounts, names of files. They may hold any
 * byte, and are never written as they come. */
#ifndef TEXT_H
#define TEXT_H

#include <jansson.h>

/*
 * The bytes as a line on a terminal can have them: what is no character of the
 * locale, has no width, or is a control character becomes \xHH, byte by byte,
 * and a backslash becomes two, so that different names stay different. The
 * caller frees it; NULL: no memory.
 */
char *text_escape(const char *bytes);

/* The same of a text in which backslashes are escaped already. */
char *text_printable(const char *bytes);

/* How many columns an escaped text takes. */
unsigned int text_width(const char *escaped);

/* The bytes as a JSON string; what is not UTF-8 becomes U+FFFD. */
json_t *text_json(const char *bytes);

/*
 * Adds the bytes to the object as a string, under name; where they are not
 * UTF-8, also as hexadecimal digits under name with "_hex" appended. -1: no
 * memory.
 */
int text_json_set(json_t *object, const char *name, const char *bytes);

#endif
