// SPDX-License-Identifier: MIT
/*
 * What the kernel counts is read while each call of the kernel, and each
 * allocation, fails once: each figure is right, or its row has an error; nothing
 * is left, and the next reading succeeds.
 */
#include "support/test.h"

#include <numatally/kernel_events.h>
#include <numatally/kernel_group.h>
#include <numatally/kernel_memory.h>
#include <numatally/kernel_node.h>

#include "support/child.h"
#include "support/fault.h"
#include "support/process_trees.h"

/* Something is wrong. */
#define BAD 1

static void worst(int *err, int more)
{
	if (!*err)
		*err = more;
}

/* ---- cgroups ------------------------------------------------------------- */

static int group_says(struct tally_groups *g, const char *path, int64_t anon)
{
	int i = tally_kernel_groups_find(g, path);
	int figure = tally_kernel_groups_find_figure(g, "anon");
	const struct tally_group_row *r;

	if (i < 0)
		return BAD;
	r = tally_kernel_groups_row(g, (unsigned int)i);
	if (r->err)
		return r->err;
	return figure >= 0 && r->values && r->values[figure] == anon ? 0 : BAD;
}

static int find_mount(void *unused)
{
	struct tally_group_mount mount = {.size = sizeof(mount)};
	int err = tally_kernel_groups_mount(tree->root, "memory", NULL, &mount);

	(void)unused;
	if (err)
		return err;
	if (mount.number != 9 || strcmp(mount.point, "/sys/fs/cgroup/memory"))
		err = BAD;
	free(mount.point);
	free(mount.prefix);
	return err;
}

static int read_groups(void *unused)
{
	struct tally_groups *g;
	int err = tally_kernel_groups_open(tree->root, NULL, 2, &g);

	(void)unused;
	if (err)
		return err;
	for (int i = 0; !err && i < 2; i++) {
		err = tally_kernel_groups_read(g);
		if (!err && tally_kernel_groups_nr(g) != 4)
			err = BAD;
		if (!err)
			err = group_says(g, "/a", 4096);
		if (!err)
			err = group_says(g, "/a/b", 8192);
		if (!err)
			err = group_says(g, "/c", 0);
	}
	tally_kernel_groups_close(g);
	return err;
}

/* ---- nodes --------------------------------------------------------------- */

static int node_says(struct tally_node_stats *n, unsigned int index,
		     enum tally_source source, const char *name, int64_t value)
{
	const struct tally_node_figures *r = tally_kernel_nodes_row(n, index);
	int figure = tally_kernel_nodes_find_figure(n, source, name);

	if (r->err[source])
		return r->err[source];
	return figure >= 0 && r->values[figure] == value ? 0 : BAD;
}

static int read_nodes(void *unused)
{
	int64_t tick_ns = 1000000000 / 100;
	struct tally_node_stats *n;
	int err = tally_kernel_nodes_open(tree->root, TALLY_SOURCES_ALL, &n);

	(void)unused;
	if (err)
		return err;
	for (int i = 0; !err && i < 2; i++) {
		err = tally_kernel_nodes_read(n);
		if (!err && tally_kernel_nodes_nr(n) != 2)
			err = BAD;
		if (err)
			break;
		worst(&err, node_says(n, 0, TALLY_SOURCE_MEMINFO, "MemFree",
				      7 * KIB));
		worst(&err,
		      node_says(n, 1, TALLY_SOURCE_NUMASTAT, "numa_hit", 31));
		worst(&err, node_says(n, 0, TALLY_SOURCE_HUGEPAGES,
				      "hugepages-2048kB nr", 3));
		worst(&err,
		      node_says(n, 0, TALLY_SOURCE_CPU, "user", 3 * tick_ns));
		worst(&err,
		      node_says(n, 1, TALLY_SOURCE_CPU, "nice", 60 * tick_ns));
	}
	tally_kernel_nodes_close(n);
	return err;
}

/* ---- processes ----------------------------------------------------------- */

static int process_says(struct tally_process_stats *l, pid_t pid, uid_t uid,
			int64_t pages)
{
	int i = tally_kernel_processes_find(l, pid);
	const struct tally_process_row *r;

	if (i < 0)
		return -ESRCH; /* one that can't be read is not listed */
	r = tally_kernel_processes_row(l, (unsigned int)i);
	if (r->err)
		return r->err;
	return r->uid == uid && r->all.total.lower_bytes <= pages * K4 &&
			       r->all.total.upper_bytes >= pages * K4
		       ? 0
		       : BAD;
}

static int read_processes(void *unused)
{
	struct tally_process_stats *l;
	int err = tally_kernel_processes_open(tree->root, topo, NULL, NULL, &l);

	(void)unused;
	if (err)
		return err;
	for (int i = 0; !err && i < 2; i++) {
		err = tally_kernel_processes_read(l);
		if (!err)
			err = process_says(l, 10, 33, 9);
		if (!err)
			err = process_says(l, 11, 34, 14);
		for (enum tally_process_by by = 0; !err && by < TALLY_NR_BY;
		     by++)
			err = tally_kernel_processes_sum(l, by);
	}
	tally_kernel_processes_close(l);
	return err;
}

