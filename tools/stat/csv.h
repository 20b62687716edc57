/* SPDX-License-Identifier: MIT */
/*
 * Fields of CSV, on stdout: RFC 4180, but that lines end with a newline alone,
 * as other programs of Linux print and read them.
 */
#ifndef TOOL_STAT_CSV_H
#define TOOL_STAT_CSV_H

#include <stdint.h>

/* Quotes the text if it must be. What is not UTF-8, and control characters,
 * become U+FFFD. */
void stat_csv_text(const char *text);

/* A name without spaces and apostrophes: "private anonymous" becomes
 * private_anonymous. */
void stat_csv_name(const char *name);

void stat_csv_integer(int64_t n);

/* With three decimals. */
void stat_csv_decimal(double value);

/* A time since the epoch, as 2026-11-29T23:59:59.123456Z; nothing of
 * TALLY_UNKNOWN. */
void stat_csv_time(int64_t ns);

#endif
