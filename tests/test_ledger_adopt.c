// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/limit.h>

#include "machine.h"

static int adopt(struct machine *m, struct tally_ledger **l, int *why)
{
	return tally_ledger_adopt(m->path, m->topo, machine_resources, 2, NULL,
				  l, why);
}

static void made_then_adopted(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	int why = 1;

	assert_int_equal(adopt(m, &l, &why), 0);
	assert_int_equal(why, -ENOENT);
	assert_int_equal(tally_ledger_add(l, machine_account(l, "a"), 0, 42),
			 0);
	tally_ledger_close(l);
	assert_int_equal(adopt(m, &l, &why), 0);
	assert_int_equal(why, 0);
	assert_int_equal(machine_total(l, 0), 42);
	tally_ledger_close(l);
	assert_int_equal(adopt(m, &l, NULL), 0);
	tally_ledger_close(l);
}

static void not_with_other_resources(void **state)
{
	struct machine *m = *state;
	struct tally_resource other[2] = {machine_resources[0],
					  machine_resources[1]};
	struct tally_ledger *l;

	assert_int_equal(adopt(m, &l, NULL), 0);
	tally_ledger_close(l);
	assert_int_equal(
		tally_ledger_adopt(m->path, m->topo, other, 1, NULL, &l, NULL),
		-EEXIST);
	other[1].kind = TALLY_COUNTER;
	assert_int_equal(
		tally_ledger_adopt(m->path, m->topo, other, 2, NULL, &l, NULL),
		-EEXIST);
	other[1] = machine_resources[1];
	other[0].unit = "ns";
	assert_int_equal(
		tally_ledger_adopt(m->path, m->topo, other, 2, NULL, &l, NULL),
		-EEXIST);
}

/* What is no ledger, of another version, or cut short. */
static void what_is_bad_is_replaced(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	uint32_t version = 77;
	int fd, why;

	fd = open(m->path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "not a ledger", 12), 12);
	close(fd);
	assert_int_equal(adopt(m, &l, &why), 0);
	assert_int_equal(why, -EBADMSG);
	tally_ledger_close(l);

	fd = open(m->path, O_WRONLY);
	assert_int_equal(pwrite(fd, &version, sizeof(version), 8), 4);
	close(fd);
	assert_int_equal(adopt(m, &l, &why), 0);
	assert_int_equal(why, -EPROTO);
	tally_ledger_close(l);

	assert_int_equal(truncate(m->path, 100000), 0);
	assert_int_equal(adopt(m, &l, &why), 0);
	assert_int_equal(why, -EBADMSG);
	tally_ledger_close(l);

	/* One that is replaced by somebody else just now is waited for. */
	assert_int_equal(truncate(m->path, 100000), 0);
	fd = open(m->path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(adopt(m, &l, &why), -EAGAIN);
	close(fd);
	assert_int_equal(adopt(m, &l, &why), 0);
	tally_ledger_close(l);
}

static void nowhere(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;

	assert_int_equal(tally_ledger_adopt("/proc/no/such", m->topo,
					    machine_resources, 2, NULL, &l,
					    NULL),
			 -ENOENT);
}

#define NR_CHILDREN 8

/* All get the same one, whether it was not there or was bad. */
static void at_once(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;

	for (int round = 0; round < 20; round++) {
		int status;

		if (round % 2)
			assert_int_equal(truncate(m->path, 5000), 0);
		else
			unlink(m->path);
		for (int i = 0; i < NR_CHILDREN; i++) {
			if (fork())
				continue;
			if (adopt(m, &l, NULL) ||
			    tally_ledger_add(l, machine_account(l, "a"), 0, 1))
				_exit(1);
			_exit(0);
		}
		for (int i = 0; i < NR_CHILDREN; i++) {
			wait(&status);
			assert_int_equal(status, 0);
		}
		assert_int_equal(tally_ledger_open(m->path, &l), 0);
		assert_int_equal(machine_total(l, 0), NR_CHILDREN);
		tally_ledger_close(l);
	}
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(made_then_adopted),
		T(not_with_other_resources),
		T(what_is_bad_is_replaced),
		T(nowhere),
		T(at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
