/* SPDX-License-Identifier: MIT */
/* Text of unknown origin, such as keys of accounts and names of files: any byte
 * may be in it, and none is printed unescaped. */
#ifndef TOOL_COMMON_TEXT_H
#define TOOL_COMMON_TEXT_H

/*
 * Escape bytes for one line of a terminal: control characters, characters of no
 * width, and bytes that are no character of the locale become \xHH each; a
 * backslash becomes two, so that different names stay different. The caller
 * frees the result; NULL: no memory.
 */
char *text_escape(const char *bytes);

/* The same of a text in which backslashes are escaped already. */
char *text_printable(const char *bytes);

/* The words for an error of a file of /proc or /sys. */
const char *text_error(int err);
/* The same of a row of processes. */
const char *text_process_error(int err);

/* The columns of an escaped text. */
unsigned int text_width(const char *escaped);

#endif
