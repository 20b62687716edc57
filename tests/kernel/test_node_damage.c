// SPDX-License-Identifier: MIT
/* Figures of nodes whose files are damaged, missing or different. */
#include "support/test.h"

#include <sys/resource.h>

#include "support/node_trees.h"

/* The row has an error and no values; the other row is right. */
static void assert_damage(const struct tree *tree, enum tally_source source,
			  int expected)
{
	struct tally_node_stats *nodes = read_nodes(tree, expected);
	unsigned int nr = tally_kernel_nodes_nr_figures(nodes);

	assert_int_equal(err_of(nodes, 2, source), expected);
	assert_int_equal(err_of(nodes, 7, source), 0);
	for (unsigned int i = 0; i < nr; i++)
		if (tally_kernel_nodes_figure(nodes, i)->source == source)
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
	assert_damage(tree, TALLY_SOURCE_MEMINFO, -EBADMSG);
	for (size_t i = 0; i < sizeof(meminfo) / sizeof(meminfo[0]); i++) {
		print_message("# meminfo %zu\n", i);
		put_machine(tree);
		node_put(tree, 2, "meminfo", meminfo[i]);
		assert_damage(tree, TALLY_SOURCE_MEMINFO, -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		print_message("# pairs %zu\n", i);
		put_machine(tree);
		node_put(tree, 2, "vmstat", pairs[i]);
		assert_damage(tree, TALLY_SOURCE_VMSTAT, -EBADMSG);
		put_machine(tree);
		node_put(tree, 2, "numastat", pairs[i]);
		assert_damage(tree, TALLY_SOURCE_NUMASTAT, -EBADMSG);
	}
	put_machine(tree);
	tree_put_bytes(tree, NODE "/node2/numastat", "numa_hit 1\0001\n", 13);
	assert_damage(tree, TALLY_SOURCE_NUMASTAT, -EBADMSG);
	put_machine(tree);
	node_put(tree, 2, "cpulist", "0-x\n");
	assert_damage(tree, TALLY_SOURCE_CPU, -EBADMSG);
	put_machine(tree);
	tree_remove(tree, NODE "/node2/numastat");
	assert_damage(tree, TALLY_SOURCE_NUMASTAT, -ENOENT);
	tree_mkdir(tree, NODE "/node2/numastat");
	assert_damage(tree, TALLY_SOURCE_NUMASTAT, -EISDIR);
}

/* A line without an end, and a file without a line. */
static void endless_line(void **state)
{
	static const char line[] = "cpu0 7 0 0 0\nintr ";
	static char text[200001];
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	memset(text, 'a', sizeof(text) - 1);
	put_machine(tree);
	node_put(tree, 2, "meminfo", text);
	assert_damage(tree, TALLY_SOURCE_MEMINFO, -EBADMSG);
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
	struct tally_node_stats *nodes;
	struct tree *tree = *state;

	put_machine(tree);
	for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
		print_message("# %zu\n", i);
		tree_put(tree, "proc/stat", stats[i]);
		nodes = read_nodes(tree, -EBADMSG);
		assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_CPU), -EBADMSG);
		assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
				 TALLY_UNKNOWN);
		tally_kernel_nodes_close(nodes);
	}
	tree_put(tree, "proc/stat", "cpu0 9000000000000000 1\n");
	nodes = read_nodes(tree, -ERANGE);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_CPU), -ERANGE);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_CPU), -ENODATA);
	tally_kernel_nodes_close(nodes);
	/* The line of one CPU: its node alone. */
	tree_put(tree, "proc/stat", "cpu0 x\ncpu1 1 2\ncpu5 3 4\n");
	nodes = read_nodes(tree, -EBADMSG);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_CPU), -EBADMSG);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 TALLY_UNKNOWN);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_CPU), 0);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_CPU, "user"),
			 30000000);
	tally_kernel_nodes_close(nodes);
}

/* Each costs its own figure. */
static void odd_lines(void **state)
{
	static const char *const odd[] = {
		"Node 2 Odd:\n",
		"Node 2 Odd: x kB\n",
		"Node 2 Odd: 1\n",
		"Node 2 Odd: 1 MB\n",
		"Node 2 Odd: -1 kB\n",
		"Node 3 Odd: 1 kB\n",
		"Node 2\n",
		"\xff\n",
		"Node 2 Odd: 1 kB\nNode 2 Odd: 1 kB\nNode 2 Odd: 1 kB\n",
	};
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	char text[256];

	put_machine(tree);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		print_message("# %zu\n", i);
		snprintf(text, sizeof(text),
			 "Node 2 MemTotal: 2 kB\n%sNode 2 MemFree: 1 kB\n",
			 odd[i]);
		node_put(tree, 2, "meminfo", text);
		nodes = read_nodes(tree, -EBADMSG);
		assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_MEMINFO),
				 -EBADMSG);
		assert_int_equal(
			value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemTotal"),
			2 * KIB);
		assert_int_equal(
			value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemFree"),
			KIB);
		assert_int_equal(
			value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "Odd"),
			TALLY_UNKNOWN);
		assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_MEMINFO), 0);
		tally_kernel_nodes_close(nodes);
	}
	/* The last line has no end. */
	node_put(tree, 2, "meminfo",
		 "Node 2 MemTotal: 2 kB\nNode 2 MemFree: 1 kB");
	nodes = read_nodes(tree, -EBADMSG);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemTotal"),
			 2 * KIB);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemFree"),
			 TALLY_UNKNOWN);
	tally_kernel_nodes_close(nodes);
}

