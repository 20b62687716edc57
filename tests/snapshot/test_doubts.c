// SPDX-License-Identifier: MIT
/* Charges in doubt, several in one slot: each names its own accounts, as long as
 * they exist, and none of an earlier one. */
#include "support/test.h"

#include <sys/ptrace.h>

#include <numatally/view.h>

#include "file/layout.h"
#include "support/inside.h"
#include "support/machine.h"

#define MAX_STEPS 200000
#define MOST	  14 /* accounts of a charge: more than a note has room for */

static struct tally_account account(struct tally_ledger *l, unsigned int i)
{
	char key[16];

	snprintf(key, sizeof(key), "a%u", i);
	return machine_account(l, key);
}

/* One event each of so many accounts, from the first on. */
static int post(struct tally_ledger *l, unsigned int first, unsigned int nr)
{
	struct tally_entry entries[MOST];

	for (unsigned int i = 0; i < nr; i++)
		entries[i] =
			(struct tally_entry){account(l, first + i), 5, 0, 1};
	return tally_ledger_post(l, entries, nr);
}

static int post_twice(const char *path, unsigned int first, unsigned int nr)
{
	struct tally_ledger *l;

	/* Populate what the second one needs. */
	if (tally_ledger_open(path, &l) || post(l, first, nr))
		return 1;
	if (inside_stop())
		return 2;
	return post(l, first, nr);
}

/* Kill a process once its charge has named all rows and added something. */
static pid_t kill_in_doubt(struct machine *m, struct tally_ledger *l,
			   unsigned int first, unsigned int nr)
{
	struct layout *inside = inside_open(m->path);
	int nr_steps = 0;
	int64_t before;
	bool traced;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(post_twice(m->path, first, nr));
	traced = inside_wait(pid);
	before = machine_total(l, 0);
	while (traced &&
	       (!inside_nr_inflight(inside) || machine_total(l, 0) == before)) {
		assert_true(nr_steps++ < MAX_STEPS);
		assert_true(inside_step(pid));
	}
	inside_close(inside);
	if (!traced)
		skip();
	inside_kill(m->path, pid);
	return pid;
}

static struct tally_view *snapshot(struct tally_ledger *l)
{
	struct tally_view *view = NULL;
	int err = tally_view_snapshot(l, 0, 10 * SECOND_NS, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	return view;
}

/* The doubt of that number names these accounts; gone: a bit for each that is
 * gone. */
static void names(struct tally_ledger *l, const struct tally_view *view,
		  uint64_t index, pid_t pid, unsigned int first,
		  unsigned int nr, unsigned int gone)
{
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};

	assert_int_equal(tally_view_in_doubt(view, index, &doubt), 0);
	assert_int_equal(doubt.pid, pid);
	assert_int_equal(doubt.nr_accounts, nr);
	for (unsigned int i = 0; i < nr && i < TALLY_IN_DOUBT_ACCOUNTS; i++) {
		struct tally_account a;

		if (gone >> i & 1) {
			assert_int_equal(doubt.accounts[i].generation, 0);
			continue;
		}
		a = account(l, first + i);
		assert_int_equal(doubt.accounts[i].row, a.row);
		assert_int_equal(doubt.accounts[i].generation, a.generation);
	}
	for (unsigned int i = nr; i < TALLY_IN_DOUBT_ACCOUNTS; i++)
		assert_int_equal(doubt.accounts[i].generation, 0);
}

static void of_one_slot(void **state)
{
	static const unsigned int numbers[] = {3, 1, 2, MOST - 2, 1};
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 64);
	struct tally_view *view;
	pid_t pids[5];

	for (unsigned int i = 0; i < MOST; i++)
		account(l, i);
	for (unsigned int i = 0; i < 5; i++) {
		pids[i] = kill_in_doubt(m, l, i, numbers[i]);
		tally_view_close(snapshot(l));
	}
	view = snapshot(l);
	assert_int_equal(tally_view_nr_in_doubt(view), 5);
	for (unsigned int i = 0; i < 5; i++)
		names(l, view, i, pids[i], i, numbers[i], 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void end(struct tally_ledger *l, unsigned int i)
{
	assert_int_equal(
		tally_account_end(tally_ledger_accounts(l), account(l, i)), 0);
}

/* In a snapshot that was taken before an account ended, it still has a name. */
static void of_accounts_that_are_gone(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 64);
	pid_t pid = kill_in_doubt(m, l, 0, 3);
	struct tally_view *view = snapshot(l), *later;
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};

	names(l, view, 0, pid, 0, 3, 0);
	end(l, 1);
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), 0);
	assert_int_not_equal(doubt.accounts[1].generation, 0);
	assert_int_equal(tally_view_open(l, &later), 0);
	names(l, later, 0, pid, 0, 3, 2);
	tally_view_close(later);
	tally_view_close(view);
	machine_reclaim(l);
	/* Its row may be another's by now. */
	account(l, 7);
	account(l, 8);
	view = snapshot(l);
	names(l, view, 0, pid, 0, 3, 2);
	tally_view_close(view);
	tally_ledger_close(l);
}

static int setup(void **state)
{
	if (machine_setup(state))
		return -1;
	machine_few_cpus(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_one_slot, setup,
						machine_teardown),
		cmocka_unit_test_setup_teardown(of_accounts_that_are_gone,
						setup, machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
