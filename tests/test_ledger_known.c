// SPDX-License-Identifier: MIT
/*
 * What a thread knows of the ledger that it added to last: it is never taken
 * for that of another ledger, of another process, or of a thread that ended.
 */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "inside.h"
#include "machine.h"

static int add_one(struct tally_ledger *ledger, struct tally_account account)
{
	return tally_ledger_inline_add(ledger, account, 0, 1);
}

/* Threads that have a slot in the ledger, of the process or of any. */
static unsigned int nr_slots(const struct machine *m)
{
	struct layout *inside = inside_open(m->path);
	const struct layout_table *table = &inside->plan->threads;
	unsigned int nr = 0;

	for (uint64_t i = 0; i < table->count; i++)
		nr += ((struct layout_thread *)(inside->origin + table->offset +
						i * table->stride))
			      ->owner != 0;
	inside_close(inside);
	return nr;
}

static void a_thread_goes_between_ledgers(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledgers[3] = {NULL};
	struct tally_account accounts[3];

	for (int i = 0; i < 3; i++) {
		assert_int_equal(tally_ledger_create(NULL, m->topo,
						     machine_resources, 2, NULL,
						     &ledgers[i]),
				 0);
		accounts[i] = machine_account(ledgers[i], "a");
	}
	for (int i = 0; i < 3000; i++)
		for (int j = 0; j <= i % 3; j++)
			assert_int_equal(add_one(ledgers[j], accounts[j]), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(machine_total(ledgers[i], 0), 3000 - i * 1000);
		tally_ledger_close(ledgers[i]);
	}
}

/* It may lie where the one before it lay. */
static void a_ledger_is_closed_and_opened_again(void **state)
{
	struct machine *m = *state;

	tally_ledger_close(machine_ledger(m, 0));
	for (int i = 1; i <= 20; i++) {
		struct tally_ledger *ledger;
		struct tally_account a;

		assert_int_equal(tally_ledger_open(m->path, &ledger), 0);
		a = machine_account(ledger, "a");
		for (int j = 0; j < 10; j++)
			assert_int_equal(add_one(ledger, a), 0);
		assert_int_equal(machine_total(ledger, 0), i * 10);
		assert_int_equal(nr_slots(m), 1);
		tally_ledger_close(ledger);
		assert_int_equal(nr_slots(m), 0);
	}
}

struct subject {
	struct tally_ledger *ledger;
	struct tally_account account;
	int err;
};

static void *add_some(void *arg)
{
	struct subject *s = arg;

	for (int i = 0; i < 10; i++)
		s->err |= add_one(s->ledger, s->account);
	return NULL;
}

static void a_thread_that_ends_leaves_nothing(void **state)
{
	struct machine *m = *state;
	struct subject s = {.ledger = machine_ledger(m, 0)};

	s.account = machine_account(s.ledger, "a");
	for (int i = 1; i <= 50; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, add_some, &s),
				 0);
		pthread_join(thread, NULL);
		assert_int_equal(s.err, 0);
		assert_int_equal(nr_slots(m), 0);
		assert_int_equal(machine_total(s.ledger, 0), i * 10);
	}
	tally_ledger_close(s.ledger);
}

/* The parent's mark is the parent's. */
static void a_child_of_fork_takes_a_slot(void **state)
{
	struct machine *m = *state;
	struct subject s = {.ledger = machine_ledger(m, 0)};
	int status;
	pid_t pid;

	s.account = machine_account(s.ledger, "a");
	add_some(&s);
	assert_int_equal(nr_slots(m), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		add_some(&s);
		_exit(s.err != 0 || nr_slots(m) != 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	add_some(&s);
	assert_int_equal(s.err, 0);
	assert_int_equal(machine_total(s.ledger, 0), 30);
	tally_ledger_close(s.ledger);
}

/* Each snapshot makes the next add look anew. */
static void snapshots_between_adds(void **state)
{
	struct subject s = {.ledger = machine_ledger(*state, 0)};

	s.account = machine_account(s.ledger, "a");
	for (int i = 1; i <= 20; i++) {
		struct tally_view *view;
		int64_t amounts[2];

		add_some(&s);
		/* A container may refuse membarrier(2). */
		if (tally_view_snapshot(s.ledger, 0, INT64_C(10000000000),
					&view))
			skip();
		add_some(&s);
		assert_int_equal(
			tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
		assert_int_equal(amounts[0], i * 20 - 10);
		tally_view_close(view);
		assert_int_equal(machine_total(s.ledger, 0), i * 20);
	}
	assert_int_equal(s.err, 0);
	tally_ledger_close(s.ledger);
}

static int setup(void **state)
{
	machine_setup(state);
	machine_few_cpus(*state);
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_thread_goes_between_ledgers),
		T(a_ledger_is_closed_and_opened_again),
		T(a_thread_that_ends_leaves_nothing),
		T(a_child_of_fork_takes_a_slot),
		T(snapshots_between_adds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
