/* SPDX-License-Identifier: MIT */
/* Short forms of what tests do with accounts. */
#ifndef TEST_SUPPORT_ACCOUNTS_H
#define TEST_SUPPORT_ACCOUNTS_H

#include "support/test.h"

#include "support/machine.h"

static inline struct tally_accounts *of(struct tally_ledger *ledger)
{
	return tally_ledger_accounts(ledger);
}

static inline void add(struct tally_ledger *ledger, struct tally_account a,
		       int64_t events, int64_t memory)
{
	const struct tally_amount amounts[2] = {{0, events}, {1, memory}};

	for (int n = 0; n < 3; n++)
		assert_int_equal(tally_ledger_charge(ledger, a,
						     machine_nodes[n], amounts,
						     2),
				 0);
}

#endif
