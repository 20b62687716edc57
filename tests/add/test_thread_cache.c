// SPDX-License-Identifier: MIT
/*
 * The cache that a thread keeps of the ledger it added to last. It is never
 * used for another ledger, another process or another thread.
 */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

static int add_one(struct tally_ledger *ledger, struct tally_account account)
{
	return tally_ledger_inline_add(ledger, account, 0, 1);
}

/* The threads of this process, or of any, that have a slot in the ledger. */
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

static void a_thread_switches_between_ledgers(void **state)
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

/* It may lie at the address of the closed one. */
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

/* The cache is for one CPU. Returns where the thread could run before. */
static cpu_set_t stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t before, here;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&here);
	CPU_SET((size_t)cpu, &here);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
	return before;
}

/* The word in flight of the parent stays the parent's; also if something else
 * made the child a writer before. */
static void a_child_takes_a_slot(void **state, bool writes_before)
{
	struct machine *m = *state;
	struct subject s = {.ledger = machine_ledger(m, 0)};
	cpu_set_t before;
	int status;
	pid_t pid;

	before = stay_here();
	s.account = machine_account(s.ledger, "a");
	add_some(&s);
	assert_int_equal(nr_slots(m), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (writes_before)
			machine_account(s.ledger, "b");
		add_some(&s);
		_exit(s.err != 0 || nr_slots(m) != 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	add_some(&s);
	assert_int_equal(s.err, 0);
	assert_int_equal(machine_total(s.ledger, 0), 30);
	sched_setaffinity(0, sizeof(before), &before);
	tally_ledger_close(s.ledger);
}

static void a_child_of_fork_takes_a_slot(void **state)
{
	a_child_takes_a_slot(state, false);
}

static void a_child_that_is_a_writer_takes_a_slot(void **state)
{
	a_child_takes_a_slot(state, true);
}

/* Each snapshot makes the next add fill the cache again. */
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
		T(a_thread_switches_between_ledgers),
		T(a_ledger_is_closed_and_opened_again),
		T(a_thread_that_ends_leaves_nothing),
		T(a_child_of_fork_takes_a_slot),
		T(a_child_that_is_a_writer_takes_a_slot),
		T(snapshots_between_adds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
