// SPDX-License-Identifier: MIT
/* Figures of the nodes of a small made-up machine. */
#include "support/test.h"

#include <limits.h>
#include <sys/resource.h>

#include "support/node_trees.h"

static void all_units(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	nodes = read_nodes(tree, 0);
	assert_value(nodes, TALLY_SOURCE_MEMINFO, "MemFree", 400000 * KIB,
		     TALLY_UNIT_BYTES, 0, false);
	assert_value(nodes, TALLY_SOURCE_MEMINFO, "HugePages_Total", 12,
		     TALLY_UNIT_PAGES, 2048 * KIB, false);
	assert_value(nodes, TALLY_SOURCE_NUMASTAT, "interleave_hit", 3,
		     TALLY_UNIT_EVENTS, 0, true);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "nr_free_pages", 100000,
		     TALLY_UNIT_PAGES, 4096, false);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "nr_dirtied", 6,
		     TALLY_UNIT_PAGES, 4096, true);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "pgdemote_kswapd", 8,
		     TALLY_UNIT_PAGES, 4096, true);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "workingset_refault_file", 4,
		     TALLY_UNIT_PAGES, 4096, true);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "workingset_nodes", 3,
		     TALLY_UNIT_OBJECTS, 0, false);
	assert_value(nodes, TALLY_SOURCE_VMSTAT,
		     "nr_anon_transparent_hugepages", 9, TALLY_UNIT_PAGES,
		     2048 * KIB, false);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "nr_kernel_stack", 7 * KIB,
		     TALLY_UNIT_BYTES, 0, false);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "numa_hit", 100,
		     TALLY_UNIT_EVENTS, 0, true);
	assert_value(nodes, TALLY_SOURCE_HUGEPAGES, "hugepages-2048kB nr", 12,
		     TALLY_UNIT_PAGES, 2048 * KIB, false);
	assert_value(nodes, TALLY_SOURCE_HUGEPAGES, "hugepages-2048kB free", 5,
		     TALLY_UNIT_PAGES, 2048 * KIB, false);
	assert_value(nodes, TALLY_SOURCE_HUGEPAGES, "hugepages-2048kB surplus",
		     2, TALLY_UNIT_PAGES, 2048 * KIB, false);
	assert_value(nodes, TALLY_SOURCE_HUGEPAGES, "hugepages-1048576kB nr", 1,
		     TALLY_UNIT_PAGES, 1048576 * KIB, false);
	assert_value(nodes, TALLY_SOURCE_CPU, "nice", 220000000, TALLY_UNIT_NS,
		     0, true);
	assert_value(nodes, TALLY_SOURCE_CPU, "guest_nice", 1100000000,
		     TALLY_UNIT_NS, 0, true);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_CPU, "user"),
			 1000000000);
	assert_null(figure_of(nodes, TALLY_SOURCE_VMSTAT, "interleave_hit"));
	tally_kernel_nodes_close(nodes);
}

/* Page sizes ascend; sources, and figures of one file, keep their order. */
static void order(void **state)
{
	static const char *const names[] = {
		"MemTotal",
		"MemFree",
		"MemUsed",
		"Active(file)",
		"Inactive(file)",
		"SReclaimable",
		"HugePages_Total",
		"hugepages-2048kB nr",
		"hugepages-2048kB free",
		"hugepages-2048kB surplus",
		"hugepages-1048576kB nr",
		"hugepages-1048576kB free",
		"hugepages-1048576kB surplus",
	};
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	unsigned int nr;

	put_machine(tree);
	nodes = open_nodes(tree, 1u << TALLY_SOURCE_MEMINFO |
					 1u << TALLY_SOURCE_HUGEPAGES);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 2);
	assert_int_equal(tally_kernel_nodes_row(nodes, 0)->node, 2);
	assert_int_equal(tally_kernel_nodes_row(nodes, 1)->node, 7);
	nr = tally_kernel_nodes_nr_figures(nodes);
	assert_int_equal(nr, sizeof(names) / sizeof(names[0]));
	for (unsigned int i = 0; i < nr; i++)
		assert_string_equal(tally_kernel_nodes_figure(nodes, i)->name,
				    names[i]);
	tally_kernel_nodes_close(nodes);
}

static void old_kernel_stacks(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	node_put(tree, 2, "vmstat",
		 "nr_free_pages 100000\nnr_kernel_stack 7\n");
	node_put(tree, 7, "vmstat",
		 "nr_free_pages 200000\nnr_kernel_stack 8\n");
	nodes = read_nodes(tree, 0);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "nr_kernel_stack", 7,
		     TALLY_UNIT_OBJECTS, 0, false);
	tally_kernel_nodes_close(nodes);
}

