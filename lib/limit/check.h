/* SPDX-License-Identifier: MIT */
/* limit_check: what the files of tally_limit_check() share. */
#ifndef LIMIT_CHECK_H
#define LIMIT_CHECK_H

#include "file/reserved.h"
#include "limit/cells.h"

#define LIMIT_CHECK_PROBLEMS 1000

struct limit_check {
	const struct tally_view *view;
	const struct layout *layout;
	const struct tally_accounts *accounts;
	uint32_t nr_nodes;
	uint32_t nr_resources;
	struct tally_ledger *repaired; /* NULL: check only */
	int err;

	char **problems; /* [LIMIT_CHECK_PROBLEMS] */
	unsigned int nr_problems;

	uint64_t nr_reserved; /* uncommitted reservations */
	uint64_t nr_leased;   /* of these, with a lease */
	bool unsorted;	      /* their lists or the heap are wrong */
	uint64_t nr_leases;
	uint64_t *leases;	 /* [nr_leased]: words of the heap */
	uint64_t nr_quotas;	 /* rows that ever had a quota */
	unsigned int max_quotas; /* for array_reserve() */
	uint32_t *quotas;	 /* these rows, ascending */
	int64_t *of_quotas;	 /* [nr_quotas][nr_resources]: sums */
	int64_t *of_nodes;	 /* [nr_nodes][nr_resources] */
	int64_t *of_row;	 /* [nr_resources] */
	char *key;
	char node[280]; /* check_node() */

	uint64_t nr_holdings;	/* places */
	unsigned char *reached; /* [nr_holdings]: by a list */

	uint64_t nr_drawn; /* places */
	int64_t *of_drawn; /* [nr_drawn][nr_resources]: sums of children's */

	uint64_t nr_credits;
	uint64_t *credits; /* indices of those in use, sorted by row */
};

/* Note a problem; forget all that were noted. */
void check_tell(struct limit_check *check, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));
void check_forget(struct limit_check *check);

/* Name a node for a problem, until the next one is named. */
const char *check_node(struct limit_check *check, uint32_t node);

/* Set a word that follows from others, if the ledger is being repaired. */
void check_put(struct limit_check *check, const void *word, uint64_t value);

/* Check that each holding is on its row's list, and each free place on theirs.
 * Mend the lists. */
void check_holdings(struct limit_check *check);

/* Check that each child's parent is there, has it on its list, and counts what it
 * has; mend these. After check_holdings(). */
void check_families(struct limit_check *check);

/* Check that each holding is in its node's roster, and nothing else. Make
 * rosters anew that are wrong. After check_holdings(). */
void check_rosters(struct limit_check *check);

/* Check each credit, and sort those in use. */
void check_credits(struct limit_check *check);

/* Add what the row's credits have taken to of_row and of_nodes. Return whether
 * it has any, and set their account. */
bool check_add_credits(struct limit_check *check, uint32_t row,
		       struct tally_account *account);

/* Find the rows that ever had a quota. */
void check_find_quotas(struct limit_check *check);

/* Add of_row to the sums for the row's quotas. */
void check_add_quota(struct limit_check *check, uint32_t row);

/* Add of_row to the sums for the quotas of accounts above. */
void check_add_above(struct limit_check *check, struct tally_account account);

/* Check a row's quotas; and, once every row was added, compare the sums with
 * the quotas of rows that ever had one. */
void check_quotas(struct limit_check *check, uint32_t row);
void check_compare_quotas(struct limit_check *check);

/* Count an uncommitted reservation; and, once every row was counted, check their
 * lists and leases, and make them anew if the ledger is being repaired. */
void check_uncommitted_row(struct limit_check *check, uint32_t row,
			   const struct layout_reservation *reservation);
void check_uncommitted(struct limit_check *check);

static inline const char *check_name(const struct limit_check *c,
				     uint32_t resource)
{
	return resource < tally_view_nr_resources(c->view)
		       ? tally_view_resource(c->view, resource)->name
		       : "a spare column";
}

/* Whether the row's reservation and quotas exist. */
static inline bool check_exists(const struct limit_check *c, uint32_t row)
{
	return __atomic_load_n(layout_populated(c->layout, row),
			       __ATOMIC_ACQUIRE) != 0;
}

static inline int64_t check_amount(const void *word)
{
	return (int64_t)limit_get(word);
}

/* Wraps: the words may be damaged. */
static inline void check_add(int64_t *sum, int64_t n)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)n);
}

#endif
