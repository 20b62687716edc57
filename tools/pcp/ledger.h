/* SPDX-License-Identifier: MIT */
/* The ledger that the PMDA reads, which may not exist yet, or be made anew. */
#ifndef TOOL_PCP_LEDGER_H
#define TOOL_PCP_LEDGER_H

#include <limits.h>

#include <numatally/reader.h>

struct pcp_ledger {
	const char *name; /* with a '/' in it, a path */
	char path[PATH_MAX];
	struct tally_reader *reader;
	struct tally_reader_info about;
};

/* Open a view of the ledger that has the name now: of a snapshot or, where none is to
 * be had, a live one. 0 or -errno */
int pcp_ledger_view(struct pcp_ledger *ledger, struct tally_view **view);

#endif
