/* SPDX-License-Identifier: MIT */
/* What our own outputs of numatally stat share: how they go on. */
#ifndef STAT_AGAIN_H
#define STAT_AGAIN_H

#include "stat.h"

struct stat_again {
	uint64_t nr; /* looks so far */
	int64_t next_ns;
};

/* Before the first look. What is being written when a signal comes is written
 * to its end. */
void stat_again_begin(const struct stat_options *o);

/* After a look that was made at that time: whether there is another one to be
 * made, once it is time for it. */
bool stat_again(const struct stat_options *o, struct stat_again *again,
		int64_t time_ns);

/* Writes a field of CSV (RFC 4180). */
void stat_csv_text(const char *text);

#endif
