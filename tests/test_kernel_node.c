// SPDX-License-Identifier: MIT
/* Figures of nodes, on a small machine that is made up, and damaged. */
#include "config.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "node_trees.h"

#define KIB INT64_C(1024)

static struct tally_nodes *open_nodes(const struct tree *tree,
				      unsigned int sources)
{
	struct tally_nodes *nodes = NULL;

	assert_int_equal(tally_kernel_nodes_open(tree->root, sources, &nodes),
			 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 0);
	return nodes;
}

static struct tally_nodes *read_nodes(const struct tree *tree, int expected)
{
	struct tally_nodes *nodes = open_nodes(tree, TALLY_SOURCES_ALL);

	assert_int_equal(tally_kernel_nodes_read(nodes), expected);
	return nodes;
}

/* Of node 2. */
static void assert_value(const struct tally_nodes *nodes,
			 enum tally_source source, const char *name,
			 int64_t value, enum tally_unit unit,
			 int64_t page_bytes, bool counter)
{
	const struct tally_figure *f = figure_of(nodes, source, name);

	print_message("# %s\n", name);
	assert_non_null(f);
	assert_int_equal(f->unit, unit);
	assert_int_equal(f->page_bytes, page_bytes);
	assert_int_equal(f->counter, counter);
	assert_int_equal(f->estimate, source == TALLY_SOURCE_ESTIMATE);
	assert_int_equal(value_of(nodes, 2, source, name), value);
}

static void all_units(void **state)
{
	struct tally_nodes *nodes;
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

/* Sizes ascend, files keep their order, sources do too. */
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
	const struct tally_figure *figures;
	struct tally_nodes *nodes;
	struct tree *tree = *state;
	unsigned int nr;

	put_machine(tree);
	nodes = open_nodes(tree, 1u << TALLY_SOURCE_MEMINFO |
					 1u << TALLY_SOURCE_HUGEPAGES);
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 2);
	assert_int_equal(tally_kernel_nodes_row(nodes, 0)->node, 2);
	assert_int_equal(tally_kernel_nodes_row(nodes, 1)->node, 7);
	figures = tally_kernel_nodes_figures(nodes, &nr);
	assert_int_equal(nr, sizeof(names) / sizeof(names[0]));
	for (unsigned int i = 0; i < nr; i++)
		assert_string_equal(figures[i].name, names[i]);
	tally_kernel_nodes_close(nodes);
}

static void old_kernel_stacks(void **state)
{
	struct tally_nodes *nodes;
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

/* A page is what meminfo and vmstat agree on, or not known. */
static void captured_pages(void **state)
{
	struct tally_nodes *nodes;
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

/* By hand: low 36 + 5000 pages; reserve min(3840, 43 + 8523) + 5900. */
static void available(void **state)
{
	const int64_t low = 5036 * 4, reserve = (3840 + 5900) * 4;
	struct tally_nodes *nodes;
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
	/* Watermarks stay for a while; what there is does not. */
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
	nodes = read_nodes(tree, -EINVAL);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_ESTIMATE), -EINVAL);
	tally_kernel_nodes_close(nodes);
}

/* Much is reserved, little is there. */
static void nothing_available(void **state)
{
	struct tally_nodes *nodes;
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
	struct tally_nodes *nodes;
	struct tree *tree = *state;
	unsigned int nr, after;

	put_machine(tree);
	nodes = read_nodes(tree, 0);
	tally_kernel_nodes_figures(nodes, &nr);
	put_node(tree, 0, 12345);
	node_put(tree, 0, "cpulist", "\n");
	tree_put(tree, NODE "/online", "0,2,7,9\n"); /* 9: no directory */
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 3);
	assert_int_equal(tally_kernel_nodes_row(nodes, 0)->node, 0);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_MEMINFO, "MemFree"),
			 12345 * KIB);
	assert_int_equal(value_of(nodes, 0, TALLY_SOURCE_CPU, "user"), 0);
	/* It comes late. */
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
	tally_kernel_nodes_figures(nodes, &after);
	assert_int_equal(nr, after);
	tally_kernel_nodes_close(nodes);
}

