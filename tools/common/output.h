/* SPDX-License-Identifier: MIT */
/* Numbers, bars and the properties of a terminal. */
#ifndef TOOL_COMMON_OUTPUT_H
#define TOOL_COMMON_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

/* Room for a number as text. */
#define OUTPUT_NUMBER 32

/* Decimal digits, ten times as fast as printf's. Returns where they begin, in
 * buf. */
const char *output_unsigned(uint64_t n, char buf[OUTPUT_NUMBER]);
const char *output_integer(int64_t n, char buf[OUTPUT_NUMBER]);

/* With three decimals, and an exponent where it has no room otherwise. Returns
 * where it begins, in buf. */
const char *output_decimal(double value, char buf[OUTPUT_NUMBER]);

/* Bytes in three or four digits: "512 B", "125.6 GiB". Returns buf. */
const char *output_bytes(int64_t bytes, char buf[OUTPUT_NUMBER]);

/* A time: "250 ns", "1.23 ms", "59.1 s", "12m 05s", "3h 07m". Returns buf. */
const char *output_time(int64_t ns, char buf[OUTPUT_NUMBER]);

/* Whether the locale's characters are UTF-8. */
bool output_utf8(void);

/* Print a bar of @width columns, @part / @whole of it filled (nothing if @whole
 * is below 1), padded with spaces: blocks in a UTF-8 locale, else '#'. */
void output_bar(FILE *f, int64_t part, int64_t whole, unsigned int width);

/* The character in one column, from 0, of such a bar. */
wchar_t output_bar_column(int64_t part, int64_t whole, unsigned int width,
			  unsigned int column);

/* Whether f is a terminal. */
bool output_is_terminal(FILE *f);

/* Whether to print colours to f: it is a terminal that is not dumb, and NO_COLOR
 * is not in the environment (https://no-color.org). */
bool output_colour(FILE *f);

/* More columns than anything has. */
#define OUTPUT_UNBOUND 1000000

/* The width of the terminal f, else COLUMNS from the environment, else
 * OUTPUT_UNBOUND: what reads a pipe gets all columns. */
unsigned int output_width(FILE *f);

#endif
