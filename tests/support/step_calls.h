/* SPDX-License-Identifier: MIT */
/* Calls of limits that a test steps through, and what each process did before. */
#ifndef TEST_SUPPORT_STEP_CALLS_H
#define TEST_SUPPORT_STEP_CALLS_H

#include "support/test.h"

#include <numatally/limit.h>

#include "support/machine.h"

enum { CORES, MEMORY };

#define ALL(what) \
	what(0, CORES), what(0, MEMORY), what(5, CORES), what(5, MEMORY)
#define HOLD_2(node, resource)    \
	{                         \
		node, resource, 2 \
	}
#define HOLD_1(node, resource)    \
	{                         \
		node, resource, 1 \
	}
static const struct tally_demand twos[4] = {ALL(HOLD_2)};
static const struct tally_demand ones[4] = {ALL(HOLD_1)};

/* In most tests the last two have quotas. */
enum { JOB, OTHER, TEAM, BATCH, NR_ACCOUNTS };
static const char *const keys[NR_ACCOUNTS] = {
	"batch/team/job",
	"batch/other",
	"batch/team/",
	"batch/",
};

/* A call: what its process does first, and what is stepped. */
struct call {
	const char *name;
	int (*before)(struct tally_ledger *l, struct tally_token *token);
	int (*step)(struct tally_ledger *l, struct tally_token token);
	int result;
	bool no_quotas;
};

static inline struct tally_account find(const struct tally_accounts *accounts,
					int i)
{
	struct tally_account a;

	if (tally_account_find(accounts, keys[i], &a))
		return (struct tally_account){0};
	return a;
}

static inline struct tally_account account(struct tally_ledger *l, int i)
{
	return find(tally_ledger_accounts(l), i);
}

extern const struct call step_calls[];
extern const unsigned int step_nr_calls;

/* Whether what the process did before has lapsed by then. */
bool step_call_lapses(const struct call *call);

#endif