/* One that is listed, and whose files are gone; of so many that few are kept
 * open, as those that are live on in a tmpfs. */
static void node_vanishes(void **state)
{
	unsigned int sources = TALLY_SOURCES_ALL & ~(1u << TALLY_SOURCE_CPU);
	struct rlimit limit, few;
	struct tally_nodes *nodes;
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
	struct tally_nodes *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 110000000);
	/* What CPU 1 counted stays; CPU 40 is new. */
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
	/* It comes back, and has gone on. */
	tree_put(tree, "proc/stat",
		 "cpu0 2 2 3 4 5 6 7 8 9 10\ncpu1 11 0 0 0 0 0 0 0 0 0\n"
		 "cpu5 100 0 0 0 0 0 0 0 0 1\ncpu40 5 0 0 0 0 0 0 0 0 0\n");
	node_put(tree, 2, "cpulist", "0-1\n");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 130000000);
	tally_kernel_nodes_close(nodes);
}

/* Only the mask, as old kernels have it. */
static void masks_of_cpus(void **state)
{
	struct tally_nodes *nodes;
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
	struct tally_nodes *nodes;
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

/* The row has an error, its values are unknown, and the other row is right. */
static void assert_damage(const struct tree *tree, enum tally_source source,
			  int expected)
{
	struct tally_nodes *nodes = read_nodes(tree, expected);
	const struct tally_figure *figures;
	unsigned int nr;

	assert_int_equal(err_of(nodes, 2, source), expected);
	assert_int_equal(err_of(nodes, 7, source), 0);
	figures = tally_kernel_nodes_figures(nodes, &nr);
	for (unsigned int i = 0; i < nr; i++)
		if (figures[i].source == source)
			assert_int_equal(row_of(nodes, 2)->values[i],
					 TALLY_UNKNOWN);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_MEMINFO, "MemFree"),
			 800000 * KIB);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_NUMASTAT, "numa_hit"),
			 100);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_VMSTAT, "nr_dirtied"),
			 6);
	tally_kernel_nodes_close(nodes);
}

static void damaged_files(void **state)
{
	static const char *const meminfo[] = {
		"",
		"\n\n",
		"Node 2 MemFree: 12",
		"Node 2 MemFree: 1 kB\nNode 2 MemTot",
		"Node 7 MemFree: 1 kB\n",
		"Node 2 MemFree: 1 MB\n",
		"Node 2 MemFree: -1 kB\n",
		"Node 2 MemFree: kB\n",
		"Node 2 MemFree: 12\n",
		"Node 2 HugePages_Free: 12 kB\n",
		"Node 2 MemFree 1 kB\n",
		"Node 2 : 1 kB\n",
		"MemFree: 1 kB\n",
		"Node 2 Mem\001Free: 1 kB\n",
		"Node 2 MemFree: 1 kB\nNode 2 MemFree: 1 kB\n",
	};
	static const char *const pairs[] = {
		"",
		"nr_dirtied 5",
		"nr_dirtied\n",
		"nr_dirtied x\n",
		"nr_dirtied 1 2\n",
		"nr_dirtied 1 kB\n",
		"5\n",
		"nr_dirtied  \n",
		"nr_dirtied 1\nnr_dirtied 1\n",
	};
	struct tree *tree = *state;
	char name[80];

	snprintf(name, sizeof(name), "Node 2 %064d: 1 kB\n", 0);
	put_machine(tree);
	node_put(tree, 2, "meminfo", name);
	assert_damage(tree, TALLY_SOURCE_MEMINFO, -EINVAL);
	for (size_t i = 0; i < sizeof(meminfo) / sizeof(meminfo[0]); i++) {
		print_message("# meminfo %zu\n", i);
		put_machine(tree);
		node_put(tree, 2, "meminfo", meminfo[i]);
		assert_damage(tree, TALLY_SOURCE_MEMINFO, -EINVAL);
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		print_message("# pairs %zu\n", i);
		put_machine(tree);
		node_put(tree, 2, "vmstat", pairs[i]);
		assert_damage(tree, TALLY_SOURCE_VMSTAT, -EINVAL);
		put_machine(tree);
		node_put(tree, 2, "numastat", pairs[i]);
		assert_damage(tree, TALLY_SOURCE_NUMASTAT, -EINVAL);
	}
	put_machine(tree);
	tree_put_bytes(tree, NODE "/node2/numastat", "numa_hit 1\0001\n", 13);
	assert_damage(tree, TALLY_SOURCE_NUMASTAT, -EINVAL);
	put_machine(tree);
	node_put(tree, 2, "cpulist", "0-x\n");
	assert_damage(tree, TALLY_SOURCE_CPU, -ENOENT);
	put_machine(tree);
	tree_remove(tree, NODE "/node2/numastat");
	assert_damage(tree, TALLY_SOURCE_NUMASTAT, -ENOENT);
	tree_mkdir(tree, NODE "/node2/numastat");
	assert_damage(tree, TALLY_SOURCE_NUMASTAT, -EINVAL);
}

