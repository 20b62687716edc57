// SPDX-License-Identifier: MIT
/*
 * Releases a snapshot one instruction at a time. Whatever the file holds after
 * any of them is what a kill there leaves: a copy of it must have every amount
 * once, before and after the next process goes on with it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/view.h>

#include "image.h"
#include "inside.h"
#include "machine.h"

#define SECOND INT64_C(1000000000)

static void check_totals(const struct tally_view *view, int64_t expected)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], expected);
	assert_int_equal(amounts[1], -expected);
}

static void check_copy(struct image *i, void *arg)
{
	const int64_t *expected = arg;
	struct tally_ledger *ledger;
	struct tally_view *view;

	assert_int_equal(tally_ledger_open(i->copy, &ledger), 0);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	check_totals(view, *expected);
	tally_view_close(view);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND, &view), 0);
	check_totals(view, *expected);
	tally_view_close(view);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	check_totals(view, *expected);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static int release(const char *path, void *arg)
{
	struct tally_ledger *ledger;
	struct tally_view *view;

	if (tally_ledger_open(path, &ledger) ||
	    tally_view_snapshot(ledger, 0, SECOND, &view))
		return 1;
	(void)arg;
	if (inside_stop())
		return 2;
	tally_view_close(view);
	_exit(0);
}

/* Adds from every CPU that it may have, for every node. */
static void add_everywhere(struct tally_ledger *ledger, int64_t *expected)
{
	for (int64_t i = 1; i <= 9; i++) {
		struct tally_account a =
			machine_account(ledger, i % 2 ? "odd" : "even");
		const struct tally_amount amounts[2] = {{0, i}, {1, -i}};

		assert_int_equal(tally_ledger_charge(ledger, a,
						     machine_nodes[i % 3],
						     amounts, 2),
				 0);
		*expected += i;
	}
}

static void a_release_killed_at_each_instruction(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger;
	struct image image;
	int64_t expected = 0;

	/* An emulated machine takes minutes for the same instructions, and so
	 * does a sanitizer for the many more that it makes of them. */
	if (getenv("NUMATALLY_GUEST") || getenv("TSAN_OPTIONS"))
		skip();
	machine_few_cpus(m);
	ledger = machine_ledger(m, 64);
	image_open(&image, m);
	/* The first release makes the settled cells, the next one has them. */
	for (int round = 0; round < 2; round++) {
		add_everywhere(ledger, &expected);
		if (!image_step_through(&image, m->path, release, check_copy,
					&expected))
			skip();
	}
	print_message("# %u states\n", image.nr_states);
	/* Bank, settled cells, state and zeros of three planes, at least. */
	assert_true(image.nr_states > 24);
	image_close(&image);
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_release_killed_at_each_instruction, machine_setup,
			machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
