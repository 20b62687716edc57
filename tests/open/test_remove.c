// SPDX-License-Identifier: MIT
/* A ledger is removed if nobody uses it, and never from under its user. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/reader.h>

#include "support/machine.h"
#include "support/others.h"

static void one_that_nobody_uses(void **state)
{
	struct machine *m = *state;

	assert_int_equal(tally_ledger_remove(m->path, 0), -ENOENT);
	tally_ledger_close(machine_ledger(m, 0));
	assert_int_equal(tally_ledger_remove(m->path, 0), 0);
	assert_int_equal(access(m->path, F_OK), -1);
	assert_int_equal(tally_ledger_remove(m->path, 0), -ENOENT);
}

static void none_that_is_used(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_account a;

	assert_int_equal(tally_ledger_remove(m->path, 0), -EBUSY);
	a = machine_account(l, "a");
	tally_ledger_close(l);
	assert_int_equal(tally_ledger_remove(m->path, 0), -EBUSY);
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	tally_ledger_close(l);
	assert_int_equal(tally_ledger_remove(m->path, 0), 0);
}

static void one_that_is_used_if_told_to(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *next;
	struct tally_account a = machine_account(l, "a");

	assert_int_equal(tally_ledger_remove(m->path, TALLY_REMOVE_ACCOUNTS),
			 -EBUSY);
	assert_int_equal(tally_ledger_remove(m->path, 4), -EINVAL);
	assert_int_equal(tally_ledger_remove(m->path, TALLY_REMOVE_IN_USE), 0);
	assert_int_equal(access(m->path, F_OK), -1);
	/* Its user goes on, and nobody gets it any more. */
	assert_int_equal(tally_ledger_add(l, a, 0, 1), 0);
	next = machine_ledger(m, 0);
	assert_int_equal(
		tally_account_find(tally_ledger_accounts(next), "a", &a),
		-ENOENT);
	tally_ledger_close(l);
	machine_account(next, "b");
	tally_ledger_close(next);
	assert_int_equal(tally_ledger_remove(m->path, 0), -EBUSY);
	assert_int_equal(tally_ledger_remove(m->path, TALLY_REMOVE_ACCOUNTS),
			 0);
}

static void a_damaged_one_if_told_to(void **state)
{
	struct machine *m = *state;

	tally_ledger_close(machine_ledger(m, 0));
	assert_int_equal(truncate(m->path, 4096), 0);
	assert_true(tally_ledger_remove(m->path, TALLY_REMOVE_ACCOUNTS) < 0);
	assert_int_equal(access(m->path, F_OK), 0);
	assert_int_equal(tally_ledger_remove(m->path, TALLY_REMOVE_IN_USE), 0);
	assert_int_equal(access(m->path, F_OK), -1);
}

static void nothing_but_a_ledger(void **state)
{
	struct machine *m = *state;
	struct others o;

	others_make(&o, m->dir);
	for (unsigned int i = 0; i < o.nr; i++)
		for (unsigned int flags = 0; flags <= TALLY_REMOVE_IN_USE;
		     flags++)
			assert_true(tally_ledger_remove(o.paths[i], flags) < 0);
	others_assert_untouched(&o);
}

/* Whether the file at the path has this process among its writers. */
static bool has_me(const char *path)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader *reader;
	uint64_t cursor = 0;
	bool found = false;

	if (tally_reader_open(path, &reader))
		return false;
	while (!found && !tally_reader_writer_next(reader, &cursor, &writer))
		found = writer.pid == getpid();
	tally_reader_close(reader);
	return found;
}

/* Opens the ledger whenever it is there, and ends with the path's directory.
 * Returns how often the path named another file, or none. */
static int join_and_leave(const char *path, const char *end)
{
	int nr_lost = 0;

	while (access(end, F_OK)) {
		struct tally_ledger *l;

		if (tally_ledger_open(path, &l))
			continue;
		nr_lost += !has_me(path);
		tally_ledger_close(l);
	}
	return nr_lost;
}

static void never_from_under_one_that_opens_it(void **state)
{
	struct machine *m = *state;
	unsigned int nr_removed = 0, nr_kept = 0;
	char end[96];
	int status, err;
	pid_t pid;

	snprintf(end, sizeof(end), "%s/end", m->dir);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(join_and_leave(m->path, end) != 0);
	while (nr_removed < 300) {
		struct tally_ledger *l;

		err = tally_ledger_create(m->path, m->topo, machine_resources,
					  2, NULL, &l);
		if (!err)
			tally_ledger_close(l);
		else
			assert_int_equal(err, -EEXIST);
		err = tally_ledger_remove(m->path, 0);
		assert_true(!err || err == -EBUSY);
		if (err)
			nr_kept++;
		else
			nr_removed++;
	}
	print_message("# kept %u times\n", nr_kept);
	close(creat(end, 0600));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(one_that_nobody_uses),
		MACHINE_TEST(none_that_is_used),
		MACHINE_TEST(one_that_is_used_if_told_to),
		MACHINE_TEST(a_damaged_one_if_told_to),
		MACHINE_TEST(nothing_but_a_ledger),
		MACHINE_TEST(never_from_under_one_that_opens_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
