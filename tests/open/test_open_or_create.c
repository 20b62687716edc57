// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/limit.h>
#include <numatally/view.h>

#include "support/cluster.h"
#include "support/machine.h"
#include "support/others.h"

static int adopt(struct machine *m, struct tally_ledger **l, int *why)
{
	return tally_ledger_open_or_create(m->path, m->topo, machine_resources,
					   2, NULL, l, why);
}

/* Since Linux 6.3; others are skipped. */
#define GET_REGISTRATIONS (1 << 9)

static bool is_registered(void)
{
	long has = syscall(SYS_membarrier, GET_REGISTRATIONS, 0, 0);

	if (has < 0)
		skip();
	return has & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
}

/* Registering waits for all CPUs in a process with threads. Before all others: a
 * process stays registered. */
static void one_that_adds_seldom_does_not_register(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .few_adds = 1};
	struct machine *m = *state;
	struct tally_ledger *l;

	for (int i = 0; i < 2; i++) {
		struct tally_view *view;
		int64_t total[2];

		assert_int_equal(tally_ledger_open_or_create(
					 m->path, m->topo, machine_resources, 2,
					 &options, &l, NULL),
				 0);
		assert_int_equal(
			tally_ledger_add(l, machine_account(l, "a"), 0, 21), 0);
		assert_int_equal(tally_view_snapshot(l, 0, 1000000000, &view),
				 0);
		assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, total),
				 0);
		assert_int_equal(total[0], 21 * (i + 1));
		tally_view_close(view);
		tally_ledger_close(l);
		assert_false(is_registered());
	}
	assert_int_equal(tally_ledger_open(m->path, &l), 0);
	tally_ledger_close(l);
	assert_true(is_registered());
}

static void creates_then_opens(void **state)
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

static void refuses_other_resources(void **state)
{
	struct machine *m = *state;
	struct tally_resource other[2] = {machine_resources[0],
					  machine_resources[1]};
	struct tally_ledger *l;

	assert_int_equal(adopt(m, &l, NULL), 0);
	tally_ledger_close(l);
	assert_int_equal(tally_ledger_open_or_create(m->path, m->topo, other, 1,
						     NULL, &l, NULL),
			 -EEXIST);
	other[1].kind = TALLY_COUNTER;
	assert_int_equal(tally_ledger_open_or_create(m->path, m->topo, other, 2,
						     NULL, &l, NULL),
			 -EEXIST);
	other[1] = machine_resources[1];
	other[0].unit = "ns";
	assert_int_equal(tally_ledger_open_or_create(m->path, m->topo, other, 2,
						     NULL, &l, NULL),
			 -EEXIST);
}

/* Open or create a ledger of these machines; closes the topology. */
static int adopt_over(struct machine *m, struct tally_topo *topo)
{
	struct tally_ledger *l;
	int err = tally_ledger_open_or_create(m->path, topo, machine_resources,
					      2, NULL, &l, NULL);

	if (!err)
		tally_ledger_close(l);
	tally_topo_close(topo);
	return err;
}

/* A machine of nodes 0, 2, ... with this many CPUs in all. */
static struct tally_topo *one(const char *name, bool here, unsigned int nr,
			      int nr_cpus)
{
	const int cpus[] = {0, nr_cpus - 1};
	struct tally_node nodes[4] = {{0}};
	const struct tally_machine machine = {.size = sizeof(machine),
					      .name = name,
					      .nodes = nodes,
					      .nr_nodes = nr,
					      .here = here};
	struct tally_topo *topo = NULL;

	for (unsigned int i = 0; i < nr; i++)
		nodes[i] = (struct tally_node){.size = sizeof(nodes[i]),
					       .id = 2 * (int)i,
					       .tier = -1,
					       .memory_bytes = -1,
					       .cpus = i ? NULL : cpus,
					       .nr_cpus = i ? 0 : 2};
	assert_int_equal(tally_topo_create(&machine, 1, &topo), 0);
	return topo;
}

