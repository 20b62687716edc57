// SPDX-License-Identifier: MIT
/* Gauges are set. */
#include "support/test.h"

#include <numatally/view.h>

#include "support/machine.h"

#define NR 4
enum { COUNTER, GAUGE, GAUGES, CORES };

static const struct tally_resource resources[NR] = {
	{"a", "", TALLY_COUNTER},
	{"b", "", TALLY_GAUGE},
	{"c", "", TALLY_GAUGE},
	{"cores", "", TALLY_RESERVABLE},
};

static struct tally_ledger *make(struct machine *m)
{
	struct tally_ledger *l = NULL;

	assert_int_equal(
		tally_ledger_create(NULL, m->topo, resources, NR, NULL, &l), 0);
	return l;
}

static void a_gauge_is_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	const int64_t values[] = {100, 7, 7, -3, INT64_MIN, INT64_MAX, 0};

	assert_int_equal(tally_ledger_add(l, a, GAUGE, 5), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct tally_amount to[2] = {{GAUGE, values[i]},
						   {GAUGES, (int64_t)i}};

		for (int n = 0; n < 3; n++)
			assert_int_equal(
				tally_ledger_set(l, a, machine_nodes[n], to, 2),
				0);
		for (int n = 0; n < 3; n++) {
			assert_int_equal(
				machine_amount(l, a, machine_nodes[n], GAUGE),
				values[i]);
			assert_int_equal(
				machine_amount(l, a, machine_nodes[n], GAUGES),
				i);
		}
	}
	assert_int_equal(tally_ledger_add(l, a, GAUGE, 5), 0);
	assert_int_equal(machine_amount(l, a, TALLY_VIEW_ALL, GAUGE), 5);
	tally_ledger_close(l);
}

/* Of a gauge named twice, the last amount counts. */
static void a_gauge_is_set_twice(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	const struct tally_amount to[] = {{GAUGE, 40}, {GAUGES, 1}, {GAUGE, 9}};

	assert_int_equal(tally_ledger_set(l, a, 9, to, 3), 0);
	assert_int_equal(machine_amount(l, a, 9, GAUGE), 9);
	assert_int_equal(machine_amount(l, a, 9, GAUGES), 1);
	assert_int_equal(tally_ledger_set(l, a, 9, NULL, 0), 0);
	tally_ledger_close(l);
}

/* A snapshot keeps what was set before it. */
static void a_snapshot_keeps_what_was_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	struct tally_amount to = {GAUGE, 40};
	struct tally_view *view;
	int64_t amounts[NR];
	int err;

	assert_int_equal(tally_ledger_set(l, a, 5, &to, 1), 0);
	err = tally_view_snapshot(l, 0, INT64_MAX, &view);
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	to.amount = 3;
	assert_int_equal(tally_ledger_set(l, a, 5, &to, 1), 0);
	assert_int_equal(tally_view_account(view, a, 5, amounts), 0);
	assert_int_equal(amounts[GAUGE], 40);
	tally_view_close(view);
	assert_int_equal(machine_amount(l, a, 5, GAUGE), 3);
	tally_ledger_close(l);
}

static void counters_and_reservables_are_not_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	const unsigned int none[] = {COUNTER, CORES, NR, UINT32_MAX};

	for (int i = 0; i < 4; i++) {
		const struct tally_amount to[2] = {{GAUGE, 1}, {none[i], 1}};

		assert_int_equal(tally_ledger_set(l, a, 5, to, 2), -EINVAL);
		assert_int_equal(tally_ledger_set(l, a, 7, to, 1), -ENOENT);
		assert_int_equal(
			tally_ledger_set(l, a, TALLY_NODE_LOCAL, to, 1),
			-ENOENT);
	}
	machine_is_empty(l);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(
		tally_ledger_set(l, a, 5, &(struct tally_amount){GAUGE, 1}, 1),
		-ESTALE);
	tally_ledger_close(l);
}

/* The gauges of a gone account are in no total. */
static void a_gone_gauge_is_no_total(void **state)
{
	const struct tally_amount to[2] = {{GAUGE, 40}, {GAUGES, -4}};
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	struct tally_view *view;
	int64_t amounts[NR];

	assert_int_equal(tally_ledger_set(l, a, 5, to, 2), 0);
	assert_int_equal(tally_ledger_add(l, a, COUNTER, 6), 0);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[COUNTER], 6);
	assert_int_equal(amounts[GAUGE], 0);
	assert_int_equal(amounts[GAUGES], 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_gauge_is_set),
		MACHINE_TEST(a_gauge_is_set_twice),
		MACHINE_TEST(a_snapshot_keeps_what_was_set),
		MACHINE_TEST(counters_and_reservables_are_not_set),
		MACHINE_TEST(a_gone_gauge_is_no_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
