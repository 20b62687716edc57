/* SPDX-License-Identifier: MIT */
/* What the tests of topo share: a made-up machine, and checks of a topology. */
#ifndef TEST_SUPPORT_TOPO_TREES_H
#define TEST_SUPPORT_TOPO_TREES_H

#include <limits.h>

#include <numatally/topo.h>

#include "support/trees.h"

#define CPU  "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"
#define TIER "sys/devices/virtual/memory_tiering"
#define GPU  "proc/driver/nvidia/gpus"

/* What is true of every topology. */
static inline void assert_sound(const struct tally_topo *topo)
{
	int nr_cpus = (int)tally_topo_nr_cpus(topo);
	unsigned int nr = tally_topo_nr_nodes(topo);

	assert_in_range(nr, 1, 65536);
	assert_in_range(nr_cpus, 1, 65536);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(topo, i);

		assert_true(i == 0 ||
			    node->id > tally_topo_node(topo, i - 1)->id);
		assert_int_equal(tally_topo_index(topo, node->id), i);
		assert_true(node->memory_bytes >= -1);
		assert_true(node->tier >= -1 && node->tier < (int)nr);
		for (unsigned int j = 0; j < node->nr_cpus; j++) {
			int cpu = node->cpus[j];

			assert_true(j == 0 || cpu > node->cpus[j - 1]);
			assert_true(tally_topo_cpu_online(topo, cpu));
			assert_int_equal(tally_topo_cpu_node(topo, cpu),
					 node->id);
		}
		for (unsigned int j = 0; node->distances && j < nr; j++)
			assert_true(node->distances[j] > 0);
	}
	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		int id = tally_topo_cpu_node(topo, cpu);

		assert_true(id == -ENOENT || tally_topo_index(topo, id) >= 0);
	}
	assert_int_equal(tally_topo_cpu_node(topo, -1), -ENOENT);
	assert_int_equal(tally_topo_cpu_node(topo, nr_cpus), -ENOENT);
	assert_false(tally_topo_cpu_online(topo, -1));
	assert_false(tally_topo_cpu_online(topo, nr_cpus));
	assert_int_equal(tally_topo_index(topo, -1), -ENOENT);
	assert_int_equal(tally_topo_index(topo, INT_MAX), -ENOENT);
}

static inline struct tally_topo *open_tree(const struct tree *tree)
{
	struct tally_topo *topo = NULL;

	assert_int_equal(tally_topo_open(tree->root, &topo), 0);
	assert_sound(topo);
	return topo;
}

static inline const struct tally_node *node_of(const struct tally_topo *topo,
					       int id)
{
	int index = tally_topo_index(topo, id);

	assert_true(index >= 0);
	return tally_topo_node(topo, (unsigned int)index);
}

/* "1,2,3": the numbers as text, to compare and to print in a failure. */
static inline void assert_numbers(const int *numbers, unsigned int nr,
				  const char *expected)
{
	char text[1024] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < nr; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 i ? ",%d" : "%d", numbers[i]);
	assert_string_equal(text, expected);
}

static inline void assert_cpus(const struct tally_topo *topo, int id,
			       const char *expected)
{
	const struct tally_node *node = node_of(topo, id);

	assert_numbers(node->cpus, node->nr_cpus, expected);
}

static inline void assert_row(const struct tally_topo *topo, int id,
			      const char *expected)
{
	const struct tally_node *node = node_of(topo, id);

	assert_non_null(node->distances);
	assert_numbers(node->distances, tally_topo_nr_nodes(topo), expected);
}

/* Nodes 2 and 7, CPUs 0-1 and 2-3. */
static inline void put_two_nodes(const struct tree *tree)
{
	for (int cpu = 0; cpu < 4; cpu++) {
		char path[64], mask[8];

		/* hwloc takes no CPU without these. */
		snprintf(path, sizeof(path), CPU "/cpu%d/topology/core_cpus",
			 cpu);
		snprintf(mask, sizeof(mask), "%x\n", 1u << cpu);
		tree_put(tree, path, mask);
		snprintf(path, sizeof(path), CPU "/cpu%d/topology/package_cpus",
			 cpu);
		tree_put(tree, path, "f\n");
	}
	tree_put(tree, CPU "/online", "0-3\n");
	tree_put(tree, CPU "/possible", "0-3\n");
	tree_put(tree, NODE "/online", "2,7\n");
	tree_put(tree, NODE "/node2/cpulist", "0-1\n");
	tree_put(tree, NODE "/node2/cpumap", "3\n");
	tree_put(tree, NODE "/node2/distance", "10 21\n");
	tree_put(tree, NODE "/node2/meminfo",
		 "\nNode 2 MemTotal:  1024 kB\nNode 2 MemFree: 7 kB\n");
	tree_put(tree, NODE "/node7/cpulist", "2-3\n");
	tree_put(tree, NODE "/node7/cpumap", "c\n");
	tree_put(tree, NODE "/node7/distance", "22 10\n");
	tree_put(tree, NODE "/node7/meminfo", "Node 7 MemTotal: 0 kB\n");
}

/* The firmware's bandwidth of a node, from node 2. */
static inline void put_bandwidth(const struct tree *tree, int node,
				 const char *text)
{
	static const char *const files[] = {"read_bandwidth",
					    "write_bandwidth"};

	for (size_t i = 0; i < 2; i++) {
		char path[128];

		snprintf(path, sizeof(path),
			 NODE "/node%d/access0/initiators/%s", node, files[i]);
		tree_put(tree, path, text);
		snprintf(path, sizeof(path),
			 NODE "/node%d/access0/initiators/node2", node);
		tree_mkdir(tree, path);
	}
}

#define TREE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

#endif
