// SPDX-License-Identifier: MIT
/* The phases of an account: how it becomes ready, what pins and owners delay, and
 * how it ends. */
#include "support/test.h"

#include <numatally/reader.h>

#include "support/accounts.h"
#include "support/inside.h"
#include "support/machine.h"

static struct tally_account declare(struct tally_ledger *ledger,
				    const char *key)
{
	struct tally_account a = {0, 0};

	assert_int_equal(tally_account_declare(of(ledger), key, &a), 0);
	return a;
}

#define assert_phase(ledger, account, phase) \
	assert_int_equal(tally_account_phase(of(ledger), account), phase)

static void assert_stale(struct tally_ledger *ledger, struct tally_account a,
			 struct tally_account other)
{
	struct tally_accounts *accounts = of(ledger);
	struct tally_account owner;
	struct tally_view *view;
	int64_t amounts[2];
	uint32_t pins;
	char key[192];

	assert_phase(ledger, a, -ESTALE);
	assert_int_equal(tally_ledger_add(ledger, a, 0, 1), -ESTALE);
	assert_int_equal(tally_account_key(accounts, a, key, 192), -ESTALE);
	assert_int_equal(tally_account_ready(accounts, a), -ESTALE);
	assert_int_equal(tally_account_pin(accounts, a, 0), -ESTALE);
	assert_int_equal(tally_account_unpin(accounts, a, 0), -ESTALE);
	assert_int_equal(tally_account_pins(accounts, a, &pins), -ESTALE);
	assert_int_equal(tally_account_end(accounts, a), -ESTALE);
	assert_int_equal(tally_account_owner(accounts, a, &owner), -ESTALE);
	assert_int_equal(tally_account_set_owner(accounts, a, other), -ESTALE);
	assert_int_equal(tally_account_set_owner(accounts, other, a), -ESTALE);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			 -ESTALE);
	tally_view_close(view);
}

static void an_account_goes_through_its_phases(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account other = machine_account(ledger, "other");
	struct tally_account a = declare(ledger, "a"), found = {77, 77};

	assert_phase(ledger, a, TALLY_PHASE_PENDING);
	assert_int_equal(tally_account_declare(of(ledger), "a", &found),
			 -EEXIST);
	assert_int_equal(tally_account_declare(of(ledger), "other", &found),
			 -EEXIST);
	assert_int_equal(tally_account_declare(of(ledger), "", &found),
			 -EINVAL);
	assert_int_equal(found.row, 77);
	found = machine_account(ledger, "a");
	assert_memory_equal(&found, &a, sizeof(a));
	assert_phase(ledger, a, TALLY_PHASE_PENDING);
	assert_int_equal(tally_account_ready(of(ledger), a), 0);
	assert_phase(ledger, a, TALLY_PHASE_READY);
	assert_int_equal(tally_account_ready(of(ledger), a), 0);
	assert_int_equal(tally_account_end(of(ledger), a), 0);
	assert_stale(ledger, a, other);
	assert_int_equal(tally_account_find(of(ledger), "a", &found), -ENOENT);
	a = declare(ledger, "pending");
	assert_int_equal(tally_account_end(of(ledger), a), 0);
	assert_stale(ledger, a, other);
	tally_ledger_close(ledger);
}

static void a_key_is_free_at_once(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account other = machine_account(ledger, "other");
	struct tally_account a[3];

	for (int i = 0; i < 3; i++) {
		a[i] = machine_account(ledger, "a");
		for (int j = 0; j < i; j++) {
			assert_true(a[j].row != a[i].row ||
				    a[j].generation != a[i].generation);
			assert_stale(ledger, a[j], other);
		}
		assert_phase(ledger, a[i], TALLY_PHASE_READY);
		assert_int_equal(tally_account_end(of(ledger), a[i]), 0);
	}
	tally_ledger_close(ledger);
}

