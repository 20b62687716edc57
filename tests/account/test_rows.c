// SPDX-License-Identifier: MIT
/* Rows of accounts that ended: what was counted stays, and they are used again. */
#include "support/test.h"

#include "support/accounts.h"
#include "support/machine.h"
#include "support/values.h"

static void check_totals(const struct tally_view *view, int64_t events,
			 int64_t memory)
{
	int64_t amounts[2], sums[2] = {0, 0};

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], 3 * events);
	assert_int_equal(amounts[1], 3 * memory);
	for (int n = 0; n < 3; n++) {
		assert_int_equal(
			tally_view_totals(view, machine_nodes[n], amounts), 0);
		sums[0] += amounts[0];
		sums[1] += amounts[1];
	}
	assert_int_equal(sums[0], 3 * events);
	assert_int_equal(sums[1], 3 * memory);
}

static void totals_keep_what_was_counted(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 100);
	struct tally_account kept = machine_account(ledger, "kept");
	struct tally_view *view;
	int64_t events = 5;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	add(ledger, kept, 5, 10);
	for (int i = 1; i <= 50; i++) {
		struct tally_account a = machine_account(ledger, "short");

		add(ledger, a, i, 1000);
		events += i;
		check_totals(view, events, 1010);
		assert_int_equal(tally_account_end(of(ledger), a), 0);
		check_totals(view, events, 10);
		/* Some accounts end before their amounts are folded, some
		 * after. */
		if (i % 4 == 0)
			machine_reclaim(ledger);
		check_totals(view, events, 10);
	}
	machine_reclaim(ledger);
	check_totals(view, events, 10);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static void rows_are_used_again(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 4);
	struct tally_account kept = machine_account(ledger, "kept");
	struct tally_view *view;
	int64_t amounts[2];
	char key[32];

	assert_int_equal(tally_view_open(ledger, &view), 0);
	add(ledger, kept, 1, 1);
	for (int i = 0; i < 300; i++) {
		struct tally_account a;
		int err;

		snprintf(key, sizeof(key), "k%d", i);
		err = tally_account_open(of(ledger), key, &a);
		if (err == -ENOSPC && i < 4)
			skip(); /* membarrier(2) is refused */
		assert_int_equal(err, 0);
		assert_in_range(a.row, 1, 3);
		assert_int_equal(
			tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			0);
		assert_int_equal(amounts[0], 0);
		assert_int_equal(amounts[1], 0);
		add(ledger, a, 1, 1);
		assert_int_equal(tally_account_end(of(ledger), a), 0);
	}
	check_totals(view, 301, 1);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static void a_full_directory_is_an_error(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 2);
	struct tally_account a = machine_account(ledger, "a"), b;
	struct tally_view *view;

	machine_account(ledger, "b");
	assert_int_equal(tally_account_declare(of(ledger), "c", &b), -ENOSPC);
	machine_reclaim(ledger);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &view), 0);
	assert_int_equal(tally_account_end(of(ledger), a), 0);
	/* The snapshot still shows it. */
	assert_int_equal(tally_account_open(of(ledger), "c", &b), -ENOSPC);
	tally_view_close(view);
	assert_int_equal(tally_account_open(of(ledger), "c", &b), 0);
	assert_int_equal(b.row, a.row);
	tally_ledger_close(ledger);
}

struct seen {
	int64_t old, new, others;
};

static int see(void *arg, const struct value *value)
{
	struct seen *s = arg;

	if (!strcmp(value->key, "old"))
		s->old += value->amount;
	else if (!strcmp(value->key, "new"))
		s->new += value->amount;
	else
		s->others += value->amount;
	return 0;
}

static struct seen look(const struct tally_view *view)
{
	struct seen s = {0};

	assert_int_equal(values_each(view, see, &s), 0);
	return s;
}

static void a_snapshot_shows_accounts_that_ended_since(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account old, new, early = machine_account(ledger, "early");
	struct tally_view *live, *before, *after;
	int64_t amounts[2];
	struct seen s;
	int err;

	old = machine_account(ledger, "old");
	add(ledger, old, 10, 100);
	add(ledger, early, 1, 1);
	assert_int_equal(tally_account_end(of(ledger), early), 0);
	assert_int_equal(tally_view_open(ledger, &live), 0);
	err = tally_view_snapshot(ledger, 0, SECOND_NS, &before);
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	add(ledger, old, 10, 100);
	assert_int_equal(tally_account_end(of(ledger), old), 0);
	new = machine_account(ledger, "new");
	add(ledger, new, 7, 7);
	check_totals(before, 11, 100);
	check_totals(live, 28, 7);
	s = look(before);
	assert_int_equal(s.old, 330);
	assert_int_equal(s.new, 0);
	assert_int_equal(s.others, 0);
	s = look(live);
	assert_int_equal(s.old, 0);
	assert_int_equal(s.new, 42);
	assert_int_equal(
		tally_view_account(before, old, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], 30);
	assert_int_equal(
		tally_view_account(before, early, TALLY_VIEW_ALL, amounts),
		-ESTALE);
	assert_int_equal(tally_view_account(live, old, TALLY_VIEW_ALL, amounts),
			 -ESTALE);
	tally_view_close(before);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &after), 0);
	check_totals(after, 28, 7);
	assert_int_equal(look(after).old, 0);
	assert_int_equal(
		tally_view_account(after, old, TALLY_VIEW_ALL, amounts),
		-ESTALE);
	tally_view_close(after);
	tally_view_close(live);
	tally_ledger_close(ledger);
}

/* An agent opens an account for each command: a million of them, in
 * 1000 rows. */
static void a_million_accounts_in_1000_rows(void **state)
{
	int nr = TEST_SANITIZED || test_in_guest() ? 20000 : 1000000;
	struct tally_ledger *ledger;
	struct tally_account a;
	uint32_t last_row = 0;
	char key[32];

	machine_few_cpus(*state);
	ledger = machine_ledger(*state, 1000);
	machine_reclaim(ledger);
	for (int i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "run/%d/true", i);
		a = machine_account(ledger, key);
		if (a.row > last_row)
			last_row = a.row;
		assert_int_equal(tally_ledger_add(ledger, a, 0, 1), 0);
		assert_int_equal(tally_account_end(of(ledger), a), 0);
	}
	assert_int_equal(machine_total(ledger, 0), nr);
	/* Few rows, so that the file stays small. */
	assert_in_range(last_row, 1, 99);
	machine_reclaim(ledger);
	assert_int_equal(machine_total(ledger, 0), nr);
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(totals_keep_what_was_counted),
		MACHINE_TEST(rows_are_used_again),
		MACHINE_TEST(a_full_directory_is_an_error),
		MACHINE_TEST(a_snapshot_shows_accounts_that_ended_since),
		MACHINE_TEST(a_million_accounts_in_1000_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
