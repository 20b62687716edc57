// SPDX-License-Identifier: MIT
/* Snapshots of processes with read permission alone. */
#include "support/served.h"

#include <fcntl.h>
#include <signal.h>

#include <numatally/error.h>

#include "support/giving.h"

#define NR_SNAPSHOTS 200
#define NR_BROKEN    10 /* with NUMATALLY_SHORT */
#define NR_GIVERS    2

static void a_snapshot_stands_still(struct machine *m, bool exclusive)
{
	struct tally_ledger *l = served_ledger(m, exclusive);
	struct tally_reader *reader = served_reader(m);
	uint64_t epoch = 0;

	assert_int_equal(tally_ledger_serve(l, 0), 0);
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	for (int i = 0; i < 5; i++) {
		int64_t before = clock_ns(CLOCK_REALTIME), after;
		const struct tally_snapshot_info *info;
		struct tally_view *view;

		served_add(l, "a", 10);
		assert_int_equal(served_take(reader, 0, &view), 0);
		after = clock_ns(CLOCK_REALTIME);
		info = tally_view_snapshot_info(view);
		assert_true(info->epoch > epoch);
		assert_true(info->taken_ns >= before);
		assert_true(info->taken_ns <= after);
		assert_true(info->age_ns >= 0);
		epoch = info->epoch;
		served_add(l, "a", 1);
		served_add(l, "b", 1);
		assert_int_equal(served_total(view, 0), 12 * i + 10);
		assert_int_equal(machine_total(l, 0), 12 * i + 12);
		tally_view_close(view);
	}
	tally_reader_close(reader);
	tally_ledger_close(l);
	unlink(m->path);
}

static void snapshots_stand_still(void **state)
{
	a_snapshot_stands_still(*state, false);
	a_snapshot_stands_still(*state, true);
}

static int read_as_nobody(const char *path)
{
	int nr = getenv("NUMATALLY_SHORT") ? NR_BROKEN : NR_SNAPSHOTS;
	struct tally_reader *reader;
	int64_t last = 0;

	if (!served_be_nobody())
		return 10;
	if (open(path, O_RDWR) >= 0 && NOBODY == geteuid())
		return 11;
	if (tally_reader_open(path, &reader))
		return 12;
	for (int i = 0; i < nr; i++) {
		struct tally_view *view;
		int err = tally_reader_snapshot(reader, 0, served_ns(), &view);

		if (err)
			return 100 - err;
		err = giving_check(view, NR_GIVERS, &last);
		tally_view_close(view);
		if (err)
			return abs(err);
	}
	tally_reader_close(reader);
	return 0;
}

static void another_user_reads(struct machine *m, bool exclusive)
{
	struct tally_ledger *l = served_ledger(m, exclusive);
	struct giving giving;
	int ready[2];
	int64_t nr;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (read(ready[0], &byte, 1) != 1)
			_exit(9);
		_exit(read_as_nobody(m->path));
	}
	assert_int_equal(tally_ledger_serve(l, 0), 0);
	giving_start(&giving, l, NR_GIVERS);
	assert_int_equal(write(ready[1], "", 1), 1);
	assert_int_equal(served_status(pid), 0);
	nr = giving_stop(&giving);
	assert_int_equal(machine_total(l, 0), nr);
	assert_int_equal(machine_total(l, 1), 0);
	close(ready[0]);
	close(ready[1]);
	tally_ledger_close(l);
	unlink(m->path);
}

static void another_user_has_snapshots(void **state)
{
	another_user_reads(*state, false);
	another_user_reads(*state, true);
}

static void nobody_serves(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view = NULL, *own;

	served_add(l, "a", 3);
	assert_int_equal(served_take(reader, 0, &view), -ESRCH);
	assert_int_equal(served_take(reader, TALLY_SNAPSHOT_JOIN, &view),
			 -ESRCH);
	assert_null(view);
	/* To join what a writer has open takes no other process. */
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &own), 0);
	served_add(l, "a", 4);
	assert_int_equal(served_take(reader, 0, &view), -EBUSY);
	assert_int_equal(served_take(reader, TALLY_SNAPSHOT_JOIN, &view), 0);
	assert_int_equal(tally_view_snapshot_info(view)->epoch,
			 tally_view_snapshot_info(own)->epoch);
	assert_int_equal(tally_view_snapshot_info(view)->taken_ns,
			 tally_view_snapshot_info(own)->taken_ns);
	tally_view_close(own);
	assert_int_equal(served_total(view, 0), 3);
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &own), -EBUSY);
	assert_int_equal(tally_ledger_fold(l, SECOND_NS), -EBUSY);
	tally_view_close(view);
	assert_int_equal(tally_ledger_fold(l, SECOND_NS), 0);
	assert_int_equal(served_take(reader, 0, &view), -ESRCH);
	assert_string_equal(
		tally_strerror_of("tally_reader_snapshot", -ESRCH),
		"no process that writes to the ledger serves readers");
	tally_reader_close(reader);
	tally_ledger_close(l);
}