static void pins_delay_the_end(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account other = machine_account(ledger, "other");
	struct tally_account a = machine_account(ledger, "a"), again;
	struct tally_accounts *accounts = of(ledger);
	uint32_t pins = 77;

	assert_int_equal(tally_account_pins(accounts, a, &pins), 0);
	assert_int_equal(pins, 0);
	assert_int_equal(tally_account_pin(accounts, a, 0), 0);
	assert_int_equal(tally_account_pin(accounts, a, 23), 0);
	assert_int_equal(tally_account_pin(accounts, a, 23), 0);
	assert_int_equal(tally_account_pin(accounts, a, 7), 0);
	assert_int_equal(tally_account_unpin(accounts, a, 7), 0);
	assert_int_equal(tally_account_end(accounts, a), 0);
	assert_int_equal(tally_account_end(accounts, a), 0);
	assert_phase(ledger, a, TALLY_PHASE_TERMINATING);
	assert_int_equal(tally_account_pin(accounts, a, 7), -ESHUTDOWN);
	assert_int_equal(tally_account_pin(accounts, a, 0), 0);
	assert_int_equal(tally_account_ready(accounts, a), -ESHUTDOWN);
	assert_int_equal(tally_account_set_owner(accounts, a, other),
			 -ESHUTDOWN);
	assert_int_equal(tally_account_set_owner(accounts, other, a),
			 -ESHUTDOWN);
	add(ledger, a, 1, 1);
	again = machine_account(ledger, "a");
	assert_memory_equal(&again, &a, sizeof(a));
	assert_int_equal(tally_account_unpin(accounts, a, 0), 0);
	assert_int_equal(tally_account_unpin(accounts, a, 0), 0);
	assert_int_equal(tally_account_unpin(accounts, a, 7), 0);
	assert_int_equal(tally_account_pins(accounts, a, &pins), 0);
	assert_int_equal(pins, 1 << 23);
	assert_phase(ledger, a, TALLY_PHASE_TERMINATING);
	assert_int_equal(tally_account_unpin(accounts, a, 23), 0);
	assert_stale(ledger, a, other);
	tally_ledger_close(ledger);
}

static void own(struct tally_ledger *ledger, struct tally_account owner,
		struct tally_account account)
{
	struct tally_account found;

	assert_int_equal(tally_account_set_owner(of(ledger), account, owner),
			 0);
	assert_int_equal(tally_account_owner(of(ledger), account, &found), 0);
	assert_memory_equal(&found, &owner, sizeof(owner));
}

static unsigned int count_in(struct tally_ledger *ledger,
			     enum tally_phase phase)
{
	struct tally_account a;
	unsigned int nr = 0;
	uint64_t cursor = 0;

	while (!tally_account_next_in(of(ledger), phase, &cursor, &a)) {
		assert_phase(ledger, a, (int)phase);
		nr++;
	}
	return nr;
}

static void owners_may_be_three_deep(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account other = machine_account(ledger, "other");
	struct tally_account top = machine_account(ledger, "top");
	struct tally_account left = machine_account(ledger, "left");
	struct tally_account right = declare(ledger, "right");
	struct tally_account low = machine_account(ledger, "low");
	struct tally_accounts *accounts = of(ledger);
	struct tally_account found = {77, 77};

	assert_int_equal(tally_account_owner(accounts, top, &found), -ENOENT);
	assert_int_equal(found.row, 77);
	own(ledger, top, left);
	own(ledger, top, right);
	own(ledger, right, low);
	own(ledger, right, low);
	assert_int_equal(tally_account_set_owner(accounts, low, left), -EEXIST);
	assert_int_equal(tally_account_set_owner(accounts, top, top), -ELOOP);
	assert_int_equal(tally_account_set_owner(accounts, top, right), -ELOOP);
	assert_int_equal(tally_account_set_owner(accounts, top, low), -ELOOP);
	assert_int_equal(tally_account_pin(accounts, low, 1), 0);
	/* An owned account ends before its owner. */
	assert_int_equal(tally_account_end(accounts, left), 0);
	assert_phase(ledger, top, TALLY_PHASE_READY);
	left = machine_account(ledger, "left");
	own(ledger, top, left);
	/* The owner waits for what it owns. */
	assert_int_equal(tally_account_end(accounts, top), 0);
	assert_stale(ledger, left, other);
	assert_int_equal(count_in(ledger, TALLY_PHASE_TERMINATING), 3);
	assert_int_equal(count_in(ledger, TALLY_PHASE_READY), 1);
	assert_int_equal(tally_account_unpin(accounts, low, 1), 0);
	assert_stale(ledger, low, other);
	assert_stale(ledger, right, other);
	assert_stale(ledger, top, other);
	assert_phase(ledger, other, TALLY_PHASE_READY);
	tally_ledger_close(ledger);
}

