// SPDX-License-Identifier: MIT
/*
 * Goes through the lives of accounts one instruction at a time. Whatever the
 * file holds after any of them is what a kill there leaves: in a copy of it the
 * next process finds each key once and every amount that was counted, and can
 * end all accounts and use all rows again.
 */
#include "config.h"

#include <errno.h>
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

#define SECOND	 INT64_C(1000000000)
#define NR_ROWS	 12
#define PER_LIFE 10 /* events, and memory */

static void check_totals(struct tally_ledger *ledger, int64_t events)
{
	assert_int_equal(machine_total(ledger, 0), events);
}

static int cool(struct tally_ledger *ledger)
{
	for (int i = 0; i < 4; i++) {
		struct tally_view *view;
		int err = tally_view_snapshot(ledger, 0, SECOND, &view);

		if (err)
			return err;
		tally_view_close(view);
	}
	return 0;
}

/* Each account is found by its key, which so is in no other row. */
static void check_keys(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account a, found;
	uint64_t cursor = 0;
	char key[192];

	while (!tally_account_next(accounts, &cursor, &a)) {
		assert_int_equal(tally_account_key(accounts, a, key, 192), 0);
		assert_int_equal(tally_account_find(accounts, key, &found), 0);
		assert_memory_equal(&found, &a, sizeof(a));
	}
}

/* What is owned by one that ends is ending, and who waits for nothing is
 * gone. */
static void check_ends(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account a, owner;
	uint64_t cursor = 0, waited_for = 0, waiting = 0;
	uint32_t holds;

	while (!tally_account_next(accounts, &cursor, &a)) {
		int phase = tally_account_phase(accounts, a);

		assert_int_equal(tally_account_holds(accounts, a, &holds), 0);
		if (phase == TALLY_PHASE_TERMINATING && !holds)
			waiting |= UINT64_C(1) << a.row;
		if (tally_account_owner(accounts, a, &owner))
			continue;
		if (tally_account_phase(accounts, owner) ==
		    TALLY_PHASE_TERMINATING)
			assert_int_equal(phase, TALLY_PHASE_TERMINATING);
		waited_for |= UINT64_C(1) << owner.row;
	}
	assert_int_equal(waiting & ~waited_for, 0);
}

static void end_all(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account a;
	uint64_t cursor = 0;
	uint32_t holds;

	while (!tally_account_next(accounts, &cursor, &a)) {
		assert_int_equal(tally_account_end(accounts, a), 0);
		if (tally_account_holds(accounts, a, &holds))
			continue;
		for (unsigned int i = 0; holds >> i; i++)
			if (holds >> i & 1)
				assert_int_equal(
					tally_account_drop(accounts, a, i), 0);
	}
	cursor = 0;
	assert_int_equal(tally_account_next(accounts, &cursor, &a), -ENOENT);
}

static void use_all_rows(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account a;
	struct tally_view *view;
	int64_t amounts[2];
	char key[32];

	assert_int_equal(tally_view_open(ledger, &view), 0);
	for (int i = 0; i < NR_ROWS; i++) {
		snprintf(key, sizeof(key), "again%d", i);
		assert_int_equal(tally_account_declare(accounts, key, &a), 0);
		assert_int_equal(
			tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			0);
		assert_int_equal(amounts[0], 0);
		assert_int_equal(amounts[1], 0);
	}
	assert_int_equal(tally_account_declare(accounts, "more", &a), -ENOSPC);
	tally_view_close(view);
}

/* Who was killed when it had begun to own does it again. */
static void own_again(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account top, x, owner;
	int err;

	if (tally_account_find(accounts, "top", &top) ||
	    tally_account_find(accounts, "x", &x))
		return;
	err = tally_account_set_owner(accounts, x, top);
	assert_true(!err || err == -ESHUTDOWN);
	if (!err) {
		assert_int_equal(tally_account_owner(accounts, x, &owner), 0);
		assert_memory_equal(&owner, &top, sizeof(top));
	}
}

static void check_copy(const char *path, const int64_t *events)
{
	struct tally_ledger *ledger;

	assert_int_equal(tally_ledger_open(path, &ledger), 0);
	check_totals(ledger, *events);
	check_keys(ledger);
	check_ends(ledger);
	/* Of one that was killed with a snapshot pinned, too. */
	assert_int_equal(cool(ledger), 0);
	check_totals(ledger, *events);
	check_keys(ledger);
	own_again(ledger);
	end_all(ledger);
	assert_int_equal(machine_total(ledger, 1), 0);
	use_all_rows(ledger);
	check_totals(ledger, *events);
	tally_ledger_close(ledger);
}

static struct tally_account find(struct tally_ledger *ledger, const char *key)
{
	struct tally_account a = {0, 0};

