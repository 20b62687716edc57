// SPDX-License-Identifier: MIT
/* Writers that are stopped, stepped or killed in the middle of a charge. */
#include "support/test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

#define SHORT_WHILE (SECOND_NS / 100)
#define MAX_STEPS   200000

static struct tally_view *snapshot(struct tally_ledger *ledger)
{
	struct tally_view *view = NULL;
	int err = tally_view_snapshot(ledger, 0, 10 * SECOND_NS, &view);

	/* Some containers refuse membarrier(2). */
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	return view;
}

static int64_t total(const struct tally_view *view, unsigned int resource)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	return amounts[resource];
}

/* Moves 5 bytes from one account to another, and counts that as one event. */
static int give(struct tally_ledger *ledger)
{
	const struct tally_entry entries[] = {
		{machine_account(ledger, "from"), 0, 1, -5},
		{machine_account(ledger, "to"), 5, 1, 5},
		{machine_account(ledger, "to"), 5, 0, 1},
	};

	return tally_ledger_post(ledger, entries, 3);
}

static int give_stepped(const char *path)
{
	struct tally_ledger *ledger;

	/* Populate what a first charge needs. */
	if (tally_ledger_open(path, &ledger) || give(ledger))
		return 1;
	if (inside_stop())
		return 2;
	if (give(ledger))
		return 3;
	tally_ledger_close(ledger);
	return 0;
}

/* A process half-way through its second charge, being traced; skips the test if
 * tracing is refused. */
static pid_t start_half_way(struct machine *m, struct tally_ledger *ledger)
{
	struct layout *inside = inside_open(m->path);
	int64_t before = machine_total(ledger, 1);
	int nr_steps = 0;
	bool traced;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(give_stepped(m->path));
	traced = inside_wait(pid);
	if (traced) {
		assert_int_equal(machine_total(ledger, 1), before);
		while (!inside_nr_inflight(inside) ||
		       machine_total(ledger, 1) == before) {
			assert_true(nr_steps++ < MAX_STEPS);
			assert_true(inside_step(pid));
		}
		assert_int_equal(machine_total(ledger, 1), before - 5);
	}
	inside_close(inside);
	if (!traced)
		skip();
	return pid;
}

static void waiting_for_a_stopped_writer_times_out(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64);
	pid_t pid = start_half_way(m, ledger);
	struct tally_view *view = NULL;
	int status;

	assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, SIGSTOP), 0);
	/* Each time, and to each caller. */
	for (int i = 0; i < 3; i++) {
		int err = tally_view_snapshot(ledger, 0, SHORT_WHILE, &view);

		assert_true(err == -EAGAIN || err == -ENOSYS);
		assert_null(view);
		/* No other snapshot waits for it. */
		assert_int_equal(give(ledger), 0);
	}
	kill(pid, SIGCONT);
	view = snapshot(ledger);
	assert_int_equal(total(view, 0), 5);
	assert_int_equal(total(view, 1), 0);
	assert_int_equal(tally_view_nr_in_doubt(view), 0);
	tally_view_close(view);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(machine_total(ledger, 0), 5);
	tally_ledger_close(ledger);
}

static void check_in_doubt(struct tally_ledger *ledger,
			   const struct tally_view *view, pid_t pid)
{
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};

	assert_int_equal(tally_view_nr_in_doubt(view), 1);
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), 0);
	assert_int_equal(doubt.pid, pid);
	assert_int_equal(doubt.nr_accounts, 2);
	assert_int_equal(doubt.accounts[0].row,
			 machine_account(ledger, "from").row);
	assert_int_equal(doubt.accounts[1].row,
			 machine_account(ledger, "to").row);
	assert_int_equal(tally_view_in_doubt(view, 1, &doubt), -ENOENT);
}

static void a_killed_writers_charge_is_in_doubt(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64);
	pid_t pid = start_half_way(m, ledger);
	struct tally_view *view;

	inside_kill(m->path, pid);
	view = snapshot(ledger);
	assert_int_equal(tally_view_snapshot_info(view)->nr_in_doubt, 1);
	check_in_doubt(ledger, view, pid);
	/* That part of it had happened. */
	assert_int_equal(total(view, 0), 1);
	assert_int_equal(total(view, 1), -5);
	tally_view_close(view);
	view = snapshot(ledger);
	check_in_doubt(ledger, view, pid);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

/* A process that opens the ledger is told too, without a snapshot. */
/* A charge that is noted later is in doubt of the ledger, not of a snapshot that
 * was taken before. */
static void an_earlier_snapshot_is_not_told(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64), *next;
	pid_t pid = start_half_way(m, ledger);
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};
	struct tally_view *view, *live;

	inside_kill(m->path, pid);
	view = snapshot(ledger);
	assert_int_equal(tally_view_nr_in_doubt(view), 1);
	pid = start_half_way(m, ledger);
	inside_kill(m->path, pid);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(tally_view_open(ledger, &live), 0);
	assert_int_equal(tally_view_nr_in_doubt(live), 2);
	assert_int_equal(tally_view_in_doubt(live, 1, &doubt), 0);
	assert_int_equal(tally_view_nr_in_doubt(view), 1);
	assert_int_equal(tally_view_in_doubt(view, 1, &doubt), -ENOENT);
	tally_view_close(live);
	tally_view_close(view);
	tally_ledger_close(next);
	tally_ledger_close(ledger);
}

