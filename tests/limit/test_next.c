// SPDX-License-Identifier: MIT
/* Iterating over capacities, quotas and reservations. */
#include "support/test.h"

#include <signal.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/machine.h"

enum { EVENTS, MEMORY };

/* cmocka installs a handler of its own in each test. */
static void on_sigbus(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (!tally_reader_sigbus(info))
		abort();
}

static struct tally_token reserve(struct tally_ledger *l,
				  struct tally_account a, int64_t amount)
{
	const struct tally_demand demand = {5, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token token;

	assert_int_equal(tally_limit_reserve(l, a, &request, &token, NULL), 0);
	return token;
}

static void capacities(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;
	unsigned int resource = 77;
	uint64_t cursor = 0;
	int node = 77;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 -ENOENT);
	assert_int_equal(node, 77);
	assert_int_equal(resource, 77);
	assert_int_equal(tally_limit_set_capacity(l, 9, MEMORY, 0), 0);
	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	reserve(l, machine_account(l, "a"), 30);
	cursor = 0;
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 0);
	assert_int_equal(node, 5);
	assert_int_equal(resource, MEMORY);
	assert_int_equal(limit.limit, 100);
	assert_int_equal(limit.held, 30);
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 0);
	assert_int_equal(node, 9);
	assert_int_equal(limit.limit, 0);
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 -ENOENT);
	cursor = UINT64_MAX;
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 -ENOENT);
	limit.size = 0;
	cursor = 0;
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 -EINVAL);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* Accounts with quotas or reservations are few, and far apart. */
static void quotas_and_reservations(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 1000);
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_account accounts[1000], account;
	struct tally_view *view;
	unsigned int resource, nr = 0;
	uint64_t cursor = 0;
	char key[16];

	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "a%u", i);
		accounts[i] = machine_account(l, key);
	}
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_quota_next(view, &cursor, &account,
						&resource, &limit),
			 -ENOENT);
	cursor = 0;
	assert_int_equal(
		tally_limit_reservation_next(view, &cursor, &account, &r),
		-ENOENT);
	for (unsigned int i = 0; i < 1000; i += 333) {
		assert_int_equal(
			tally_limit_set_quota(l, accounts[i], MEMORY, i), 0);
		reserve(l, accounts[i / 2 + 1], i / 2);
	}
	cursor = 0;
	while (!tally_limit_quota_next(view, &cursor, &account, &resource,
				       &limit)) {
		assert_int_equal(resource, MEMORY);
		assert_int_equal(limit.limit, nr * 333);
		assert_memory_equal(&account, &accounts[nr * 333],
				    sizeof(account));
		nr++;
	}
	assert_int_equal(nr, 4);
	nr = 0;
	cursor = 0;
	while (!tally_limit_reservation_next(view, &cursor, &account, &r)) {
		assert_memory_equal(&account, &accounts[nr * 333 / 2 + 1],
				    sizeof(account));
		assert_int_equal(r.state, TALLY_RESERVED);
		assert_int_equal(r.token.row, account.row);
		nr++;
	}
	assert_int_equal(nr, 4);
	cursor = UINT64_MAX;
	assert_int_equal(
		tally_limit_reservation_next(view, &cursor, &account, &r),
		-ENOENT);
	cursor = UINT64_MAX;
	assert_int_equal(tally_limit_quota_next(view, &cursor, &account,
						&resource, &limit),
			 -ENOENT);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* What a gone account left in its row is not met. */
static void gone_accounts_are_not_met(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_account account;
	struct tally_token token;
	struct tally_view *view;
	unsigned int resource;
	uint64_t cursor = 0;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 10), 0);
	token = reserve(l, a, 1);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(
		tally_limit_reservation_next(view, &cursor, &account, &r), 0);
	assert_int_equal(tally_limit_cancel(l, token), 0);
	cursor = 0;
	assert_int_equal(
		tally_limit_reservation_next(view, &cursor, &account, &r),
		-ENOENT);
	cursor = 0;
	assert_int_equal(tally_limit_quota_next(view, &cursor, &account,
						&resource, &limit),
			 -ENOENT);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* A reader sees the same, and learns that its file was cut short. */
static void by_a_reader(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct tally_account a = machine_account(l, "a"), account;
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_reader *reader;
	struct tally_view *view;
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO,
	};
	unsigned int resource;
	uint64_t cursor = 0;
	int node;

	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 10), 0);
	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	reserve(l, a, 1);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(
		tally_limit_reservation_next(view, &cursor, &account, &r), 0);
	cursor = 0;
	assert_int_equal(tally_limit_quota_next(view, &cursor, &account,
						&resource, &limit),
			 0);
	assert_int_equal(limit.limit, 10);
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
	assert_int_equal(truncate(m->path, 4096), 0);
	cursor = 0;
	assert_int_equal(
		tally_limit_reservation_next(view, &cursor, &account, &r),
		-EBADMSG);
	cursor = 0;
	assert_int_equal(tally_limit_quota_next(view, &cursor, &account,
						&resource, &limit),
			 -EBADMSG);
	cursor = 0;
	assert_int_equal(tally_limit_capacity_next(view, &cursor, &node,
						   &resource, &limit),
			 -EBADMSG);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(capacities),
		MACHINE_TEST(quotas_and_reservations),
		MACHINE_TEST(gone_accounts_are_not_met),
		MACHINE_TEST(by_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
