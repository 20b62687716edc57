// SPDX-License-Identifier: MIT
/* Sets of limits that replace each other. */
#include "support/test.h"

#include <pthread.h>

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static int64_t quota_of(struct tally_ledger *l, const char *key)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_account(view, machine_account(l, key),
					     MEMORY, &limit),
			 0);
	tally_view_close(view);
	return limit.limit;
}

static void a_set_and_the_former_one(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_capacity capacities[] = {{5, MEMORY, 10}, {0, MEMORY, 20}};
	struct tally_quota quotas[] = {{"a/", MEMORY, 30}, {"b", MEMORY, 40}};

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 1), 0);
	assert_int_equal(
		tally_limit_set_quota(l, machine_account(l, "a/"), MEMORY, 3),
		0);
	assert_int_equal(tally_limit_exchange(l, capacities, 2, quotas, 2), 0);
	assert_int_equal(limits_of_node(l, 5).limit, 10);
	assert_int_equal(limits_of_node(l, 0).limit, 20);
	assert_int_equal(quota_of(l, "a/"), 30);
	assert_int_equal(quota_of(l, "b"), 40);
	assert_int_equal(capacities[0].capacity, 1);
	assert_int_equal(capacities[1].capacity, TALLY_LIMIT_NONE);
	assert_int_equal(quotas[0].quota, 3);
	assert_int_equal(quotas[1].quota, TALLY_LIMIT_NONE);
	assert_int_equal(tally_limit_exchange(l, capacities, 2, quotas, 2), 0);
	assert_int_equal(limits_of_node(l, 5).limit, 1);
	assert_int_equal(limits_of_node(l, 0).limit, TALLY_LIMIT_NONE);
	assert_int_equal(quota_of(l, "a/"), 3);
	assert_int_equal(quota_of(l, "b"), TALLY_LIMIT_NONE);
	assert_int_equal(capacities[0].capacity, 10);
	assert_int_equal(tally_limit_exchange(l, NULL, 0, NULL, 0), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

/* A set of which one is wrong changes nothing, of the ledger or the set. */
static void refused(struct tally_ledger *l, int err,
		    struct tally_capacity capacity, struct tally_quota quota)
{
	struct tally_capacity capacities[] = {{5, MEMORY, 10}, capacity};
	struct tally_quota quotas[] = {{"new/", MEMORY, 10}, quota};
	struct tally_account none;

	assert_int_equal(tally_limit_exchange(l, capacities, 2, quotas, 2),
			 err);
	assert_int_equal(
		tally_account_find(tally_ledger_accounts(l), "new/", &none),
		-ENOENT);
	assert_int_equal(capacities[0].capacity, 10);
	assert_int_equal(limits_of_node(l, 5).limit, TALLY_LIMIT_NONE);
}

static void found_late(struct tally_ledger *l)
{
	struct tally_capacity capacities[] = {{0, MEMORY, 20}, {5, MEMORY, 10}};
	struct tally_quota quotas[] = {{"new/", MEMORY, 10},
				       {"full/", MEMORY, 9}};

	limits_fill(l);
	assert_int_equal(tally_limit_exchange(l, capacities, 2, quotas, 2),
			 -EOVERFLOW);
	assert_int_equal(capacities[0].capacity, 20);
	assert_int_equal(limits_of_node(l, 0).limit, TALLY_LIMIT_NONE);
	assert_int_equal(limits_of_node(l, 5).limit, TALLY_LIMIT_NONE);
	assert_int_equal(quota_of(l, "new/"), TALLY_LIMIT_NONE);
}

static void each_error(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_capacity *many = calloc(4097, sizeof(*many));
	const struct tally_capacity good = {0, MEMORY, 4};
	const struct tally_quota allowed = {"a", MEMORY, 4};
	char deep[256] = "";

	assert_non_null(many);
	for (int i = 0; i < 25; i++)
		strcat(deep, "a/");
	refused(l, -ENOENT, (struct tally_capacity){1, MEMORY, 4}, allowed);
	refused(l, -EINVAL, (struct tally_capacity){0, EVENTS, 4}, allowed);
	refused(l, -EINVAL, (struct tally_capacity){0, MEMORY, -1}, allowed);
	refused(l, -EINVAL, good, (struct tally_quota){"a", EVENTS, 4});
	refused(l, -EINVAL, good, (struct tally_quota){"a", MEMORY, -1});
	refused(l, -EINVAL, good, (struct tally_quota){"", MEMORY, 1});
	refused(l, -E2BIG, good, (struct tally_quota){deep, MEMORY, 1});
	memset(deep, 'a', sizeof(deep) - 1);
	refused(l, -ENAMETOOLONG, good, (struct tally_quota){deep, MEMORY, 1});
	found_late(l);
	for (int i = 0; i < 4097; i++)
		many[i] = (struct tally_capacity){0, MEMORY, i};
	assert_int_equal(tally_limit_exchange(l, many, 4097, NULL, 0), -E2BIG);
	assert_int_equal(tally_limit_exchange(l, many, 4096, NULL, 0), 0);
	assert_int_equal(limits_of_node(l, 0).limit, 4095);
	assert_int_equal(many[4095].capacity, TALLY_LIMIT_NONE);
	free(many);
	tally_ledger_close(l);
}

/* ---- beside requests ------------------------------------------------------ */

struct race {
	struct tally_ledger *ledger;
	bool ends;
};

/* Either node has room for 10, never both. */
static void *exchange(void *arg)
{
	struct race *race = arg;
	struct tally_capacity set[] = {{0, MEMORY, 10}, {5, MEMORY, 0}};

	while (!__atomic_load_n(&race->ends, __ATOMIC_RELAXED)) {
		while (tally_limit_exchange(race->ledger, set, 2, NULL, 0))
			;
	}
	return NULL;
}

static void requests_meet_one_set(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	const struct tally_demand both[] = {{0, MEMORY, 1}, {5, MEMORY, 1}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = both, .nr_demands = 2};
	struct tally_account a = machine_account(l, "a");
	struct tally_capacity set[] = {{0, MEMORY, 0}, {5, MEMORY, 10}};
	struct race race = {.ledger = l};
	struct tally_token t;
	pthread_t thread;

	assert_int_equal(tally_limit_exchange(l, set, 2, NULL, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, exchange, &race), 0);
	for (int i = 0; i < 20000; i++) {
		int err;

		do
			err = tally_limit_reserve(l, a, &request, &t, NULL);
		while (err == -EAGAIN);
		assert_int_equal(err, -ENOSPC);
	}
	__atomic_store_n(&race.ends, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	limits_agree(l);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_set_and_the_former_one),
		MACHINE_TEST(each_error),
		MACHINE_TEST(requests_meet_one_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
