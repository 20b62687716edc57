// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <numatally/view.h>

#include "support/machine.h"
#include "support/values.h"

static void fill(struct tally_ledger *ledger)
{
	char key[16];

	for (int i = 0; i < 200; i++) {
		struct tally_amount charge[2] = {{0, i}, {1, -i}};

		snprintf(key, sizeof(key), "a%d", i);
		assert_int_equal(tally_ledger_charge(
					 ledger, machine_account(ledger, key),
					 machine_nodes[i % 3], charge, 2),
				 0);
	}
}

static void columns_and_nodes(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_view_nr_resources(view), 2);
	assert_string_equal(tally_view_resource(view, 0)->name, "events");
	assert_string_equal(tally_view_resource(view, 1)->unit, "bytes");
	assert_int_equal(tally_view_resource(view, 1)->kind, TALLY_GAUGE);
	assert_int_equal(tally_view_nr_nodes(view), 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(tally_view_node(view, i), machine_nodes[i]);
	tally_view_close(view);
	tally_view_close(NULL);
	tally_ledger_close(ledger);
}

static void totals_by_node_and_account(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	int64_t amounts[2], all = 0;
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	fill(ledger); /* the view is live */
	for (int n = 0; n < 3; n++) {
		int64_t expected = 0;

		for (int i = n; i < 200; i += 3)
			expected += i;
		assert_int_equal(
			tally_view_totals(view, machine_nodes[n], amounts), 0);
		assert_int_equal(amounts[0], expected);
		assert_int_equal(amounts[1], -expected);
		all += expected;
	}
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], all);
	assert_int_equal(tally_view_account(view,
					    machine_account(ledger, "a100"), 5,
					    amounts),
			 0);
	assert_int_equal(amounts[0], 100);
	assert_int_equal(tally_view_account(view,
					    machine_account(ledger, "a100"), 9,
					    amounts),
			 0);
	assert_int_equal(amounts[0], 0);
	assert_int_equal(tally_view_totals(view, 3, amounts), -ENOENT);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static int64_t seen, values;

static int count(void *arg, const struct value *value)
{
	int i = atoi(value->key + 1);

	assert_ptr_equal(arg, &seen);
	assert_int_equal(value->node, machine_nodes[i % 3]);
	assert_int_equal(value->amount, value->resource ? -i : i);
	seen += value->amount > 0 ? value->amount : 0;
	values++;
	return i == 150 ? 42 : 0;
}

static void each_value_once(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_view *view;

	fill(ledger);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	seen = values = 0;
	assert_int_equal(values_each(view, count, &seen), 42);
	assert_int_equal(seen, 150 * 151 / 2);
	assert_int_equal(values, 2 * 149 + 1); /* 0 is no value */
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static void a_key_that_does_not_fit(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "four"),
			     found = {7, 7};
	struct tally_view *view;
	uint64_t cursor = 0;
	char key[5] = "";

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_view_next(view, &cursor, &found, key, 4),
			 -ERANGE);
	assert_int_equal(cursor, 0);
	assert_int_equal(found.row, 7);
	assert_int_equal(tally_view_next(view, &cursor, &found, key, 5), 0);
	assert_string_equal(key, "four");
	assert_int_equal(found.row, a.row);
	assert_int_equal(tally_view_next(view, &cursor, &found, key, 5),
			 -ENOENT);
	cursor = 0;
	assert_int_equal(tally_view_next(view, &cursor, &found, NULL, 0), 0);
	assert_int_equal(found.generation, a.generation);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

/* Opening a view copies headers that lie over the ledger's mapping, and no
 * cell. */
static void slices_lie_in_the_mapping(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	const void *origin, *first_origin;
	unsigned int lanes = 0;
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	tally_view_slice(view, 0, &first_origin);
	for (unsigned int n = 0; n < 3; n++) {
		const struct tally_slice *s =
			tally_view_slice(view, n, &origin);

		assert_ptr_equal(origin, first_origin);
		assert_true(s->len <= s->cap);
		assert_true(s->base % 64 == 0);
		lanes += (unsigned int)s->len;
	}
	assert_int_equal(lanes, MACHINE_LANES);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(columns_and_nodes),
		MACHINE_TEST(totals_by_node_and_account),
		MACHINE_TEST(each_value_once),
		MACHINE_TEST(a_key_that_does_not_fit),
		MACHINE_TEST(slices_lie_in_the_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
