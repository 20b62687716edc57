/* SPDX-License-Identifier: MIT */
#ifndef LIMIT_QUOTA_H
#define LIMIT_QUOTA_H

#include "limit/cells.h"

/*
 * Set the quota of an account whose row is touched (limit_touch()). The first
 * quota of an account changes LIMIT_QUOTA_WORDS; another one changes one.
 * The caller must hold the lock, have drawn back idle credit, and undo on
 * failure. Errors as tally_limit_set_quota().
 */
#define LIMIT_QUOTA_WORDS(nr_resources) (2 * (nr_resources) + 2)
int limit_quota_set(struct tally_ledger *ledger, struct tally_account account,
		    unsigned int resource, int64_t quota);

#endif