/* A page's size is what meminfo and vmstat agree on, or unknown. */
static void captured_pages(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	node_put(tree, 2, "vmstat", "nr_free_pages 6250\n");
	node_put(tree, 7, "vmstat", "nr_free_pages 12600\n");
	nodes = read_nodes(tree, 0);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "nr_free_pages", 6250,
		     TALLY_UNIT_PAGES, 65536, false);
	tally_kernel_nodes_close(nodes);
	node_put(tree, 2, "vmstat", "nr_free_pages 1\n");
	node_put(tree, 7, "vmstat", "nr_free_pages 9000000000000000000\n");
	nodes = read_nodes(tree, 0);
	assert_value(nodes, TALLY_SOURCE_VMSTAT, "nr_free_pages", 1,
		     TALLY_UNIT_PAGES, 0, false);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_ESTIMATE), -ENODATA);
	tally_kernel_nodes_close(nodes);
}

/* Computed by hand: low 36 + 5000 pages; reserve min(3840, 43 + 8523)
 * + 5900. */
static void available(void **state)
{
	const int64_t low = 5036 * 4, reserve = (3840 + 5900) * 4;
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	nodes = open_nodes(tree, 1u << TALLY_SOURCE_ESTIMATE);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_value(nodes, TALLY_SOURCE_ESTIMATE, "MemAvailable",
		     (400000 - reserve + 60000 - low + 3000 - 1500) * KIB,
		     TALLY_UNIT_BYTES, 0, false);
	assert_int_equal(
		value_of(nodes, 7, TALLY_SOURCE_ESTIMATE, "MemAvailable"),
		(800000 - 3500 * 4 + 60000 - 2500 * 4 + 3000 - 1500) * KIB);
	/* Watermarks are read again only after a while, free pages
	 * each time. */
	put_node(tree, 2, 40000);
	tree_put(tree, "proc/zoneinfo", "");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(
		value_of(nodes, 2, TALLY_SOURCE_ESTIMATE, "MemAvailable"),
		(40000 - reserve + 60000 - low + 3000 - 1500) * KIB);
	tally_kernel_nodes_close(nodes);
	tree_remove(tree, "proc/zoneinfo");
	nodes = read_nodes(tree, 0);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_ESTIMATE), -ENODATA);
	tally_kernel_nodes_close(nodes);
	tree_put(tree, "proc/zoneinfo", "Node 2, zone DMA\n   low x\n");
	nodes = read_nodes(tree, -EBADMSG);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_ESTIMATE), -EBADMSG);
	tally_kernel_nodes_close(nodes);
}

/* Much is reserved, little is free. */
static void nothing_available(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	put_node(tree, 2, 100);
	node_put(tree, 2, "meminfo",
		 "Node 2 MemFree: 100 kB\nNode 2 Active(file): 0 kB\n"
		 "Node 2 Inactive(file): 10 kB\nNode 2 SReclaimable: 9999 kB\n"
		 "Node 2 KReclaimable: 10 kB\n");
	nodes = read_nodes(tree, 0);
	assert_int_equal(
		value_of(nodes, 2, TALLY_SOURCE_ESTIMATE, "MemAvailable"), 0);
	tally_kernel_nodes_close(nodes);
}

static void nodes_come_and_go(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	unsigned int nr;

	put_machine(tree);
	nodes = read_nodes(tree, 0);
	nr = tally_kernel_nodes_nr_figures(nodes);
	put_node(tree, 0, 12345);
	node_put(tree, 0, "cpulist", "\n");
	tree_put(tree, NODE "/online", "0,2,7,9\n"); /* 9: no directory */
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 3);
	assert_int_equal(tally_kernel_nodes_row(nodes, 0)->node, 0);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_MEMINFO, "MemFree"),
			 12345 * KIB);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_CPU, "user"), 0);
	/* It appears later. */
	put_node(tree, 9, 99);
	assert_int_equal(tally_kernel_nodes_read(nodes), -ENOENT);
	assert_int_equal(err_of(nodes, 9, TALLY_SOURCE_CPU), -ENOENT);
	node_put(tree, 9, "cpulist", "\n");
	tree_put(tree, NODE "/online", "0,9\n");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 2);
	assert_int_equal(value_of(nodes, 9, TALLY_SOURCE_MEMINFO, "MemFree"),
			 99 * KIB);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_VMSTAT, "numa_hit"),
			 100);
	tree_put(tree, NODE "/online", "2\n");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 1);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemFree"),
			 400000 * KIB);
	assert_int_equal(tally_kernel_nodes_nr_figures(nodes), nr);
	tally_kernel_nodes_close(nodes);
}

/* A listed node whose files are gone. With many nodes few files stay open: open
 * files of a tmpfs would live on. */
static void node_vanishes(void **state)
{
	unsigned int sources = TALLY_SOURCES_ALL & ~(1u << TALLY_SOURCE_CPU);
	struct rlimit limit, few;
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	int fd = dup(0);

	put_machine(tree);
	for (int node = 10; node < 30; node++)
		put_node(tree, node, node);
	tree_put(tree, NODE "/online", "2,7,10-29\n");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)fd + 24;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	nodes = open_nodes(tree, sources);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	tree_remove(tree, NODE "/node28");
	assert_int_equal(tally_kernel_nodes_read(nodes), -ENOENT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 22);
	for (int s = 0; s <= TALLY_SOURCE_HUGEPAGES; s++)
		assert_int_equal(err_of(nodes, 28, (enum tally_source)s),
				 -ENOENT);
	assert_int_equal(value_of(nodes, 28, TALLY_SOURCE_MEMINFO, "MemFree"),
			 TALLY_UNKNOWN);
	for (int node = 10; node < 30; node++)
		if (node != 28)
			assert_int_equal(value_of(nodes, node,
						  TALLY_SOURCE_MEMINFO,
						  "MemFree"),
					 node * KIB);
	tally_kernel_nodes_close(nodes);
}

