/* SPDX-License-Identifier: MIT */
/* What numatally check found. */
#ifndef CHECK_H
#define CHECK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/reader.h>

#include "ledgers.h"

/* Pages that lie on one node, or, below 0, for which the kernel said this
 * -errno instead. */
struct check_home {
	int node;
	uint64_t pages;
};

struct check_page {
	size_t offset; /* in the region */
	int on;	       /* as node in struct check_home */
};

struct check_node {
	int id;
	int bound;    /* as in tally_region */
	int verified; /* as tally_region_verify() */
	struct tally_placement placement;
	struct check_home *homes; /* by node */
	size_t nr_homes;
	struct check_page *strays; /* listed only if check.verbose */
	size_t nr_strays;
	char *why; /* pages are unplaced, or NULL */
};

struct check {
	const char *argument;
	char path[PATH_MAX];
	bool verbose;
	struct tally_reader *reader;
	struct ledgers_writers writers;
	uint64_t nr_accounts;
	struct check_node *nodes;
	unsigned int nr_nodes;
	struct tally_placement sum;
	char **problems;
	size_t nr_told;	    /* of problems */
	size_t nr_problems; /* there may be more */
	bool repair;
	char **repaired; /* problems that there were */
	size_t nr_repaired;
};

/* Write it to stdout. -errno */
int check_text(const struct check *check);
int check_json(const struct check *check);

#endif
