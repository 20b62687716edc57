/* SPDX-License-Identifier: MIT */
/* limit_check: what tally_limit_check() keeps while it looks. */
#ifndef LIMIT_CHECK_H
#define LIMIT_CHECK_H

#include "held.h"
#include "limit_cells.h"

struct limit_check {
	const struct layout *layout;
	const struct tally_accounts *accounts;
	uint32_t nr_nodes;
	uint32_t nr_resources;
	struct layout *repaired; /* NULL: it is looked at only */
	int err;

	char **problems;
	unsigned int nr_problems;

	uint64_t nr_reserved; /* rows in that state */
	uint64_t nr_quotas;   /* rows that ever had one, ... */
	uint64_t max_quotas;  /* ... as many as there is room for, below */
	uint32_t *quotas;     /* ascending */
	int64_t *of_quotas;   /* [nr_quotas][nr_resources]: what counts */
	int64_t *of_nodes;    /* [nr_nodes][nr_resources] */
	int64_t *of_row;      /* [nr_resources] */
	char *key;

	uint64_t nr_credits;
	uint64_t *credits; /* their indices, by row */
};

/* One problem. */
void limit_check_tell(struct limit_check *check, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));

/* Looks at each credit, and sorts those that are in use. */
void limit_check_credits(struct limit_check *check);

/* Adds what credits of the row have taken, to of_row and of_nodes; true: there
 * are some, of that account. */
bool limit_check_add_credits(struct limit_check *check, uint32_t row,
			     struct tally_account *account);

#endif
