/* SPDX-License-Identifier: MIT */
/*
 * What the tests of node figures share: figures by name, and a small machine.
 */
#ifndef TEST_SUPPORT_NODE_TREES_H
#define TEST_SUPPORT_NODE_TREES_H

#include <numatally/kernel_node.h>

#include "support/trees.h"

#define NODE "sys/devices/system/node"

static inline const struct tally_figure *
figure_of(const struct tally_node_stats *nodes, enum tally_source source,
	  const char *name)
{
	int i = tally_kernel_nodes_find_figure(nodes, source, name);
	const struct tally_figure *figure;

	if (i < 0) {
		assert_int_equal(i, -ENOENT);
		return NULL;
	}
	assert_in_range(i, 0, tally_kernel_nodes_nr_figures(nodes) - 1);
	figure = tally_kernel_nodes_figure(nodes, (unsigned int)i);
	assert_string_equal(figure->name, name);
	assert_int_equal(figure->source, source);
	return figure;
}

static inline const struct tally_node_figures *
row_of(const struct tally_node_stats *nodes, int node)
{
	for (unsigned int i = 0; i < tally_kernel_nodes_nr(nodes); i++)
		if (tally_kernel_nodes_row(nodes, i)->node == node)
			return tally_kernel_nodes_row(nodes, i);
	return NULL;
}

static inline int64_t value_of(const struct tally_node_stats *nodes, int node,
			       enum tally_source source, const char *name)
{
	int i = tally_kernel_nodes_find_figure(nodes, source, name);

	assert_non_null(row_of(nodes, node));
	return i < 0 ? TALLY_UNKNOWN : row_of(nodes, node)->values[i];
}

static inline int err_of(const struct tally_node_stats *nodes, int node,
			 enum tally_source source)
{
	assert_non_null(row_of(nodes, node));
	return row_of(nodes, node)->err[source];
}

/* A file of a node. */
static inline void node_put(const struct tree *tree, int node, const char *name,
			    const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), NODE "/node%d/%s", node, name);
	tree_put(tree, path, text);
}

static inline void put_node(const struct tree *tree, int node, int free_kib)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "\nNode %d MemTotal:       1048576 kB\n"
		 "Node %d MemFree:        %d kB\n"
		 "Node %d MemUsed:        17 kB\n"
		 "Node %d Active(file):   40000 kB\n"
		 "Node %d Inactive(file): 20000 kB\n"
		 "Node %d SReclaimable:   3000 kB\n"
		 "Node %d HugePages_Total:    12\n",
		 node, node, free_kib, node, node, node, node, node);
	node_put(tree, node, "meminfo", text);
	node_put(tree, node, "numastat",
		 "numa_hit 100\nnuma_miss 7\nnuma_foreign 0\n"
		 "interleave_hit 3\nlocal_node 90\nother_node 17\n");
	snprintf(text, sizeof(text),
		 "nr_free_pages %d\nnr_zone_inactive_anon 5\n"
		 "workingset_nodes 3\nworkingset_refault_file 4\n"
		 "nr_dirtied 6\nnr_kernel_stack 7\npgdemote_kswapd 8\n"
		 "nr_anon_transparent_hugepages 9\nnuma_hit 100\n",
		 free_kib / 4);
	node_put(tree, node, "vmstat", text);
	node_put(tree, node, "hugepages/hugepages-1048576kB/nr_hugepages",
		 "1\n");
	node_put(tree, node, "hugepages/hugepages-1048576kB/free_hugepages",
		 "0\n");
	node_put(tree, node, "hugepages/hugepages-1048576kB/surplus_hugepages",
		 "0\n");
	node_put(tree, node, "hugepages/hugepages-2048kB/nr_hugepages", "12\n");
	node_put(tree, node, "hugepages/hugepages-2048kB/free_hugepages",
		 "5\n");
	node_put(tree, node, "hugepages/hugepages-2048kB/surplus_hugepages",
		 "2\n");
}

/* Nodes 2 (CPUs 0-1) and 7 (CPU 5), with their files elsewhere. */
static inline void put_machine(const struct tree *tree)
{
	tree_put(tree, NODE "/online", "2,7\n");
	put_node(tree, 2, 400000);
	put_node(tree, 7, 800000);
	node_put(tree, 2, "cpulist", "0-1\n");
	node_put(tree, 7, "cpulist", "5\n");
	tree_put(tree, "proc/stat",
		 "cpu  111 0 0 0\n"
		 "cpu0 1 2 3 4 5 6 7 8 9 10\n"
		 "cpu1 10 20 30 40 50 60 70 80 90 100\n"
		 "cpu5 100 0 0 0 0 0 0 0 0 1\n"
		 "intr 1 2 3\n");
	tree_put(tree, "proc/meminfo",
		 "MemTotal: 2097152 kB\nHugepagesize:    2048 kB\n");
	tree_put(tree, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
		 "2097152\n");
	tree_put(tree, "proc/zoneinfo",
		 "Node 2, zone      DMA\n"
		 "  per-node stats\n"
		 "      nr_inactive_anon 12168\n"
		 "  pages free     3840\n"
		 "        boost    0\n"
		 "        min      29\n"
		 "        low      36\n"
		 "        high     43\n"
		 "        spanned  4095\n"
		 "        present  3998\n"
		 "        managed  3840\n"
		 "        protection: (0, 3019, 8523, 8523, 8523)\n"
		 "  pagesets\n"
		 "    cpu: 0\n"
		 "              count:    0\n"
		 "              high:     77\n"
		 "              low 88\n"
		 "  start_pfn:           1\n"
		 "Node 2, zone   Normal\n"
		 "  pages free     100000\n"
		 "        boost    100\n"
		 "        min      4000\n"
		 "        low      5000\n"
		 "        high     6000\n"
		 "        spanned  262144\n"
		 "        present  262144\n"
		 "        managed  250000\n"
		 "        protection: (0, 0, 0, 0, 0)\n"
		 "Node 7, zone   Normal\n"
		 "  pages free     200000\n"
		 "        min      2000\n"
		 "        low      2500\n"
		 "        high     3000\n"
		 "        present  262144\n"
		 "        managed  262144\n"
		 "        protection: (0, 500, 500)\n");
}

#define TREE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

static inline struct tally_node_stats *open_nodes(const struct tree *tree,
						  unsigned int sources)
{
	struct tally_node_stats *nodes = NULL;

	assert_int_equal(tally_kernel_nodes_open(tree->root, sources, &nodes),
			 0);
	assert_int_equal(tally_kernel_nodes_nr(nodes), 0);
	return nodes;
}

static inline struct tally_node_stats *read_nodes(const struct tree *tree,
						  int expected)
{
	struct tally_node_stats *nodes = open_nodes(tree, TALLY_SOURCES_ALL);

	assert_int_equal(tally_kernel_nodes_read(nodes), expected);
	return nodes;
}

/* Node 2 has this figure, with this value. */
static inline void assert_value(const struct tally_node_stats *nodes,
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

#endif
