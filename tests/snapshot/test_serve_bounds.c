// SPDX-License-Identifier: MIT
/*
 * Snapshots of readers that are slow, stopped or dead, of servers that are, of
 * ledgers that were removed or saved; and which process folds.
 */
#include "support/served.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include <numatally/error.h>

#include "file/layout.h"

#define MS 1000000

/* The words of the file that a writer changes. */
static struct layout_control control_of(const struct machine *m)
{
	struct layout_control control;
	struct layout_header header;
	int fd = open(m->path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(pread(fd, &control, sizeof(control),
			       (off_t)header.plan.control_offset),
			 sizeof(control));
	close(fd);
	return control;
}

static void a_slow_reader_loses_its_snapshot(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *slow = served_reader(m), *next = served_reader(m);
	const struct timespec nap = {0, 100 * MS};
	struct tally_account account = {0};
	struct tally_view *view, *other;
	struct tally_entry entry;
	struct tally_key key;
	uint64_t cursor = 0;
	int64_t amounts[2];
	char text[64];
	size_t nr;

	assert_int_equal(tally_ledger_serve(l, -1), -EINVAL);
	assert_int_equal(tally_ledger_serve(l, 50 * MS), 0);
	served_add(l, "a", 1);
	assert_int_equal(served_take(slow, 0, &view), 0);
	served_add(l, "a", 1);
	nanosleep(&nap, NULL);
	/* It lasts until another one is wanted. */
	assert_int_equal(served_total(view, 0), 1);
	assert_int_equal(served_take(next, 0, &other), 0);
	assert_int_equal(served_total(other, 0), 2);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts),
			 -ESTALE);
	assert_int_equal(tally_view_account(view, machine_account(l, "a"),
					    TALLY_VIEW_ALL, amounts),
			 -ESTALE);
	assert_int_equal(tally_view_next(view, &cursor, &account, NULL, 0),
			 -ESTALE);
	assert_int_equal(tally_view_read(view, NULL, &cursor, &entry, 1, &nr),
			 -ESTALE);
	assert_int_equal(
		tally_view_keys(view, NULL, &cursor, &key, 1, text, 64, &nr),
		-ESTALE);
	assert_int_equal(cursor, 0);
	tally_view_close(view);
	tally_view_close(other);
	/* Nor does it hold up a writer. */
	assert_int_equal(served_take(slow, 0, &view), 0);
	nanosleep(&nap, NULL);
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &other), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts),
			 -ESTALE);
	tally_view_close(view);
	tally_view_close(other);
	tally_reader_close(slow);
	tally_reader_close(next);
	tally_ledger_close(l);
}

static void a_dead_reader_holds_up_nobody(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_view *view;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct tally_reader *reader;

		while (tally_reader_open(m->path, &reader) ||
		       tally_reader_snapshot(reader, 0, served_ns(), &view))
			sched_yield();
		raise(SIGKILL);
	}
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		skip();
	assert_int_equal(tally_view_snapshot(l, 0, served_ns(), &view), 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

/* It has a ledger, serves it, and waits. */
static pid_t child_that_serves(const struct machine *m)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *l;

		if (tally_ledger_open(m->path, &l) ||
		    tally_ledger_serve(l, 0) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* With the epoch lock it would hold up all others. */
static void stop_idle(const struct machine *m, pid_t pid)
{
	for (;;) {
		kill(pid, SIGSTOP);
		assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
		if (!control_of(m).lock)
			return;
		kill(pid, SIGCONT);
		sched_yield();
	}
}

static void a_server_stops_and_dies(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view = NULL;
	pid_t pid = child_that_serves(m);

	assert_int_equal(served_take(reader, 0, &view), 0);
	tally_view_close(view);
	view = NULL;
	stop_idle(m, pid);
	assert_int_equal(tally_reader_snapshot(reader, 0, 30 * MS, &view),
			 -EAGAIN);
	assert_null(view);
	/* Another one serves meanwhile, though it may be woken second. */
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	assert_int_equal(served_take(reader, 0, &view), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(served_take(reader, 0, &view), 0);
	tally_view_close(view);
	tally_reader_close(reader);
}

static void a_ledger_that_was_removed(void **state)
{
	struct machine *m = *state;
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view = NULL;

	assert_int_equal(tally_ledger_serve(l, 0), 0);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.removed, 0);
	assert_int_equal(tally_ledger_remove(m->path, TALLY_REMOVE_IN_USE), 0);
	assert_int_equal(served_take(reader, 0, &view), -EIDRM);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.removed, 1);
	tally_reader_close(reader);
	tally_ledger_close(l);
	assert_string_equal(tally_strerror_of("tally_reader_snapshot", -EIDRM),
			    "the ledger was removed or replaced");
}

static void a_saved_ledger(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view;
	char path[128];

	snprintf(path, sizeof(path), "%s/saved", m->dir);
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	served_add(l, "a", 7);
	assert_int_equal(served_take(reader, 0, &view), 0);
	served_add(l, "a", 7);
	assert_int_equal(tally_reader_save(view, path, 0644), 0);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(l);
	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(served_take(reader, 0, &view), 0);
	assert_int_equal(served_total(view, 0), 7);
	tally_view_close(view);
	tally_reader_close(reader);
	unlink(path);
}

/* The process that serves folds what closed snapshots left. */
static void closing_folds_elsewhere(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view;

	served_add(l, "a", 1);
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &view), 0);
	tally_view_close(view);
	assert_true(control_of(m).folded < control_of(m).epoch);
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	for (int i = 0; i < 20; i++) {
		if (i % 2)
			assert_int_equal(served_take(reader, 0, &view), 0);
		else
			assert_int_equal(
				tally_view_snapshot(l, 0, SECOND_NS, &view), 0);
		served_add(l, "a", 1);
		tally_view_close(view);
		/* A wake-up may be lost; the next one is not. */
		for (int64_t n = 1; control_of(m).folded < control_of(m).epoch;
		     n++)
			if (n % 1000 == 0) {
				assert_int_equal(served_take(reader, 0, &view),
						 0);
				tally_view_close(view);
			}
	}
	assert_int_equal(machine_total(l, 0), 21);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

/* It has no thread that serves, and can start one. */
static void a_child_serves_for_itself(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	pid_t pid;

	/* ThreadSanitizer ends a child that has had threads and starts one. */
	if (TEST_TSAN)
		goto alone;
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_serve(l, 0))
			_exit(1);
		tally_ledger_close(l);
		_exit(0);
	}
	assert_int_equal(served_status(pid), 0);
alone:
	tally_ledger_close(l);
	unlink(m->path);
	l = served_ledger(m, true);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int err = tally_ledger_serve(l, 0);

		tally_ledger_close(l);
		_exit(err != -EPERM);
	}
	assert_int_equal(served_status(pid), 0);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_slow_reader_loses_its_snapshot),
		MACHINE_TEST(a_dead_reader_holds_up_nobody),
		MACHINE_TEST(a_server_stops_and_dies),
		MACHINE_TEST(a_ledger_that_was_removed),
		MACHINE_TEST(a_saved_ledger),
		MACHINE_TEST(closing_folds_elsewhere),
		MACHINE_TEST(a_child_serves_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
