/* SPDX-License-Identifier: MIT */
/* What numatally check has found. */
#ifndef TOOL_CHECK_INTERNAL_H
#define TOOL_CHECK_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/reader.h>

#include "common/ledgers.h"

#define CHECK_MAX_PROBLEMS 100 /* that are told */

/* Pages on one node, or, below 0, pages for which the kernel gave this -errno
 * instead. */
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
	size_t nr_homes, room_homes;
	struct check_page *strays; /* listed only if check.verbose */
	size_t nr_strays, room_strays;
	char *why; /* its pages are unplaced; or NULL */
};

struct check {
	const char *argument;
	char path[PATH_MAX];
	bool verbose;
	struct tally_reader *reader;
	struct ledgers_writers writers;
	uint64_t nr_accounts;
	struct check_node *nodes; /* of this machine, which have regions */
	unsigned int nr_nodes;
	struct tally_placement sum;
	char *problems[CHECK_MAX_PROBLEMS];
	size_t nr_told;	    /* in problems */
	size_t nr_problems; /* of which the first are told */
	bool repair;
	char **repaired; /* the problems that were repaired */
	size_t nr_repaired, room_repaired;
};

/* Add a problem; exit if there is no memory. */
void check_problem(struct check *check, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));

/* Add a problem that was repaired. -ENOMEM */
int check_repaired(void *check, const char *problem);

void check_free_problems(struct check *check);

/* Fill in where the pages of one region are. */
void check_region(struct check *check, const struct tally_view *view,
		  unsigned int index);

/* Fill in why pages are unplaced. */
void check_explain(struct check *check);

/* Add the problems of what the ledger holds. 0 or -errno */
int check_contents(struct check *check, const struct tally_view *view);

/* Print the report. -errno */
int check_text(const struct check *check);
int check_json(const struct check *check);

#endif
