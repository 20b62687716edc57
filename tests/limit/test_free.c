// SPDX-License-Identifier: MIT
/* What an account could reserve, and whether a request would be granted. */
#include "support/test.h"

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static int64_t free_of(struct tally_ledger *l, struct tally_account a, int node)
{
	struct tally_view *view;
	int64_t amount = -1;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_free(view, a, node, MEMORY, &amount), 0);
	tally_view_close(view);
	return amount;
}

static int ask(struct tally_ledger *l, struct tally_account a, int node,
	       int64_t amount, struct tally_refusal *refusal)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_fits(l, a, &request, refusal);
}

static int reserve(struct tally_ledger *l, struct tally_account a, int node,
		   int64_t amount, int64_t lease_ns, struct tally_token *token)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &demand,
					      .nr_demands = 1,
					      .lease_ns = lease_ns};

	return tally_limit_reserve(l, a, &request, token, NULL);
}

/* What is free is granted, and no more. */
static void free_is(struct tally_ledger *l, struct tally_account a, int node,
		    int64_t amount)
{
	struct tally_token t;

	assert_int_equal(free_of(l, a, node), amount);
	assert_int_equal(ask(l, a, node, amount, NULL), 0);
	assert_int_not_equal(ask(l, a, node, amount + 1, NULL), 0);
	assert_int_equal(reserve(l, a, node, amount, 0, &t), 0);
	assert_int_equal(free_of(l, a, node), 0);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(free_of(l, a, node), amount);
	limits_agree(l);
}

static void the_least_is_free(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "team/batch/a");
	struct tally_account b = machine_account(l, "team/b");
	struct tally_account batch = machine_account(l, "team/batch/");
	struct tally_account team = machine_account(l, "team/");
	struct tally_token t;

	assert_int_equal(free_of(l, a, 5), INT64_MAX);
	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	free_is(l, a, 5, 100);
	assert_int_equal(tally_limit_set_quota(l, team, MEMORY, 90), 0);
	free_is(l, a, 5, 90);
	assert_int_equal(tally_limit_set_quota(l, batch, MEMORY, 80), 0);
	free_is(l, a, 5, 80);
	free_is(l, b, 5, 90);
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 70), 0);
	free_is(l, a, 5, 70);
	assert_int_equal(reserve(l, b, 0, 30, 0, &t), 0);
	free_is(l, a, 5, 60);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_set_quota(l, team, MEMORY, 20), 0);
	assert_int_equal(free_of(l, a, 5), 0);
	assert_int_equal(
		tally_limit_set_quota(l, team, MEMORY, TALLY_LIMIT_NONE), 0);
	free_is(l, a, 5, 70);
	tally_ledger_close(l);
}

static void idle_credit_is_free(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a/a");
	struct tally_account above = machine_account(l, "a/");
	struct tally_credit credit;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 1000), 0);
	assert_int_equal(tally_limit_set_quota(l, above, MEMORY, 900), 0);
	assert_int_equal(tally_limit_credit(l, a, 5, MEMORY, &credit), 0);
	assert_int_equal(tally_limit_take(&credit, 10), 0);
	free_is(l, a, 5, 890);
	free_is(l, machine_account(l, "b"), 5, 990);
	assert_int_equal(tally_limit_give(&credit, 10), 0);
	free_is(l, a, 5, 900);
	tally_ledger_close(l);
}

/* Asking changes no holding, no peak and no count, and says what refuses. */
static void asking_leaves_no_trace(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct tally_token t;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	assert_int_equal(ask(l, a, 5, 100, &refusal), 0);
	assert_int_equal(refusal.asked, 0);
	assert_int_equal(ask(l, a, 5, 101, &refusal), -ENOSPC);
	assert_int_equal(refusal.node, 5);
	assert_int_equal(refusal.resource, MEMORY);
	assert_int_equal(refusal.asked, 101);
	assert_int_equal(refusal.free, 100);
	assert_int_equal(limits_of_node(l, 5).held, 0);
	assert_int_equal(limits_of_node(l, 5).peak, 0);
	assert_int_equal(limits_of_node(l, 5).nr_refused, 0);
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 50), 0);
	assert_int_equal(ask(l, a, 5, 51, &refusal), -EDQUOT);
	assert_int_equal(refusal.account.row, a.row);
	assert_int_equal(reserve(l, a, 5, 1, 0, &t), 0);
	assert_int_equal(ask(l, a, 5, 1, NULL), -EEXIST);
	limits_agree(l);
	tally_ledger_close(l);
}

/* A writer that asks finds a lease ended that ran out. */
static void a_lease_ends(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_token t;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	assert_int_equal(reserve(l, a, 5, 100, 1000000, &t), 0);
	limits_lapse(1000000);
	assert_int_equal(free_of(l, b, 5), 0);
	assert_int_equal(ask(l, b, 5, 100, NULL), 0);
	assert_int_equal(free_of(l, b, 5), 100);
	tally_ledger_close(l);
}

static void each_error(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	const struct tally_account none = {.row = a.row,
					   .generation = a.generation + 1};
	struct tally_view *view;
	int64_t amount = 7;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_free(view, a, 5, EVENTS, &amount),
			 -EINVAL);
	assert_int_equal(tally_limit_free(view, a, 5, 2, &amount), -EINVAL);
	assert_int_equal(tally_limit_free(view, a, 1, MEMORY, &amount),
			 -ENOENT);
	assert_int_equal(tally_limit_free(view, none, 5, MEMORY, &amount),
			 -ESTALE);
	assert_int_equal(ask(l, none, 5, 1, NULL), -ESTALE);
	assert_int_equal(ask(l, a, 1, 1, NULL), -ENOENT);
	assert_int_equal(ask(l, a, 5, -1, NULL), -EINVAL);
	assert_int_equal(tally_account_pin(tally_ledger_accounts(l), a, 0), 0);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(tally_limit_free(view, a, 5, MEMORY, &amount),
			 -ESHUTDOWN);
	assert_int_equal(ask(l, a, 5, 1, NULL), -ESHUTDOWN);
	assert_int_equal(amount, 7);
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(the_least_is_free),
		MACHINE_TEST(idle_credit_is_free),
		MACHINE_TEST(asking_leaves_no_trace),
		MACHINE_TEST(a_lease_ends),
		MACHINE_TEST(each_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
