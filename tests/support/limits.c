// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "support/limits.h"
#include "support/machine.h"

static int print(void *arg, const char *problem)
{
	(void)arg;
	print_error("%s\n", problem);
	return 1;
}

void limits_agree(struct tally_ledger *ledger)
{
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_limit_check(view, print, NULL), 0);
	tally_view_close(view);
}

struct tally_limit limits_of_node(struct tally_ledger *ledger, int node)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_limit_node(view, node, 1, &limit), 0);
	tally_view_close(view);
	return limit;
}

void limits_fill(struct tally_ledger *ledger)
{
	static const char *const keys[2] = {"full/a", "full/b"};
	struct tally_demand demand = {0, 1, INT64_MAX};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token t;

	for (int i = 0; i < 2; i++) {
		demand.node = i ? 5 : 0;
		assert_int_equal(
			tally_limit_reserve(ledger,
					    machine_account(ledger, keys[i]),
					    &request, &t, NULL),
			0);
	}
}

void limits_lapse(int64_t lease_ns)
{
	int64_t until = shared_ns() + SHARED_STEP_NS + lease_ns;

	while (shared_ns() < until)
		usleep(1000);
}