static void the_next_process_is_told(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64), *next;
	pid_t pid = start_half_way(m, ledger);
	struct tally_view *view;

	inside_kill(m->path, pid);
	tally_ledger_close(ledger);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(tally_view_open(next, &view), 0);
	check_in_doubt(next, view, pid);
	tally_view_close(view);
	/* Its slot was given back. */
	assert_int_equal(tally_ledger_open(m->path, &ledger), 0);
	assert_int_equal(give(ledger), 0);
	view = snapshot(ledger);
	check_in_doubt(ledger, view, pid);
	tally_view_close(view);
	tally_ledger_close(ledger);
	tally_ledger_close(next);
}

/* By a sequence, if there are any. */
static int add_nothing(struct tally_ledger *ledger)
{
	return tally_ledger_inline_add(ledger, machine_account(ledger, "to"), 0,
				       0);
}

/* A signal handler that charges inside a charge hides neither. */
static struct tally_ledger *handled;
static int nr_handled;

static void charge_in_handler(int number)
{
	(void)number;
	nr_handled += !give(handled) && !add_nothing(handled);
	raise(SIGSTOP);
}

static int give_in_handler(const char *path)
{
	struct sigaction action = {.sa_handler = charge_in_handler};

	if (tally_ledger_open(path, &handled) || give(handled) ||
	    add_nothing(handled) || sigaction(SIGUSR1, &action, NULL) ||
	    inside_stop())
		return 1;
	if (give(handled))
		return 2;
	if (nr_handled != 1)
		return 3;
	tally_ledger_close(handled);
	return 0;
}

static void a_handler_charges_inside_a_charge(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64);
	struct layout *inside = inside_open(m->path);
	struct tally_view *view = NULL;
	int nr_steps = 0, status;
	bool traced;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(give_in_handler(m->path));
	traced = inside_wait(pid);
	while (traced &&
	       (!inside_nr_inflight(inside) || !machine_total(ledger, 1))) {
		assert_true(nr_steps++ < MAX_STEPS);
		assert_true(inside_step(pid));
	}
	if (traced) {
		/* Through the handler, and its charge. */
		assert_int_equal(ptrace(PTRACE_CONT, pid, 0, SIGUSR1), 0);
		assert_true(inside_wait(pid));
		assert_int_equal(machine_total(ledger, 0), 2);
		assert_int_equal(inside_nr_inflight(inside), 1);
		assert_int_equal(
			tally_view_snapshot(ledger, 0, SHORT_WHILE, &view),
			-EAGAIN);
		assert_int_equal(ptrace(PTRACE_CONT, pid, 0, 0), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(inside_nr_inflight(inside), 0);
	}
	inside_close(inside);
	if (!traced)
		skip();
	view = snapshot(ledger);
	assert_int_equal(total(view, 0), 3);
	assert_int_equal(total(view, 1), 0);
	assert_int_equal(tally_view_nr_in_doubt(view), 0);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

/* A stepped sequence is aborted each time; the add must still end. */
static int add_stepped(const char *path, const struct machine *m,
		       bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	const struct tally_amount two[2] = {{0, 1}, {1, -1}};
	struct tally_ledger *ledger;
	struct tally_account a;

	if (tally_ledger_create(path, m->topo, machine_resources, 2, &options,
				&ledger) ||
	    tally_account_open(tally_ledger_accounts(ledger), "a", &a) ||
	    tally_ledger_add(ledger, a, 0, 1))
		return 1;
	if (inside_stop())
		return 2;
	if (tally_ledger_inline_add(ledger, a, 0, 1) ||
	    tally_ledger_charge(ledger, a, TALLY_NODE_LOCAL, two, 2))
		return 3;
	raise(SIGSTOP);
	tally_ledger_close(ledger);
	return 0;
}

static void step_an_add(struct machine *m, bool exclusive)
{
	struct tally_ledger *ledger;
	long nr_steps = 0;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(add_stepped(m->path, m, exclusive));
	if (!inside_wait(pid))
		skip();
	do {
		assert_true(nr_steps++ < MAX_STEPS);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, 0, 0), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
	} while (WSTOPSIG(status) == SIGTRAP);
	assert_int_equal(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(tally_ledger_open(m->path, &ledger), 0);
	assert_int_equal(machine_total(ledger, 0), 3);
	assert_int_equal(machine_total(ledger, 1), -1);
	tally_ledger_close(ledger);
	unlink(m->path);
}

static void a_stepped_add_comes_to_its_end(void **state)
{
	/* Under emulation these steps take half a minute. */
	if (test_in_guest())
		skip();
	step_an_add(*state, true);
	step_an_add(*state, false);
}

/* Threads that end without closing leave their slots. */
static int leave_slots(const char *path)
{
	struct tally_ledger *ledger;

	return tally_ledger_open(path, &ledger) || give(ledger);
}

static void slots_of_dead_threads_are_used_again(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 64);
	struct layout *inside = inside_open(m->path);
	const struct layout_table *table = &inside->plan->threads;
	uint64_t owner;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(leave_slots(m->path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* As if this process had all of them. */
	owner = ((struct layout_thread *)(inside->origin + table->offset))
			->owner;
	assert_true(owner != 0);
	for (uint64_t i = 0; i < table->count; i++)
		((struct layout_thread *)(inside->origin + table->offset +
					  i * table->stride))
			->owner = owner;
	assert_int_equal(give(ledger), 0);
	assert_int_equal(machine_total(ledger, 0), 2);
	inside_close(inside);
	tally_ledger_close(ledger);
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
		T(waiting_for_a_stopped_writer_times_out),
		T(a_killed_writers_charge_is_in_doubt),
		T(an_earlier_snapshot_is_not_told),
		T(the_next_process_is_told),
		T(a_handler_charges_inside_a_charge),
		T(a_stepped_add_comes_to_its_end),
		T(slots_of_dead_threads_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