static void readers_share_a_snapshot(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *one = served_reader(m), *two = served_reader(m);
	struct tally_view *a, *b, *c, *d = NULL;

	assert_int_equal(tally_ledger_serve(l, 0), 0);
	served_add(l, "a", 1);
	assert_int_equal(served_take(one, 0, &a), 0);
	served_add(l, "a", 1);
	assert_int_equal(served_take(one, 0, &d), -EBUSY);
	assert_int_equal(served_take(one, TALLY_SNAPSHOT_JOIN | 2, &d),
			 -EINVAL);
	assert_int_equal(served_take(two, 0, &d), -EBUSY);
	assert_int_equal(served_take(one, TALLY_SNAPSHOT_JOIN, &b), 0);
	assert_int_equal(served_take(two, TALLY_SNAPSHOT_JOIN, &c), 0);
	assert_null(d);
	tally_view_close(a);
	tally_view_close(b);
	assert_int_equal(served_total(c, 0), 1);
	assert_int_equal(tally_view_snapshot(l, 0, SECOND_NS, &d), -EBUSY);
	assert_int_equal(
		tally_view_snapshot(l, TALLY_SNAPSHOT_JOIN, SECOND_NS, &d), 0);
	tally_view_close(c);
	assert_int_equal(served_total(d, 0), 1);
	assert_int_equal(served_take(two, 0, &c), -EBUSY);
	tally_view_close(d);
	assert_int_equal(served_take(two, 0, &c), 0);
	assert_int_equal(served_total(c, 0), 2);
	tally_view_close(c);
	tally_reader_close(one);
	tally_reader_close(two);
	tally_ledger_close(l);
}

/* No process writes; one that comes leaves the snapshot as it is. */
static void a_ledger_without_writers(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view, *again, *live;

	for (int i = 0; i < 3; i++) {
		served_add(l, "a", 5);
		tally_ledger_close(l);
		assert_int_equal(served_take(reader, 0, &view), 0);
		assert_int_equal(served_take(reader, 0, &again), 0);
		assert_int_equal(served_total(view, 0), 10 * i + 5);
		tally_view_close(again);
		assert_int_equal(tally_ledger_open(m->path, &l), 0);
		served_add(l, "a", 5);
		assert_int_equal(served_total(view, 0), 10 * i + 5);
		assert_int_equal(tally_reader_view(reader, &live), 0);
		assert_int_equal(served_total(live, 0), 10 * i + 10);
		tally_view_close(live);
		assert_int_equal(served_total(view, 0), 10 * i + 5);
		tally_view_close(view);
	}
	tally_reader_close(reader);
	tally_ledger_close(l);
}

/* It leaves a bank that is frozen and not folded, and adds to the other. */
static void a_writer_died(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = served_ledger(m, false);
	struct tally_reader *reader = served_reader(m);
	struct tally_view *view;
	int status;
	pid_t pid;

	served_add(l, "a", 5);
	tally_ledger_close(l);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_open(m->path, &l))
			_exit(1);
		served_add(l, "a", 20);
		if (tally_view_snapshot(l, 0, SECOND_NS, &view))
			_exit(2);
		served_add(l, "a", 300);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		skip();
	assert_int_equal(served_take(reader, 0, &view), 0);
	assert_int_equal(served_total(view, 0), 325);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	served_add(l, "a", 4000);
	assert_int_equal(served_total(view, 0), 325);
	assert_int_equal(machine_total(l, 0), 4325);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(snapshots_stand_still),
		MACHINE_TEST(another_user_has_snapshots),
		MACHINE_TEST(nobody_serves),
		MACHINE_TEST(readers_share_a_snapshot),
		MACHINE_TEST(a_ledger_without_writers),
		MACHINE_TEST(a_writer_died),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