/* A line that has no end, and a file that has no line. */
static void endless_line(void **state)
{
	static const char line[] = "cpu0 7 0 0 0\nintr ";
	static char text[200001];
	struct tally_nodes *nodes;
	struct tree *tree = *state;

	memset(text, 'a', sizeof(text) - 1);
	put_machine(tree);
	node_put(tree, 2, "meminfo", text);
	assert_damage(tree, TALLY_SOURCE_MEMINFO, -EINVAL);
	put_machine(tree);
	memcpy(text, line, sizeof(line) - 1);
	tree_put(tree, "proc/stat", text);
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 70000000);
	tally_kernel_nodes_close(nodes);
}

static void damaged_stat(void **state)
{
	static const char *const stats[] = {
		"",
		"cpu 1 2 3\n",
		"intr 5\n",
		"cpu0 1 2 3",
		"cpu0\n",
		"cpu0 x\n",
		"cpu0 1 -2\n",
		"cpu65536 1 2\n",
		"cpu0 1 2\ncpu0 1 2\n",
		"cpu0a 1\n",
		"cpu0 99999999999999999999 1\n",
	};
	struct tally_nodes *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
		print_message("# %zu\n", i);
		tree_put(tree, "proc/stat", stats[i]);
		nodes = read_nodes(tree, -EINVAL);
		assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_CPU), -EINVAL);
		assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
				 TALLY_UNKNOWN);
		tally_kernel_nodes_close(nodes);
	}
	tree_put(tree, "proc/stat", "cpu0 9000000000000000 1\n");
	nodes = read_nodes(tree, -ERANGE);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_CPU), -ERANGE);
	tally_kernel_nodes_close(nodes);
}

/* MemUsed was seen below zero: that figure alone isn't known. */
static void number_too_large(void **state)
{
	struct tally_nodes *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	node_put(tree, 2, "meminfo",
		 "Node 2 MemUsed: 18446744073709551612 kB\n"
		 "Node 2 Slab: 9007199254740992 kB\nNode 2 MemFree: 3 kB\n");
	node_put(tree, 2, "numastat",
		 "numa_hit 9223372036854775808\n"
		 "numa_miss 9223372036854775807\n");
	nodes = read_nodes(tree, -ERANGE);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_MEMINFO), -ERANGE);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemUsed"),
			 TALLY_UNKNOWN);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "Slab"),
			 TALLY_UNKNOWN);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemFree"),
			 3 * KIB);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_NUMASTAT, "numa_hit"),
			 TALLY_UNKNOWN);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_NUMASTAT, "numa_miss"),
			 INT64_MAX);
	tally_kernel_nodes_close(nodes);
}

