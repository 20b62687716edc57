/* SPDX-License-Identifier: MIT */
/* A ledger that is read for long: it may not exist yet, or be made anew. */
#ifndef TOOL_COMMON_FOLLOWED_H
#define TOOL_COMMON_FOLLOWED_H

#include <limits.h>

#include <numatally/reader.h>

struct followed {
	const char *name; /* the caller's; with a '/' in it, a path */
	char path[PATH_MAX];
	struct tally_reader *reader; /* the caller closes it */
	struct tally_reader_info about;
};

/* Open the ledger that has the name now, unless it is open, and describe it. 0 or
 * -errno */
int followed_open(struct followed *ledger);

/* Open a view of an open ledger: of a snapshot or, if none can be had, a live one.
 * 0 or -errno */
int followed_view(struct followed *ledger, struct tally_view **view);

#endif