/* ---- a process of this machine ------------------------------------------- */

/* Memory, its peak, and events, as far as they are known at all. */
static int look_at(void *process)
{
	struct tally_peak_bounds bounds = {0};
	struct tally_events *events = NULL;
	struct tally_mem *mem = NULL;
	struct tally_peak *peak = NULL;
	struct tally_tree *t;
	pid_t pid = *(pid_t *)process;
	int err = tally_kernel_tree_create(NULL, pid, true, &t);

	if (err)
		return err;
	err = tally_kernel_peak_create(pid, &peak);
	if (!err)
		err = tally_kernel_mem_create(NULL, NULL, &mem);
	if (!err)
		err = tally_kernel_events_open(topo, TALLY_EVENTS_SAMPLE, pid,
					       t, -1, &events);
	if (!err)
		err = tally_kernel_tree_refresh(t);
	if (!err)
		err = tally_kernel_peak_look(peak, t, true);
	if (!err)
		err = tally_kernel_mem_sample(mem, t);
	if (!err)
		err = tally_kernel_events_read(events);
	if (!err)
		tally_kernel_peak_bounds(peak, &bounds);
	if (bounds.upper_bytes >= 0 && bounds.upper_bytes < bounds.lower_bytes)
		err = BAD;
	tally_kernel_events_close(events);
	tally_kernel_mem_destroy(mem);
	tally_kernel_peak_destroy(peak);
	tally_kernel_tree_destroy(t);
	return err;
}

/* ---- the tests ----------------------------------------------------------- */

static void each(int (*task)(void *arg), void *arg)
{
	fault_each_call(task, arg);
	fault_each_signal(task, arg);
	fault_each_allocation(task, arg);
}

static void put_group(const char *base, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/memory.numa_stat", base, name);
	tree_put(tree, path, text);
}

static void of_cgroups(void **state)
{
	static const char base[] = "sys/fs/cgroup";

	(void)state;
	tree_put(tree, "proc/self/mountinfo",
		 "30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	tree_put(tree, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
	put_group(base, ".", "anon N2=5 N7=6\n");
	put_group(base, "a", "anon N2=4096 N7=6\nfile N2=1 N7=2\n");
	put_group(base, "a/b", "anon N2=8192 N7=6\n");
	put_group(base, "c", "anon N2=0 N7=0\n");
	each(read_groups, NULL);
}

/* Which is found after one of version 2. */
static void of_cgroups_of_version_1(void **state)
{
	static const char base[] = "sys/fs/cgroup/memory";

	(void)state;
	tree_put(tree, "proc/self/mountinfo",
		 "30 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		 "31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup "
		 "rw,memory\n");
	tree_put(tree, "sys/fs/cgroup/unified/cgroup.controllers", "memory\n");
	tree_put(tree, "proc/self/cgroup", "9:memory:/a\n");
	put_group(base, ".", "anon=11 N2=5 N7=6\n");
	put_group(base, "a", "anon=4102 N2=4096 N7=6\nfile=3 N2=1 N7=2\n");
	put_group(base, "a/b", "anon=8198 N2=8192 N7=6\n");
	put_group(base, "c", "anon=0 N2=0 N7=0\n");
	each(read_groups, NULL);
	each(find_mount, NULL);
}

static void of_nodes(void **state)
{
	(void)state;
	tree_put(tree, "proc/stat",
		 "cpu 1 2 3\ncpu0 1 2 3\ncpu1 2 3 4\ncpu2 5 20 9\n"
		 "cpu3 6 40 9\nintr 1\n");
	tree_put(tree, NODE "/node2/numastat", "numa_hit 30\n");
	tree_put(tree, NODE "/node7/numastat", "numa_hit 31\n");
	tree_put(tree, NODE "/node2/vmstat", "nr_free_pages 9\n");
	tree_put(tree, NODE "/node7/vmstat", "nr_free_pages 9\n");
	tree_put(tree, NODE "/node2/hugepages/hugepages-2048kB/nr_hugepages",
		 "3\n");
	tree_put(tree, NODE "/node2/hugepages/hugepages-2048kB/free_hugepages",
		 "2\n");
	tree_put(tree,
		 NODE "/node2/hugepages/hugepages-2048kB/surplus_hugepages",
		 "1\n");
	each(read_nodes, NULL);
}

static void of_processes(void **state)
{
	(void)state;
	put_process(10, 33, "/a/b", "",
		    ANON("1000", "N2=3 N7=6 kernelpagesize_kB=4"));
	put_process(11, 34, "/a", LIB,
		    ANON("1000", "N2=9 kernelpagesize_kB=4") LIB_PAGES("5"));
	put_stat(11, "x", 2, 1011, 0);
	put_thread(11, 11, 0, 5);
	put_thread(11, 12, 2, 7);
	each(read_processes, NULL);
}

static void of_a_process_of_this_machine(void **state)
{
	pid_t pid = child_that_waits();

	(void)state;
	each(look_at, &pid);
	child_end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(of_cgroups),
		WITH_TREE(of_cgroups_of_version_1),
		WITH_TREE(of_nodes),
		WITH_TREE(of_processes),
		WITH_TREE(of_a_process_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