static void refuses_nodes_that_the_ledger_lacks(void **state)
{
	struct machine *m = *state;

	assert_int_equal(adopt_over(m, one(NULL, true, 3, 4)), 0);
	assert_int_equal(adopt_over(m, one(NULL, true, 3, 4)), 0);
	assert_int_equal(adopt_over(m, one(NULL, true, 4, 4)), -EEXIST);
	assert_int_equal(adopt_over(m, one(NULL, true, 3, 5)), -EEXIST);
	/* A node, or a CPU, has gone offline. */
	assert_int_equal(adopt_over(m, one(NULL, true, 2, 4)), 0);
	assert_int_equal(adopt_over(m, one(NULL, true, 3, 3)), 0);
	/* The nodes have the same numbers on each of these. */
	assert_int_equal(adopt_over(m, one("a", true, 3, 4)), -EEXIST);
	assert_int_equal(adopt_over(m, one(NULL, false, 3, 4)), -EEXIST);
}

static struct tally_topo *many(const struct tally_topo *here, unsigned int nr,
			       unsigned int nr_nodes)
{
	struct tally_topo *topo = NULL;

	assert_int_equal(cluster_create(here, nr, nr_nodes, &topo), 0);
	return topo;
}

static void refuses_other_machines(void **state)
{
	struct machine *m = *state;

	assert_int_equal(adopt_over(m, many(NULL, 3, 2)), 0);
	assert_int_equal(adopt_over(m, many(NULL, 3, 2)), 0);
	assert_int_equal(adopt_over(m, many(NULL, 2, 1)), 0);
	assert_int_equal(adopt_over(m, many(NULL, 4, 2)), -EEXIST);
	assert_int_equal(adopt_over(m, many(NULL, 3, 3)), -EEXIST);
	/* Of another name. */
	assert_int_equal(adopt_over(m, many(m->topo, 3, 2)), -EEXIST);
	assert_int_equal(adopt_over(m, one("m1", false, 1, 2)), -EEXIST);
	/* Without one. */
	assert_int_equal(adopt_over(m, one(NULL, false, 1, 2)), -EEXIST);
	assert_int_equal(adopt_over(m, one("m0", false, 1, 2)), 0);
	assert_int_equal(adopt_over(m, one("m0", true, 1, 2)), -EEXIST);
}

static void removes_nothing_but_a_ledger(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	struct others o;
	int why = 1;

	others_make(&o, m->dir);
	for (unsigned int i = 0; i < o.nr; i++) {
		int err = tally_ledger_open_or_create(o.paths[i], m->topo,
						      machine_resources, 2,
						      NULL, &l, &why);

		assert_true(err == -EBADMSG || err == -ELOOP ||
			    err == -EISDIR || err == -ENXIO);
	}
	assert_int_equal(why, 1);
	others_assert_untouched(&o);
}

/* A ledger that has another version, or is cut short. */
static void replaces_a_ledger_that_is_unusable(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	uint32_t version = 77;
	int fd, why;

	assert_int_equal(adopt(m, &l, &why), 0);
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

	/* A ledger that another process is just replacing is waited for. */
	assert_int_equal(truncate(m->path, 100000), 0);
	fd = open(m->path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(adopt(m, &l, &why), -EAGAIN);
	close(fd);
	assert_int_equal(adopt(m, &l, &why), 0);
	tally_ledger_close(l);
}

static void a_path_that_cannot_be_written(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;

	assert_int_equal(tally_ledger_open_or_create("/proc/no/such", m->topo,
						     machine_resources, 2, NULL,
						     &l, NULL),
			 -ENOENT);
}

#define NR_CHILDREN 8

/* All get the same ledger, whether there was none or a bad one. */
static void several_processes_get_one_ledger(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(one_that_adds_seldom_does_not_register),
		MACHINE_TEST(creates_then_opens),
		MACHINE_TEST(refuses_other_resources),
		MACHINE_TEST(refuses_nodes_that_the_ledger_lacks),
		MACHINE_TEST(refuses_other_machines),
		MACHINE_TEST(removes_nothing_but_a_ledger),
		MACHINE_TEST(replaces_a_ledger_that_is_unusable),
		MACHINE_TEST(a_path_that_cannot_be_written),
		MACHINE_TEST(several_processes_get_one_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
