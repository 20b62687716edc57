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

/*
 * A set of quotas. limit_quotas_open() opens the accounts, without the lock; with
 * it, limit_quotas_prepare() draws back idle credit and touches the rows, before
 * any word of the change is set; then limit_quotas_set() sets them, of @resource
 * or, if that is NULL, of the resource that each quota names.
 *
 * -EINVAL	a quota is negative
 * -ESTALE	an account was ended meanwhile
 * -E2BIG	there are more than fit into a change beside nr_words others
 * others	as tally_account_open() and tally_limit_set_quota()
 */
int limit_quotas_check(const struct tally_ledger *ledger,
		       const struct tally_quota *quotas, unsigned int nr,
		       uint64_t nr_words);
int limit_quotas_open(struct tally_ledger *ledger,
		      const struct tally_quota *quotas, unsigned int nr);
int limit_quotas_prepare(struct tally_ledger *ledger,
			 const struct tally_quota *quotas, unsigned int nr);
int limit_quotas_set(struct tally_ledger *ledger,
		     const struct tally_quota *quotas, unsigned int nr,
		     const unsigned int *resource);

/* Find the account of a key whose row limit_quotas_prepare() touched. -ESTALE */
int limit_quotas_find(const struct tally_ledger *ledger, const char *key,
		      struct tally_account *account);

#endif
