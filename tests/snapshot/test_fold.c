// SPDX-License-Identifier: MIT
/*
 * Closes and folds a snapshot one instruction at a time. The file after each
 * instruction is what a kill there would leave: a copy of it must have every
 * amount once, before and after the next process finishes the fold.
 */
#include "support/test.h"

#include <signal.h>

#include <numatally/view.h>

#include "support/image.h"
#include "support/machine.h"

struct run {
	struct image image;
	char copy[128]; /* the path of the process that is killed */
	pid_t pid;
	int64_t expected;
	unsigned int nr_states;
};

static void write_copy(const struct run *r)
{
	/* In another file, of which no process has a lock. */
	image_write(&r->image, r->copy);
}

static void check_totals(const struct tally_view *view, int64_t expected)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], expected);
	assert_int_equal(amounts[1], -expected);
}

static void check_copy(struct run *r)
{
	struct tally_ledger *ledger;
	struct tally_view *view;

	r->nr_states++;
	write_copy(r);
	assert_int_equal(tally_ledger_open(r->copy, &ledger), 0);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	check_totals(view, r->expected);
	tally_view_close(view);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &view), 0);
	check_totals(view, r->expected);
	tally_view_close(view);
	assert_int_equal(tally_ledger_fold(ledger, SECOND_NS), 0);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	check_totals(view, r->expected);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static int release(const char *path)
{
	struct tally_ledger *ledger;
	struct tally_view *view;

	if (tally_ledger_open(path, &ledger) ||
	    tally_view_snapshot(ledger, 0, SECOND_NS, &view))
		return 1;
	if (inside_stop())
		return 2;
	tally_view_close(view);
	_exit(tally_ledger_fold(ledger, SECOND_NS) != 0);
}

static void step_through(struct run *r, const char *path)
{
	bool stepped;

	r->pid = fork();
	assert_true(r->pid >= 0);
	if (!r->pid)
		_exit(release(path));
	stepped = inside_wait(r->pid);
	if (!stepped)
		skip();
	do
		if (image_changed(&r->image))
			check_copy(r);
	while (inside_step(r->pid));
}

/* Adds from every allowed CPU, for every node. */
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
	struct run run = {0};

	/* Under emulation these instructions take minutes; a sanitizer adds
	 * many more. */
	if (test_in_guest() || TEST_SANITIZED)
		skip();
	machine_few_cpus(m);
	ledger = machine_ledger(m, 64);
	snprintf(run.copy, sizeof(run.copy), "%s/copy", m->dir);
	image_open(&run.image, m->path);
	/* The first release makes the folded cells; the next one has them. */
	for (int round = 0; round < 2; round++) {
		add_everywhere(ledger, &run.expected);
		step_through(&run, m->path);
	}
	print_message("# %u states\n", run.nr_states);
	/* At least bank, copies, state and zeros of three planes. */
	assert_true(run.nr_states > 24);
	image_close(&run.image);
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
