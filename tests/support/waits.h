/* SPDX-License-Identifier: MIT */
/* What tests share of waiting for room. */
#ifndef TEST_SUPPORT_WAITS_H
#define TEST_SUPPORT_WAITS_H

#include "support/test.h"

#include <numatally/limit.h>

#include "limit/room.h"
#include "support/machine.h"
#include "support/sleeps.h"

enum { EVENTS, MEMORY };

static const struct tally_request *memory(int node, int64_t amount)
{
	static __thread struct tally_demand demand;
	static __thread struct tally_request request = {
		.size = sizeof(request),
		.nr_demands = 1,
	};

	demand = (struct tally_demand){node, MEMORY, amount};
	request.demands = &demand;
	return &request;
}

static struct tally_token reserve(struct tally_ledger *l, const char *key,
				  int node, int64_t amount)
{
	struct tally_token token;

	assert_int_equal(tally_limit_reserve(l, machine_account(l, key),
					     memory(node, amount), &token,
					     NULL),
			 0);
	return token;
}

/* A ledger with 10 on each node, of which "full" has all on node 0. */
static struct tally_ledger *full(struct machine *m, struct tally_token *token)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);

	for (int i = 0; i < 3; i++)
		assert_int_equal(tally_limit_set_capacity(l, machine_nodes[i],
							  MEMORY, 10),
				 0);
	*token = reserve(l, "full", machine_nodes[0], 10);
	return l;
}

/* Give the whole reservation back. */
static int release(struct tally_ledger *l, struct tally_token token)
{
	return tally_limit_release(l, token, NULL, 0);
}

#endif