static void an_owner_waits_for_many(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 1000);
	struct tally_account owner = machine_account(ledger, "owner");
	struct tally_account owned[500];
	char key[32];

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 500; i++) {
			snprintf(key, sizeof(key), "%d/%d", round, i);
			owned[i] = machine_account(ledger, key);
			own(ledger, owner, owned[i]);
		}
		for (int i = 0; i < 500; i++)
			if (i % 7 || round < 10)
				assert_int_equal(
					tally_account_end(of(ledger),
							  owned[i * 3 % 500]),
					0);
		machine_reclaim(ledger);
		assert_phase(ledger, owner, TALLY_PHASE_READY);
		if (round < 10)
			continue;
		assert_int_equal(count_in(ledger, TALLY_PHASE_READY), 1 + 72);
		assert_int_equal(tally_account_end(of(ledger), owner), 0);
		assert_int_equal(count_in(ledger, TALLY_PHASE_READY), 0);
		assert_int_equal(count_in(ledger, TALLY_PHASE_TERMINATING), 0);
		owner = machine_account(ledger, "owner");
	}
	tally_ledger_close(ledger);
}

static void a_walk_can_choose_a_phase(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 1000);
	struct tally_account a, first[200];
	uint64_t cursor = 0;
	char key[32];

	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		first[i] = declare(ledger, key);
	}
	assert_int_equal(tally_account_next_in(of(ledger), TALLY_PHASE_READY,
					       &cursor, &a),
			 -ENOENT);
	assert_int_equal(count_in(ledger, TALLY_PHASE_PENDING), 200);
	for (int i = 0; i < 200; i += 63)
		assert_int_equal(tally_account_ready(of(ledger), first[i]), 0);
	cursor = 0;
	for (int i = 0; i < 200; i += 63) {
		assert_int_equal(tally_account_next_in(of(ledger),
						       TALLY_PHASE_READY,
						       &cursor, &a),
				 0);
		assert_memory_equal(&a, &first[i], sizeof(a));
	}
	assert_int_equal(count_in(ledger, TALLY_PHASE_READY), 4);
	assert_int_equal(count_in(ledger, TALLY_PHASE_PENDING), 196);
	assert_int_equal(tally_account_end(of(ledger), first[63]), 0);
	assert_int_equal(count_in(ledger, TALLY_PHASE_READY), 3);
	tally_ledger_close(ledger);
}

static void a_reader_changes_nothing(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_account a = declare(ledger, "a"), b = declare(ledger, "b");
	struct tally_account found;
	struct tally_accounts *accounts;
	struct tally_reader *reader;
	struct tally_view *view;
	uint32_t pins;

	own(ledger, a, b);
	assert_int_equal(tally_account_pin(of(ledger), b, 2), 0);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	accounts = (struct tally_accounts *)tally_view_accounts(view);
	assert_int_equal(tally_account_declare(accounts, "c", &found), -EROFS);
	assert_int_equal(tally_account_ready(accounts, a), -EROFS);
	assert_int_equal(tally_account_set_owner(accounts, b, a), -EROFS);
	assert_int_equal(tally_account_pin(accounts, a, 2), -EROFS);
	assert_int_equal(tally_account_unpin(accounts, b, 2), -EROFS);
	assert_int_equal(tally_account_end(accounts, a), -EROFS);
	assert_int_equal(tally_account_phase(accounts, a), TALLY_PHASE_PENDING);
	assert_int_equal(tally_account_owner(accounts, b, &found), 0);
	assert_memory_equal(&found, &a, sizeof(a));
	assert_int_equal(tally_account_pins(accounts, b, &pins), 0);
	assert_int_equal(pins, 4);
	assert_int_equal(tally_account_end(of(ledger), a), 0);
	assert_int_equal(tally_account_phase(accounts, a),
			 TALLY_PHASE_TERMINATING);
	assert_int_equal(tally_account_unpin(of(ledger), b, 2), 0);
	assert_int_equal(tally_account_phase(accounts, a), -ESTALE);
	assert_int_equal(tally_account_find(accounts, "b", &found), -ENOENT);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(ledger);
}

