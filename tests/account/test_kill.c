// SPDX-License-Identifier: MIT
/*
 * Steps through the life of accounts one instruction at a time. The file after
 * each instruction is what a kill there would leave: in a copy of it the next
 * process finds each key once and every amount that was counted, can end all
 * accounts, and can use all rows again.
 */
#include "support/test.h"

#include <numatally/view.h>

#include "support/image.h"
#include "support/inside.h"
#include "support/machine.h"

#define NR_ROWS	 12
#define PER_LIFE 10 /* events, and memory */

static void check_totals(struct tally_ledger *ledger, int64_t events)
{
	assert_int_equal(machine_total(ledger, 0), events);
}

static int reclaim(struct tally_ledger *ledger)
{
	for (int i = 0; i < 4; i++) {
		struct tally_view *view;
		int err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);

		if (err)
			return err;
		tally_view_close(view);
	}
	return 0;
}

/* Each key leads to its own account, so no key is in two rows. */
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

/* What an ending account owns is ending too, and an ending account that waits
 * for nothing is gone. */
static void check_ends(struct tally_ledger *ledger)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account a, owner;
	uint64_t cursor = 0, waited_for = 0, waiting = 0;
	uint32_t pins;

	while (!tally_account_next(accounts, &cursor, &a)) {
		int phase = tally_account_phase(accounts, a);

		assert_int_equal(tally_account_pins(accounts, a, &pins), 0);
		if (phase == TALLY_PHASE_TERMINATING && !pins)
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
	uint32_t pins;

	while (!tally_account_next(accounts, &cursor, &a)) {
		assert_int_equal(tally_account_end(accounts, a), 0);
		if (tally_account_pins(accounts, a, &pins))
			continue;
		for (unsigned int i = 0; pins >> i; i++)
			if (pins >> i & 1)
				assert_int_equal(
					tally_account_unpin(accounts, a, i), 0);
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

/* Sets the owner again, as the process does that was killed while it did. */
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
	/* Also if the process was killed with a snapshot pinned. */
	assert_int_equal(reclaim(ledger), 0);
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
	struct tally_account a;

	if (tally_account_find(tally_ledger_accounts(ledger), key, &a))
		return (struct tally_account){0, 0};
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
	err |= tally_account_pin(accounts, x, 2);
	err |= tally_account_ready(accounts, x);
	err |= tally_account_open(accounts, "y", &y);
	err |= tally_account_end(accounts, y);
	err |= tally_account_end(accounts, top);
	err |= tally_account_unpin(accounts, x, 2);
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
	err = reclaim(ledger);
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

/* Three of each, so that lists and chains have a first, a middle and a last
 * member. */
static struct tally_ledger *fill(struct machine *m, int64_t *events)
{
	static const char *const keys[] = {"top", "left", "right", "low",
					   "kept"};
	struct tally_ledger *ledger;

	/* Under emulation these instructions take minutes; a sanitizer adds
	 * many more. */
	if (test_in_guest() || TEST_TSAN)
		skip();
	machine_few_cpus(m);
	ledger = machine_ledger(m, NR_ROWS);
	add(ledger, "before", events);
	if (reclaim(ledger))
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
	alarm(800); /* a list with a cycle has no end */
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
		image_write(&image, path);
		check_copy(path, events);
	} while (inside_step(pid));
	print_message("# %u states\n", nr_states);
	assert_true(nr_states > 50);
	image_close(&image);
}

static void a_kill_at_any_step_of_a_life(void **state)
{
	int64_t events = 0;
	struct tally_ledger *ledger = fill(*state, &events);

	step_through(*state, live, &events);
	tally_ledger_close(ledger);
}

static void a_kill_at_any_step_of_reclaiming(void **state)
{
	int64_t events = 0;
	struct tally_ledger *ledger = fill(*state, &events);
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);

	assert_int_equal(tally_account_end(accounts, find(ledger, "low")), 0);
	assert_int_equal(tally_account_end(accounts, find(ledger, "left")), 0);
	step_through(*state, clean, &events);
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_kill_at_any_step_of_a_life),
		MACHINE_TEST(a_kill_at_any_step_of_reclaiming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
