/* SPDX-License-Identifier: MIT */
/* What verbs share to write for people and for programs. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

#include <jansson.h>

/* Room for what output_bytes() and output_time() write. */
#define OUTPUT_NUMBER 32

/* An amount as people read it, in three or four digits: "512 B",
 * "125.6 GiB". Returns buf. */
const char *output_bytes(int64_t bytes, char buf[OUTPUT_NUMBER]);

/* Nanoseconds as people read them: "250 ns", "1.23 ms", "59.1 s",
 * "12m 05s", "3h 07m". Returns buf. */
const char *output_time(int64_t ns, char buf[OUTPUT_NUMBER]);

/* Whether the locale's characters are UTF-8. */
bool output_utf8(void);

/* A bar of width columns of which part / whole are filled (none of a whole
 * below 1), padded with spaces: blocks where the locale is UTF-8, else '#'. */
void output_bar(FILE *f, int64_t part, int64_t whole, unsigned int width);

/* What stands in one column of such a bar, from 0. */
wchar_t output_bar_column(int64_t part, int64_t whole, unsigned int width,
			  unsigned int column);

/* Whether f is a terminal. */
bool output_is_terminal(FILE *f);

/* Whether to colour what goes to f: a terminal that is not dumb, and no
 * NO_COLOR in the environment (https://no-color.org). */
bool output_colour(FILE *f);

/* The columns of the terminal that f is, else COLUMNS from the environment,
 * else fallback. */
unsigned int output_width(FILE *f, unsigned int fallback);

/*
 * Writes one JSON document to f, on one line, and flushes it. Drops the
 * caller's reference to json, also on failure; NULL, a document that there was
 * no memory for, gives -ENOMEM. Failures are -errno, not yet said to anyone.
 */
int output_json(FILE *f, json_t *json);

#endif