/* No more figures than there may be, and still those of the other sources. */
static void too_many_figures(void **state)
{
	struct tree *tree = *state;
	char *text = malloc(10000 * 20), *p = text;
	struct tally_nodes *nodes;
	unsigned int nr;

	assert_non_null(text);
	for (int i = 0; i < 10000; i++)
		p += sprintf(p, "figure_%d %d\n", i, i);
	put_machine(tree);
	node_put(tree, 7, "vmstat", text);
	nodes = read_nodes(tree, -EFBIG);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_VMSTAT), -EFBIG);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_VMSTAT, "nr_dirtied"),
			 6);
	tally_kernel_nodes_figures(nodes, &nr);
	assert_int_equal(nr, 8192);
	tally_kernel_nodes_close(nodes);
	free(text);
}

/* What one node has and another doesn't, and new figures on the way. */
static void different_figures(void **state)
{
	struct tally_nodes *nodes;
	struct tree *tree = *state;
	char line[64];

	put_machine(tree);
	node_put(tree, 7, "numastat", "numa_miss 1\nnuma_new 2\nnuma_hit 3\n");
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_NUMASTAT, "numa_hit"),
			 3);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_NUMASTAT, "numa_new"),
			 2);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_NUMASTAT, "numa_new"),
			 TALLY_UNKNOWN);
	for (int i = 0; i < 500; i++) {
		snprintf(line, sizeof(line), "new_%d %d\n", i, i);
		node_put(tree, 7, "numastat", line);
		assert_int_equal(tally_kernel_nodes_read(nodes), 0);
		snprintf(line, sizeof(line), "new_%d", i);
		assert_int_equal(
			value_of(nodes, 7, TALLY_SOURCE_NUMASTAT, line), i);
		assert_int_equal(
			value_of(nodes, 7, TALLY_SOURCE_NUMASTAT, "new_0"),
			i ? TALLY_UNKNOWN : 0);
	}
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_NUMASTAT, "numa_hit"),
			 100);
	tally_kernel_nodes_close(nodes);
}

/* Without a list of online nodes, or with a useless one: the directories. */
static void without_list(void **state)
{
	struct tally_nodes *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	tree_put(tree, NODE "/online", "2-\n");
	nodes = read_nodes(tree, 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 2);
	tree_remove(tree, NODE "/online");
	put_node(tree, 3, 1);
	node_put(tree, 3, "cpulist", "\n");
	tally_kernel_nodes_close(nodes);
	nodes = read_nodes(tree, 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 3);
	tree_remove(tree, NODE "/node3");
	assert_int_equal(tally_kernel_nodes_read(nodes), 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 2);
	tally_kernel_nodes_close(nodes);
}

static void no_machine(void **state)
{
	struct tally_nodes *nodes = NULL;
	struct tree *tree = *state;
	char path[256];

	assert_int_equal(
		tally_kernel_nodes_open(tree->root, TALLY_SOURCES_ALL, &nodes),
		-ENOENT);
	tree_mkdir(tree, NODE);
	assert_int_equal(
		tally_kernel_nodes_open(tree->root, TALLY_SOURCES_ALL, &nodes),
		-ENOENT);
	tree_put(tree, "file", "");
	tree_path(tree, "file", path);
	assert_int_equal(
		tally_kernel_nodes_open(path, TALLY_SOURCES_ALL, &nodes),
		-ENOTDIR);
	tree_path(tree, "none", path);
	assert_int_equal(
		tally_kernel_nodes_open(path, TALLY_SOURCES_ALL, &nodes),
		-ENOENT);
	assert_null(nodes);
	tally_kernel_nodes_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(all_units),	      TREE_TEST(order),
		TREE_TEST(old_kernel_stacks), TREE_TEST(captured_pages),
		TREE_TEST(available),	      TREE_TEST(nothing_available),
		TREE_TEST(nodes_come_and_go), TREE_TEST(node_vanishes),
		TREE_TEST(cpus_come_and_go),  TREE_TEST(masks_of_cpus),
		TREE_TEST(without_numa),      TREE_TEST(damaged_files),
		TREE_TEST(endless_line),      TREE_TEST(damaged_stat),
		TREE_TEST(number_too_large),  TREE_TEST(too_many_figures),
		TREE_TEST(different_figures), TREE_TEST(without_list),
		TREE_TEST(no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