/* As tar(1) pads them: null bytes up to the end are its end. */
static void padded_files(void **state)
{
	static const char *const names[] = {"meminfo", "numastat", "vmstat",
					    "cpulist"};
	static char text[100000];
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	char path[256], full[256];

	put_machine(tree);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), NODE "/node2/%s", names[i]);
		tree_path(tree, path, full);
		assert_int_equal(truncate(full, i % 2 ? 4096 : 70000), 0);
	}
	tree_path(tree, NODE "/online", full);
	assert_int_equal(truncate(full, 4096), 0);
	tree_path(tree, "proc/stat", full);
	assert_int_equal(truncate(full, 4096), 0);
	tree_path(tree, "proc/zoneinfo", full);
	assert_int_equal(truncate(full, 4096), 0);
	nodes = read_nodes(tree, 0);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_MEMINFO, "MemFree"),
			 400000 * KIB);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_CPU, "user"),
			 110000000);
	tally_kernel_nodes_close(nodes);
	/* Something behind them is a line that makes no sense. */
	/* NOLINTBEGIN(bugprone-not-null-terminated-result) */
	memcpy(text, "numa_hit 1\n", 11);
	memcpy(text + 99990, "numa_miss\n", 10);
	/* NOLINTEND(bugprone-not-null-terminated-result) */
	tree_put_bytes(tree, NODE "/node2/numastat", text, sizeof(text));
	nodes = read_nodes(tree, -EBADMSG);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_NUMASTAT, "numa_hit"),
			 1);
	tally_kernel_nodes_close(nodes);
	/* An endless one. */
	node_put(tree, 2, "numastat", "numa_hit 1\n");
	tree_path(tree, NODE "/node2/numastat", full);
	assert_int_equal(truncate(full, INT64_C(1) << 40), 0);
	nodes = read_nodes(tree, -EBADMSG);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_NUMASTAT), -EBADMSG);
	tally_kernel_nodes_close(nodes);
}

/* Neither is waited for, nor read. */
static void no_files(void **state)
{
	struct tally_node_stats *nodes;
	struct tree *tree = *state;
	char full[256];

	put_machine(tree);
	tree_remove(tree, NODE "/node2/meminfo");
	tree_path(tree, NODE "/node2/meminfo", full);
	assert_int_equal(mkfifo(full, 0644), 0);
	tree_remove(tree, NODE "/node2/numastat");
	tree_path(tree, NODE "/node2/numastat", full);
	assert_int_equal(symlink("/dev/zero", full), 0);
	tree_remove(tree, "proc/stat");
	tree_path(tree, "proc/stat", full);
	assert_int_equal(mkfifo(full, 0644), 0);
	nodes = read_nodes(tree, -EBADMSG);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_MEMINFO), -EBADMSG);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_NUMASTAT), -EBADMSG);
	assert_int_equal(err_of(nodes, 2, TALLY_SOURCE_CPU), -EBADMSG);
	assert_int_equal(value_of(nodes, 7, TALLY_SOURCE_MEMINFO, "MemFree"),
			 800000 * KIB);
	tally_kernel_nodes_close(nodes);
}

/* MemUsed was read as negative: only that figure is unknown. */
static void number_too_large(void **state)
{
	struct tally_node_stats *nodes;
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

/* Figures beyond the maximum are left out; those of other sources are not. */
static void too_many_figures(void **state)
{
	struct tree *tree = *state;
	char *text = malloc(10000 * 20), *p = text;
	struct tally_node_stats *nodes;

	assert_non_null(text);
	for (int i = 0; i < 10000; i++)
		p += sprintf(p, "figure_%d %d\n", i, i);
	put_machine(tree);
	node_put(tree, 7, "vmstat", text);
	nodes = read_nodes(tree, -EFBIG);
	assert_int_equal(err_of(nodes, 7, TALLY_SOURCE_VMSTAT), -EFBIG);
	assert_int_equal(value_of(nodes, 2, TALLY_SOURCE_VMSTAT, "nr_dirtied"),
			 6);
	assert_int_equal(tally_kernel_nodes_nr_figures(nodes), 8192);
	tally_kernel_nodes_close(nodes);
	free(text);
}

/* Nodes with different figures, and a figure that appears later. */
static void different_figures(void **state)
{
	struct tally_node_stats *nodes;
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

/* Without a usable list of online nodes the directories count. */
static void without_list(void **state)
{
	struct tally_node_stats *nodes;
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
	struct tally_node_stats *nodes = NULL;
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
		TREE_TEST(damaged_files),     TREE_TEST(endless_line),
		TREE_TEST(damaged_stat),      TREE_TEST(odd_lines),
		TREE_TEST(padded_files),      TREE_TEST(no_files),
		TREE_TEST(number_too_large),  TREE_TEST(too_many_figures),
		TREE_TEST(different_figures), TREE_TEST(without_list),
		TREE_TEST(no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
