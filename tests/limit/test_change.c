// SPDX-License-Identifier: MIT
/* Reservations that grow, shrink and move. */
#include "support/test.h"

#include "support/reserving.h"

static int change(struct tally_ledger *l, struct tally_token t, int node,
		  int64_t amount, int to, int64_t other,
		  struct tally_refusal *refusal)
{
	const struct tally_demand demands[] = {{node, MEMORY, amount},
					       {to, MEMORY, other}};
	const struct tally_request request = request_of(demands, 2);

	return tally_limit_change(l, t, &request, refusal);
}

static void a_reservation_changes(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct tally_token t;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 50), 0);
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 90), 0);
	assert_int_equal(reserve(l, a, 5, 60, &t), 0);
	/* grow */
	assert_int_equal(change(l, t, 5, 20, 0, 0, NULL), 0);
	assert_int_equal(held(l, a, 5), 80);
	assert_int_equal(change(l, t, 5, 11, 0, 0, &refusal), -EDQUOT);
	assert_int_equal(refusal.asked, 11);
	assert_int_equal(refusal.free, 10);
	assert_int_equal(refusal.account.row, a.row);
	/* move: the quota does not refuse it, though it is used up */
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 70), 0);
	assert_int_equal(change(l, t, 5, -40, 0, 40, NULL), 0);
	assert_int_equal(held(l, a, 5), 40);
	assert_int_equal(held(l, a, 0), 40);
	assert_int_equal(change(l, t, 5, -20, 0, 20, &refusal), -ENOSPC);
	assert_int_equal(refusal.node, 0);
	assert_int_equal(refusal.asked, 20);
	assert_int_equal(refusal.free, 10);
	assert_int_equal(held(l, a, 5), 40);
	/* what it gives back on a node counts for what it takes there */
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 40), 0);
	assert_int_equal(change(l, t, 0, -30, 0, 30, NULL), 0);
	/* shrink, to nothing */
	assert_int_equal(change(l, t, 5, -41, 0, 0, NULL), -ERANGE);
	assert_int_equal(change(l, t, 5, INT64_MIN, 0, 0, NULL), -ERANGE);
	assert_int_equal(change(l, t, 9, -1, 0, 0, NULL), -ERANGE);
	assert_int_equal(change(l, t, 5, -40, 0, -39, NULL), 0);
	assert_int_equal(of_account(l, a).held, 1);
	assert_int_equal(change(l, t, 5, 0, 0, -1, NULL), 0);
	assert_int_equal(change(l, t, 5, 0, 0, 1, NULL), -ESTALE);
	assert_int_equal(of_node(l, 0).held, 0);
	limits_agree(l);
	tally_ledger_close(l);
}

static void each_error_of_a_change(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_request request = request_of(NULL, 0);
	const struct tally_demand events = {5, EVENTS, 1};
	struct tally_token t;

	assert_int_equal(reserve(l, a, 5, 60, &t), 0);
	assert_int_equal(change(l, t, 1, 1, 5, 1, NULL), -ENOENT);
	request = request_of(&events, 1);
	assert_int_equal(tally_limit_change(l, t, &request, NULL), -EINVAL);
	request = request_of(NULL, 0);
	request.lease_ns = -1;
	assert_int_equal(tally_limit_change(l, t, &request, NULL), -EINVAL);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(change(l, t, 5, 1, 0, 0, NULL), -ESHUTDOWN);
	assert_int_equal(change(l, t, 5, -20, 0, 0, NULL), 0);
	assert_int_equal(held(l, a, 5), 40);
	assert_int_equal(change(l, t, 5, -40, 0, 0, NULL), 0);
	assert_int_equal(tally_account_phase(tally_ledger_accounts(l), a),
			 -ESTALE);
	limits_agree(l);
	tally_ledger_close(l);
}

static void a_lease_is_renewed(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	const struct tally_demand demand = {5, MEMORY, 1};
	struct tally_request request = request_of(&demand, 1);
	struct tally_token t;

	request.lease_ns = 20000000;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	request = request_of(NULL, 0);
	request.lease_ns = INT64_C(1000000000000);
	assert_int_equal(tally_limit_change(l, t, &request, NULL), 0);
	limits_lapse(20000000);
	assert_int_equal(change(l, t, 5, 1, 0, 0, NULL), 0);
	request.lease_ns = 1;
	assert_int_equal(tally_limit_change(l, t, &request, NULL), 0);
	limits_lapse(1);
	assert_int_equal(change(l, t, 5, 1, 0, 0, NULL), -ESTALE);
	limits_agree(l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_reservation_changes),
		MACHINE_TEST(each_error_of_a_change),
		MACHINE_TEST(a_lease_is_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