static void set_owner_word(const char *path, pid_t pid)
{
	struct layout *inside = inside_open(path);
	struct layout_directory *directory =
		(struct layout_directory *)(inside->origin +
					    inside->plan->directory_offset);

	__atomic_store_n(&directory->lock, inside_owner(inside, pid),
			 __ATOMIC_RELEASE);
	inside_close(inside);
}

static void a_process_stopped_in_an_end_is_waited_for(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_account a = machine_account(ledger, "a");
	int joined[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(joined), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *l;

		if (tally_ledger_open(m->path, &l) ||
		    write(joined[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(joined[0], &byte, 1), 1);
	/* The state in the middle of an end. */
	set_owner_word(m->path, pid);
	assert_int_equal(tally_account_end(of(ledger), a), -EAGAIN);
	assert_phase(ledger, a, TALLY_PHASE_READY);
	assert_int_equal(tally_account_pin(of(ledger), a, 1), -EAGAIN);
	/* Looking up an account, or adding to it, does not wait. */
	machine_account(ledger, "b");
	inside_kill(m->path, pid);
	assert_int_equal(tally_account_end(of(ledger), a), 0);
	assert_phase(ledger, a, -ESTALE);
	close(joined[0]);
	close(joined[1]);
	tally_ledger_close(ledger);
}

static int end_it(struct tally_ledger *ledger, struct tally_account a)
{
	return tally_account_end(of(ledger), a);
}

static int open_that(struct tally_ledger *ledger, struct tally_account a)
{
	(void)a;
	return tally_account_open(of(ledger), "a", &a);
}

static int open_another(struct tally_ledger *ledger, struct tally_account a)
{
	return tally_account_open(of(ledger), "another", &a);
}

static int in_child(struct tally_ledger *ledger, struct tally_account a,
		    int (*what)(struct tally_ledger *, struct tally_account))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(-what(ledger, a));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void a_child_of_fork_opens_and_ends_accounts(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = 1};
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0), *alone;
	struct tally_account a = machine_account(ledger, "a");
	struct tally_ledger *others[LAYOUT_NR_WRITERS - 1];

	for (unsigned int i = 0; i < LAYOUT_NR_WRITERS - 1; i++)
		assert_int_equal(tally_ledger_open(m->path, &others[i]), 0);
	assert_int_equal(in_child(ledger, a, end_it), -EUSERS);
	for (unsigned int i = 0; i < LAYOUT_NR_WRITERS - 1; i++)
		tally_ledger_close(others[i]);
	assert_phase(ledger, a, TALLY_PHASE_READY);
	assert_int_equal(in_child(ledger, a, end_it), 0);
	assert_phase(ledger, a, -ESTALE);
	tally_ledger_close(ledger);
	assert_int_equal(tally_ledger_create(NULL, m->topo, machine_resources,
					     2, &options, &alone),
			 0);
	a = machine_account(alone, "a");
	assert_int_equal(in_child(alone, a, end_it), -EPERM);
	assert_int_equal(in_child(alone, a, open_another), -EPERM);
	assert_int_equal(in_child(alone, a, open_that), 0);
	assert_int_equal(tally_account_end(of(alone), a), 0);
	tally_ledger_close(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(an_account_goes_through_its_phases),
		MACHINE_TEST(a_key_is_free_at_once),
		MACHINE_TEST(pins_delay_the_end),
		MACHINE_TEST(owners_may_be_three_deep),
		MACHINE_TEST(an_owner_waits_for_many),
		MACHINE_TEST(a_walk_can_choose_a_phase),
		MACHINE_TEST(a_reader_changes_nothing),
		MACHINE_TEST(a_process_stopped_in_an_end_is_waited_for),
		MACHINE_TEST(a_child_of_fork_opens_and_ends_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