static void cpus_come_and_go(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 110000000);
	/* CPU 1's counts stay; CPU 40 is new. */
	tree_put(tree, "proc/stat",
		 "cpu0 2 2 3 4 5 6 7 8 9 10\ncpu5 100 0 0 0 0 0 0 0 0 1\n"
		 "cpu40 5 0 0 0 0 0 0 0 0 0\n");
	node_put(tree, 2, "cpulist", "0\n");
	node_put(tree, 7, "cpulist", "5,40\n");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 120000000);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_CPU, "user"),
			 1050000000);
	/* CPU 1 returns, with higher counts. */
	tree_put(tree, "proc/stat",
		 "cpu0 2 2 3 4 5 6 7 8 9 10\ncpu1 11 0 0 0 0 0 0 0 0 0\n"
		 "cpu5 100 0 0 0 0 0 0 0 0 1\ncpu40 5 0 0 0 0 0 0 0 0 0\n");
	node_put(tree, 2, "cpulist", "0-1\n");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 130000000);
	tally_kernel_nodes_close(nodes);
}

/* As with numa=fake: each counts on the node that it is linked to, else on the
 * first. */
static void cpus_of_several_nodes(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	tree_put(tree, "proc/stat",
		 "cpu0 1 0 0 0 0 0 0 0 0 0\ncpu1 2 0 0 0 0 0 0 0 0 0\n"
		 "cpu5 4 0 0 0 0 0 0 0 0 0\n");
	node_put(tree, 2, "cpulist", "0-1,5\n");
	node_put(tree, 7, "cpulist", "0-1,5\n");
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 70000000);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_CPU, "user"), 0);
	tally_kernel_nodes_close(nodes);
	tree_mkdir(tree, "sys/devices/system/cpu/cpu1/node7");
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 50000000);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_CPU, "user"),
			 20000000);
	tally_kernel_nodes_close(nodes);
}

/* Old kernels have only the mask. */
static void masks_of_cpus(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	tree_remove(tree, NODE "/node2/cpulist");
	node_put(tree, 2, "cpumap", "00000000,00000002\n");
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 100000000);
	tally_kernel_nodes_close(nodes);
}

static void without_numa(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	char path[128];

	put_machine(tree);
	tree_remove(tree, "sys/devices");
	tree_mkdir(tree, NODE); /* it may be hidden */
	tree_put(tree, "proc/meminfo",
		 "MemTotal: 2097152 kB\nMemFree: 400 kB\n"
		 "Active(file): 0 kB\nInactive(file): 0 kB\n"
		 "SReclaimable: 0 kB\nHugePages_Free: 1\n"
		 "Hugepagesize:    2048 kB\n");
	tree_put(tree, "proc/vmstat",
		 "nr_free_pages 100\npgpgin 5\npgfault 6\npgscan_kswapd 7\n");
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = {"nr", "free", "surplus"};

		snprintf(path, sizeof(path),
			 "sys/kernel/mm/hugepages/hugepages-64kB/%s_hugepages",
			 files[i]);
		tree_put(tree, path, "3\n");
	}
	tree_put(tree, "proc/zoneinfo",
		 "Node 0, zone Normal\n  high 10\n  low 5\n  managed 99999\n");
	nodes = read_nodes(tree, 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 1);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_MEMINFO, "MemTotal"),
			 2097152 * KIB);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_VMSTAT, "pgpgin"),
			 5 * KIB);
	assert_int_equal(figure_of(nodes, TALLY_SOURCE_VMSTAT, "pgfault")->unit,
			 TALLY_UNIT_EVENTS);
	assert_int_equal(
		figure_of(nodes, TALLY_SOURCE_VMSTAT, "pgscan_kswapd")->unit,
		TALLY_UNIT_PAGES);
	assert_int_equal(err_of(nodes, 0, TALLY_SOURCE_NUMASTAT), -ENODATA);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_CPU, "user"),
			 1110000000);
	assert_int_equal(
		value_of(nodes, 0, TALLY_SOURCE_HUGEPAGES, "hugepages-64kB nr"),
		3);
	assert_int_equal(
		value_of(nodes, 0, TALLY_SOURCE_ESTIMATE, "MemAvailable"),
		360 * KIB);
	tally_kernel_nodes_close(nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(all_units),
		TREE_TEST(order),
		TREE_TEST(old_kernel_stacks),
		TREE_TEST(captured_pages),
		TREE_TEST(available),
		TREE_TEST(nothing_available),
		TREE_TEST(nodes_come_and_go),
		TREE_TEST(node_vanishes),
		TREE_TEST(cpus_of_several_nodes),
		TREE_TEST(cpus_come_and_go),
		TREE_TEST(masks_of_cpus),
		TREE_TEST(without_numa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
