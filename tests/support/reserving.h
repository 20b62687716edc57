/* SPDX-License-Identifier: MIT */
/* Reservations of memory, of machine_reservables, and what they lead to. */
#ifndef TEST_SUPPORT_RESERVING_H
#define TEST_SUPPORT_RESERVING_H

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static inline struct tally_request
request_of(const struct tally_demand *demands, unsigned int nr)
{
	return (struct tally_request){.size = sizeof(struct tally_request),
				      .demands = demands,
				      .nr_demands = nr};
}

/* Reserves one amount of memory on a node. */
static inline int reserve(struct tally_ledger *l, struct tally_account a,
			  int node, int64_t amount, struct tally_token *token)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = request_of(&demand, 1);

	return tally_limit_reserve(l, a, &request, token, NULL);
}

static inline int64_t held(struct tally_ledger *l, struct tally_account a,
			   int node)
{
	int64_t amounts[2];
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_holding(view, a, node, amounts), 0);
	assert_int_equal(amounts[EVENTS], 0);
	tally_view_close(view);
	return amounts[MEMORY];
}

static inline struct tally_limit of_node(struct tally_ledger *l, int node)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_node(view, node, MEMORY, &limit), 0);
	tally_view_close(view);
	return limit;
}

static inline struct tally_limit of_account(struct tally_ledger *l,
					    struct tally_account a)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_account(view, a, MEMORY, &limit), 0);
	tally_view_close(view);
	return limit;
}

#endif