	tally_account_find(tally_ledger_accounts(ledger), key, &a);
	return a;
}

static int live(const char *path, void *arg)
{
	struct tally_account top, x, y;
	struct tally_accounts *accounts;
	struct tally_ledger *ledger;
	int err;

	(void)arg;
	if (tally_ledger_open(path, &ledger))
		return 1;
	accounts = tally_ledger_accounts(ledger);
	top = find(ledger, "top");
	if (inside_stop())
		return 2;
	err = tally_account_declare(accounts, "x", &x);
	err |= tally_account_set_owner(accounts, x, top);
	err |= tally_account_hold(accounts, x, 2);
	err |= tally_account_ready(accounts, x);
	err |= tally_account_open(accounts, "y", &y);
	err |= tally_account_end(accounts, y);
	err |= tally_account_end(accounts, top);
	err |= tally_account_drop(accounts, x, 2);
	_exit(err ? 3 : 0);
}

static int clean(const char *path, void *arg)
{
	struct tally_accounts *accounts;
	struct tally_ledger *ledger;
	struct tally_account a;
	int err;

	(void)arg;
	if (tally_ledger_open(path, &ledger))
		return 1;
	accounts = tally_ledger_accounts(ledger);
	if (inside_stop())
		return 2;
	err = cool(ledger);
	err |= tally_account_open(accounts, "used again", &a);
	_exit(err ? 3 : 0);
}

static void add(struct tally_ledger *ledger, const char *key, int64_t *events)
{
	const struct tally_amount amounts[2] = {{0, PER_LIFE}, {1, PER_LIFE}};
	struct tally_account a = machine_account(ledger, key);

	for (int n = 0; n < 3; n++) {
		assert_int_equal(tally_ledger_charge(ledger, a,
						     machine_nodes[n], amounts,
						     2),
				 0);
		*events += PER_LIFE;
	}
}

static void own(struct tally_ledger *ledger, const char *owner, const char *key)
{
	assert_int_equal(tally_account_set_owner(tally_ledger_accounts(ledger),
						 find(ledger, key),
						 find(ledger, owner)),
			 0);
}

/* What has a beginning, a middle and an end is in each list and chain. */
static struct tally_ledger *fill(struct machine *m, int64_t *events)
{
	static const char *const keys[] = {"top", "left", "right", "low",
					   "kept"};
	struct tally_ledger *ledger;

	/* An emulated machine takes minutes for the same instructions, and so
	 * does a sanitizer for the many more that it makes of them. */
	if (getenv("NUMATALLY_GUEST") || getenv("TSAN_OPTIONS"))
		skip();
	machine_few_cpus(m);
	ledger = machine_ledger(m, NR_ROWS);
	add(ledger, "before", events);
	if (cool(ledger))
		skip();
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		add(ledger, keys[i], events);
	own(ledger, "top", "left");
	own(ledger, "top", "right");
	own(ledger, "right", "low");
	assert_int_equal(tally_account_end(tally_ledger_accounts(ledger),
					   find(ledger, "before")),
			 0);
	return ledger;
}

static void write_copy(const struct image *image, const char *path, pid_t pid)
{
	struct layout *copy;

	image_write(image, path);
	copy = inside_open(path);
	/* As if it had been killed: this is not its start time. */
	inside_writer(copy, pid)->start = 1;
	inside_close(copy);
}

static void step_through(struct machine *m,
			 int (*victim)(const char *path, void *arg),
			 int64_t *events)
{
	unsigned int nr_states = 0;
	struct image image;
	char path[128];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/copy", m->dir);
	image_open(&image, m->path);
	alarm(200); /* a list that comes back has no end */
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(victim(m->path, events));
	if (!inside_wait(pid))
		skip();
	do {
		if (!image_changed(&image))
			continue;
		nr_states++;
		write_copy(&image, path, pid);
		check_copy(path, events);
	} while (inside_step(pid));
	print_message("# %u states\n", nr_states);
	assert_true(nr_states > 50);
	image_close(&image);
}

static void killed_while_accounts_live(void **state)
{
	int64_t events = 0;
	struct tally_ledger *ledger = fill(*state, &events);

	step_through(*state, live, &events);
	tally_ledger_close(ledger);
}

static void killed_while_rows_are_cleaned(void **state)
{
	int64_t events = 0;
	struct tally_ledger *ledger = fill(*state, &events);
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);

	assert_int_equal(tally_account_end(accounts, find(ledger, "low")), 0);
	assert_int_equal(tally_account_end(accounts, find(ledger, "left")), 0);
	step_through(*state, clean, &events);
	tally_ledger_close(ledger);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(killed_while_accounts_live),
		T(killed_while_rows_are_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
