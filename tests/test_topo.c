// SPDX-License-Identifier: MIT
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <cmocka.h>

#include <numatally/topo.h>

#include "trees.h"

#define CPU  "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"
#define TIER "sys/devices/virtual/memory_tiering"
#define GPU  "proc/driver/nvidia/gpus"

/* What holds for every topology. */
static void assert_sound(const struct tally_topo *topo)
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

static struct tally_topo *open_tree(const struct tree *tree)
{
	struct tally_topo *topo = NULL;

	assert_int_equal(tally_topo_open(tree->root, &topo), 0);
	assert_sound(topo);
	return topo;
}

static const struct tally_node *node_of(const struct tally_topo *topo, int id)
{
	int index = tally_topo_index(topo, id);

	assert_true(index >= 0);
	return tally_topo_node(topo, (unsigned int)index);
}

/* "1,2,3": the numbers as text, to compare and to read in a failure. */
static void assert_numbers(const int *numbers, unsigned int nr,
			   const char *expected)
{
	char text[1024] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < nr; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 i ? ",%d" : "%d", numbers[i]);
	assert_string_equal(text, expected);
}

static void assert_cpus(const struct tally_topo *topo, int id,
			const char *expected)
{
	const struct tally_node *node = node_of(topo, id);

	assert_numbers(node->cpus, node->nr_cpus, expected);
}

static void assert_row(const struct tally_topo *topo, int id,
		       const char *expected)
{
	const struct tally_node *node = node_of(topo, id);

	assert_non_null(node->distances);
	assert_numbers(node->distances, tally_topo_nr_nodes(topo), expected);
}

/* Nodes 2 and 7, CPUs 0-1 and 2-3. */
static void put_two_nodes(const struct tree *tree)
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

static void nodes_under_their_own_numbers(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	topo = open_tree(tree);
	assert_int_equal(tally_topo_nr_nodes(topo), 2);
	assert_int_equal(tally_topo_nr_cpus(topo), 4);
	assert_cpus(topo, 2, "0,1");
	assert_cpus(topo, 7, "2,3");
	assert_int_equal(tally_topo_cpu_node(topo, 3), 7);
	assert_int_equal(tally_topo_index(topo, 0), -ENOENT);
	assert_row(topo, 2, "10,21");
	assert_row(topo, 7, "22,10");
	assert_int_equal(node_of(topo, 2)->memory_bytes, 1048576);
	assert_int_equal(node_of(topo, 7)->memory_bytes, 0);
	assert_int_equal(node_of(topo, 2)->tier, -1);
	assert_null(node_of(topo, 2)->memory);
	tally_topo_close(topo);
	tally_topo_close(NULL);
}

static void a_relative_root(void **state)
{
	struct tree *tree = *state, up = {"."};
	int here = open(".", O_RDONLY | O_DIRECTORY);

	put_two_nodes(tree);
	assert_true(here >= 0);
	assert_int_equal(chdir(tree->root), 0);
	tally_topo_close(open_tree(&up));
	assert_int_equal(fchdir(here), 0);
	close(here);
}

static void old_kernels_have_masks_only(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_remove(tree, NODE "/node2/cpulist");
	tree_remove(tree, NODE "/node7/cpulist");
	tree_put(tree, CPU "/online", "0-1,40\n");
	tree_put(tree, NODE "/node2/cpumap", "0000,00000000,00000003\n");
	tree_put(tree, NODE "/node7/cpumap", "0000,00000100,00000000\n");
	topo = open_tree(tree);
	assert_cpus(topo, 2, "0,1");
	assert_cpus(topo, 7, "40");
	assert_int_equal(tally_topo_nr_cpus(topo), 41);
	tally_topo_close(topo);
}

static void directories_where_lists_are_missing(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_remove(tree, CPU "/online");
	tree_remove(tree, CPU "/possible");
	tree_remove(tree, NODE "/online");
	tree_put(tree, CPU "/cpu1/online", "1\n");
	tree_put(tree, CPU "/cpu2/online", "0\n");
	tree_mkdir(tree, CPU "/cpufreq");
	tree_mkdir(tree, CPU "/cpu9x");
	tree_mkdir(tree, NODE "/power");
	topo = open_tree(tree);
	assert_int_equal(tally_topo_nr_nodes(topo), 2);
	assert_int_equal(tally_topo_nr_cpus(topo), 4);
	assert_cpus(topo, 2, "0,1");
	assert_cpus(topo, 7, "3");
	assert_row(topo, 7, "22,10");
	tally_topo_close(topo);
}

static void one_node_without_numa(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	tree_put(tree, CPU "/online", "0-1,3\n");
	tree_put(tree, CPU "/possible", "0-7\n");
	tree_put(tree, "proc/meminfo", "MemTotal:      2048 kB\n");
	topo = open_tree(tree);
	assert_int_equal(tally_topo_nr_nodes(topo), 1);
	assert_int_equal(tally_topo_nr_cpus(topo), 8);
	assert_cpus(topo, 0, "0,1,3");
	assert_int_equal(tally_topo_cpu_node(topo, 7), 0);
	assert_int_equal(node_of(topo, 0)->memory_bytes, 2097152);
	assert_null(node_of(topo, 0)->distances);
	tally_topo_close(topo);

	tree_mkdir(tree, NODE);
	tree_remove(tree, "proc/meminfo");
	topo = open_tree(tree);
	assert_cpus(topo, 0, "0,1,3");
	assert_int_equal(node_of(topo, 0)->memory_bytes, -1);
	tally_topo_close(topo);
}

static void offline_cpus(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put(tree, CPU "/online", "0,3\n");
	tree_put(tree, CPU "/possible", "0-9\n");
	/* An old kernel or a captured list may name offline CPUs. */
	tree_put(tree, NODE "/node2/cpulist", "0-1\n");
	tree_put(tree, NODE "/node7/cpulist", "3\n");
	tree_mkdir(tree, CPU "/cpu2/node7");
	topo = open_tree(tree);
	assert_cpus(topo, 2, "0");
	assert_cpus(topo, 7, "3");
	assert_int_equal(tally_topo_nr_cpus(topo), 10);
	assert_false(tally_topo_cpu_online(topo, 2));
	assert_int_equal(tally_topo_cpu_node(topo, 1), 2);
	assert_int_equal(tally_topo_cpu_node(topo, 2), 7);
	assert_int_equal(tally_topo_cpu_node(topo, 5), -ENOENT);
	tally_topo_close(topo);
}

static void cpus_of_an_offline_node(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put(tree, NODE "/online", "7\n");
	tree_mkdir(tree, CPU "/cpu0/node2");
	topo = open_tree(tree);
	assert_int_equal(tally_topo_nr_nodes(topo), 1);
	assert_cpus(topo, 7, "2,3");
	assert_true(tally_topo_cpu_online(topo, 0));
	assert_int_equal(tally_topo_cpu_node(topo, 0), -ENOENT);
	/* Its row is of two nodes. */
	assert_null(node_of(topo, 7)->distances);
	tally_topo_close(topo);
}

static void a_listed_node_that_is_gone(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put(tree, NODE "/online", "1-2,5,7\n");
	tree_put(tree, NODE "/node2/distance", "31 10 32 21\n");
	tree_put(tree, NODE "/node7/distance", "41 22 42\n");
	topo = open_tree(tree);
	assert_int_equal(tally_topo_nr_nodes(topo), 2);
	assert_row(topo, 2, "10,21");
	assert_null(node_of(topo, 7)->distances);
	tally_topo_close(topo);
}

static void nodes_without_cpus_or_files(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put(tree, NODE "/online", "2,7,300\n");
	tree_put(tree, NODE "/node300/cpulist", "\n");
	tree_put(tree, NODE "/node300/cpumap", "1\n");
	topo = open_tree(tree);
	assert_int_equal(tally_topo_nr_nodes(topo), 3);
	assert_cpus(topo, 300, "");
	assert_int_equal(node_of(topo, 300)->memory_bytes, -1);
	assert_null(node_of(topo, 300)->distances);
	tally_topo_close(topo);
}

static void the_kernels_tiers(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_mkdir(tree, NODE "/node8");
	tree_put(tree, NODE "/online", "2,7-8\n");
	tree_put(tree, TIER "/memory_tier4/nodelist", "7\n");
	tree_put(tree, TIER "/memory_tier22/nodelist", "2\n");
	tree_put(tree, TIER "/memory_tier3/nodelist", "\n");
	tree_put(tree, TIER "/memory_tier2/nodelist", "55\n");
	tree_put(tree, TIER "/uevent", "");
	topo = open_tree(tree);
	assert_int_equal(node_of(topo, 7)->tier, 0);
	assert_int_equal(node_of(topo, 2)->tier, 1);
	assert_int_equal(node_of(topo, 8)->tier, -1);
	tally_topo_close(topo);
}

static void put_bandwidth(const struct tree *tree, int node, const char *text)
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

static void tiers_by_bandwidth(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	for (int id = 8; id < 12; id++) {
		char path[64];

		snprintf(path, sizeof(path), NODE "/node%d/cpulist", id);
		tree_put(tree, path, "\n");
		snprintf(path, sizeof(path), NODE "/node%d/cpumap", id);
		tree_put(tree, path, "0\n");
		snprintf(path, sizeof(path), NODE "/node%d/meminfo", id);
		tree_put(tree, path, "Node 8 MemTotal: 1024 kB\n");
	}
	tree_put(tree, NODE "/online", "2,7-11\n");
	put_bandwidth(tree, 2, "1000\n");
	put_bandwidth(tree, 7, "900\n");
	put_bandwidth(tree, 8, "9000\n");
	put_bandwidth(tree, 9, "600\n");
	put_bandwidth(tree, 11, "600\n");
	topo = open_tree(tree);
	assert_int_equal(node_of(topo, 8)->tier, 0);
	assert_int_equal(node_of(topo, 2)->tier, 1);
	assert_int_equal(node_of(topo, 7)->tier, 1);
	assert_int_equal(node_of(topo, 9)->tier, 2);
	assert_int_equal(node_of(topo, 10)->tier, -1);
	assert_int_equal(node_of(topo, 11)->tier, 2);
	tally_topo_close(topo);
}

static void gpu_memory(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put(tree, GPU "/0035:05:00.0/numa_status",
		 "Node:      7\nStatus:    online\n");
	tree_put(tree, GPU "/0035:06:00.0/numa_status", "Node:      -1\n");
	tree_put(tree, GPU "/0035:07:00.0/numa_status", "Node:      99\n");
	tree_put(tree, GPU "/0035:08:00.0/information", "Node:      2\n");
	topo = open_tree(tree);
	assert_string_equal(node_of(topo, 7)->memory, "GPU");
	assert_null(node_of(topo, 2)->memory);
	tally_topo_close(topo);
}

static void files_cut_at_a_null_byte(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put_bytes(tree, NODE "/online", "2,7\n\0\0\0", 7);
	tree_put_bytes(tree, CPU "/online", "0-2\0garbage", 11);
	topo = open_tree(tree);
	assert_cpus(topo, 7, "2");
	tally_topo_close(topo);
}

/* Every file in every kind of garbage: what it says is not known, or what
 * other files say; the rest stays right. */
static void garbage(void **state)
{
	static const char *const files[] = {
		CPU "/online",
		CPU "/possible",
		NODE "/online",
		NODE "/node2/cpulist",
		NODE "/node2/cpumap",
		NODE "/node2/distance",
		NODE "/node2/meminfo",
		TIER "/memory_tier4/nodelist",
		GPU "/0000:00:00.0/numa_status",
	};
	static char huge[100000];
	static const char *const texts[] = {
		"",

		"garbage\n",
		"0-",
		"-1",
		"3-1",
		"0-65536",
		"0-99999999999999999999999",
		"18446744073709551616",
		"1,,2",
		"1;2",
		"0-3 7",
		"0-3:1/2",
		"0x10",
		",",
		"-",
		"1,0000000f,1",
		"123456789,00000000",
		"10 20 30",
		"10 0",
		"10 -5",
		"10 4294967306",
		"MemTotal:",
		"MemTotal: kB",
		"MemTotal: 9223372036854775807 kB",
		"MemTotal: 5 MB",
		"MemTotal: -5 kB",
		"Node: 99999999999999999999",
		"Node:",
		huge,
	};
	struct tree *tree = *state;

	for (size_t i = 0; i + 1 < sizeof(huge); i += 2)
		memcpy(huge + i, "1,", 2);
	huge[sizeof(huge) - 1] = '\0';
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
			struct tally_topo *topo;

			put_two_nodes(tree);
			tree_put(tree, files[i], texts[j]);
			topo = open_tree(tree);
			assert_int_equal(tally_topo_nr_nodes(topo), 2);
			assert_cpus(topo, 2, "0,1");
			assert_cpus(topo, 7, "2,3");
			assert_row(topo, 7, "22,10");
			if (strcmp(files[i], NODE "/node2/distance") == 0)
				assert_null(node_of(topo, 2)->distances);
			if (strcmp(files[i], NODE "/node2/meminfo") == 0)
				assert_int_equal(node_of(topo, 2)->memory_bytes,
						 -1);
			assert_null(node_of(topo, 2)->memory);
			tally_topo_close(topo);
			tree_remove(tree, files[i]);
		}
	}
}

static void files_of_other_kinds(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;
	char path[256];

	put_two_nodes(tree);
	tree_put(tree, TIER "/memory_tier4/uevent", "");
	tree_path(tree, TIER "/memory_tier4/nodelist", path);
	assert_int_equal(mkfifo(path, 0644), 0);
	tree_remove(tree, NODE "/node2/meminfo");
	tree_mkdir(tree, NODE "/node2/meminfo");
	tree_remove(tree, NODE "/node7/cpulist");
	tree_path(tree, NODE "/node7/cpulist", path);
	assert_int_equal(symlink("cpulist", path), 0);
	topo = open_tree(tree);
	assert_cpus(topo, 2, "0,1");
	assert_cpus(topo, 7, "2,3");
	assert_int_equal(node_of(topo, 2)->memory_bytes, -1);
	tally_topo_close(topo);
}

static void no_machine(void **state)
{
	struct tally_topo *const untouched = (struct tally_topo *)state;
	struct tally_topo *topo = untouched;
	struct tree *tree = *state;
	char path[256];

	tree_path(tree, "missing", path);
	assert_int_equal(tally_topo_open(path, &topo), -ENOENT);
	assert_int_equal(tally_topo_open(tree->root, &topo), -ENOENT);
	tree_mkdir(tree, CPU);
	assert_int_equal(tally_topo_open(tree->root, &topo), -ENOENT);
	tree_put(tree, "file", "");
	tree_path(tree, "file", path);
	assert_int_equal(tally_topo_open(path, &topo), -ENOTDIR);
	assert_ptr_equal(topo, untouched);
}

/* A topology with holes in it must not come of that. */
static void no_file_descriptors(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *const untouched = (struct tally_topo *)state;
	struct tally_topo *topo = untouched;
	struct rlimit before, limit;
	int lowest, err;

	put_two_nodes(tree);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowest = dup(STDIN_FILENO);
	assert_true(lowest >= 0);
	close(lowest);
	for (int room = 0; room < 16; room++) {
		limit = before;
		limit.rlim_cur = (rlim_t)(lowest + room);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		err = tally_topo_open(tree->root, &topo);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (err == 0) {
			assert_true(room > 0);
			assert_cpus(topo, 2, "0,1");
			assert_row(topo, 7, "22,10");
			tally_topo_close(topo);
			return;
		}
		assert_int_equal(err, -EMFILE);
		assert_ptr_equal(topo, untouched);
	}
	fail_msg("opens never");
}

struct churn {
	int fd;
	bool stop;
};

static void *change_list(void *arg)
{
	struct churn *churn = arg;
	char text[8];

	for (int i = 0; !__atomic_load_n(&churn->stop, __ATOMIC_RELAXED); i++) {
		snprintf(text, sizeof(text), "0-%02d\n", i % 90);
		if (pwrite(churn->fd, text, 5, 0) != 5)
			break;
	}
	return NULL;
}

static void cpus_that_come_and_go(void **state)
{
	struct tree *tree = *state;
	struct churn churn = {.stop = false};
	bool again = false;
	char path[256];
	pthread_t thread;

	put_two_nodes(tree);
	tree_put(tree, CPU "/online", "0-03\n");
	tree_path(tree, CPU "/online", path);
	churn.fd = open(path, O_WRONLY);
	assert_true(churn.fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, change_list, &churn), 0);
	for (int i = 0; i < 500 && !again; i++) {
		struct tally_topo *topo;
		int err = tally_topo_open(tree->root, &topo);

		if (!err)
			tally_topo_close(topo);
		else
			assert_int_equal(err, -EAGAIN);
		again = err == -EAGAIN;
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(churn.fd);
	assert_true(again);
}

static void *open_often(void *arg)
{
	for (int i = 0; i < 5; i++) {
		struct tally_topo *topo;

		if (tally_topo_open(arg, &topo))
			return arg;
		tally_topo_close(topo);
	}
	return NULL;
}

static void threads_open_at_once(void **state)
{
	struct tree *tree = *state;
	pthread_t threads[4];
	void *failed;

	put_two_nodes(tree);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_often,
						i % 2 ? tree->root : NULL),
				 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

/* ---- this machine, and captured ones, by another reading ------------------ */

/* The entries of a directory that are prefixN, by number; the caller frees. */
static bool *entries(const char *directory, const char *prefix)
{
	bool *found = calloc(65536, sizeof(*found));
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int id, end;

	assert_non_null(found);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
		    sscanf(entry->d_name + strlen(prefix), "%5d%n", &id,
			   &end) == 1 &&
		    !entry->d_name[strlen(prefix) + (size_t)end])
			found[id] = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool first_line(const char *path, char line[4096])
{
	FILE *f = fopen(path, "r");
	bool got = f && fgets(line, 4096, f);

	if (f)
		fclose(f);
	return got;
}

static bool is_online(const char *root, int cpu)
{
	char path[512], line[4096];

	snprintf(path, sizeof(path), "%s/" CPU "/cpu%d/online", root, cpu);
	return !first_line(path, line) || line[0] == '1';
}

/* By the digit of the node's mask that this CPU is in. Links between CPUs and
 * nodes are no help: old kernels have none, and one of the captured machines
 * has them wrong. */
static bool belongs(const char *root, int cpu, int node)
{
	char path[512], line[4096];
	size_t digit, len;

	snprintf(path, sizeof(path), "%s/" NODE "/node%d/cpumap", root, node);
	if (!first_line(path, line))
		return false;
	len = strcspn(line, "\n");
	digit = (size_t)cpu / 4 + (size_t)cpu / 32 + 1;
	if (digit > len)
		return false;
	line[len - digit + 1] = '\0';
	return strtol(line + len - digit, NULL, 16) >> cpu % 4 & 1;
}

static void assert_as_listed(const char *root)
{
	struct tally_topo *topo = NULL;
	char directory[256], path[512], line[4096];
	bool *cpus, *nodes;

	print_message("# %s\n", *root ? root : "this machine");
	assert_int_equal(tally_topo_open(*root ? root : NULL, &topo), 0);
	assert_sound(topo);
	snprintf(directory, sizeof(directory), "%s/" CPU, root);
	cpus = entries(directory, "cpu");
	snprintf(directory, sizeof(directory), "%s/" NODE, root);
	nodes = entries(directory, "node");
	for (int id = 0; id < 65536; id++) {
		const struct tally_node *node;
		unsigned int next = 0;

		assert_int_equal(tally_topo_index(topo, id) >= 0, nodes[id]);
		if (!nodes[id])
			continue;
		node = node_of(topo, id);
		for (int cpu = 0; cpu < 65536; cpu++)
			if (cpus[cpu] && is_online(root, cpu) &&
			    belongs(root, cpu, id)) {
				assert_true(next < node->nr_cpus);
				assert_int_equal(node->cpus[next], cpu);
				next++;
			}
		assert_int_equal(next, node->nr_cpus);
		snprintf(path, sizeof(path), "%s/" NODE "/node%d/distance",
			 root, id);
		if (node->distances && first_line(path, line)) {
			char *p = line;

			for (unsigned int i = 0; i < tally_topo_nr_nodes(topo);
			     i++)
				assert_int_equal(strtol(p, &p, 10),
						 node->distances[i]);
		}
		assert_true(node->memory_bytes >= 0);
	}
	free(cpus);
	free(nodes);
	tally_topo_close(topo);
}

static void this_machine(void **state)
{
	struct tally_topo *topo;

	(void)state;
	if (access("/" NODE, F_OK) == 0) {
		assert_as_listed("");
		return;
	}
	assert_int_equal(tally_topo_open(NULL, &topo), 0);
	assert_sound(topo);
	assert_int_equal(tally_topo_nr_nodes(topo), 1);
	tally_topo_close(topo);
}

/* What is particular to one of them, for whoever breaks it to see. */
static void assert_particulars(const char *root)
{
	const char *name = strrchr(root, '/') + 1;
	struct tally_topo *topo;

	assert_int_equal(tally_topo_open(root, &topo), 0);
	if (strcmp(name, "nvidiagpunumanodes") == 0) {
		assert_string_equal(node_of(topo, 250)->memory, "GPU");
		assert_null(node_of(topo, 8)->memory);
		assert_row(topo, 8, "40,10,80,80,80,80,80,80");
	} else if (strcmp(name, "fakeheteromemtiers") == 0) {
		assert_string_equal(node_of(topo, 2)->memory, "SPM");
		assert_string_equal(node_of(topo, 9)->memory, "NVM");
		assert_int_equal(node_of(topo, 4)->tier, 0);
		assert_int_equal(node_of(topo, 1)->tier, 1);
		assert_int_equal(node_of(topo, 9)->tier, 2);
	} else if (strcmp(name, "fakememinitiators-1np2c+1npp+gi") == 0) {
		assert_int_equal(node_of(topo, 0)->tier, -1);
		assert_int_equal(node_of(topo, 0)->memory_bytes, 0);
		assert_int_equal(node_of(topo, 8)->tier, 0);
		assert_int_equal(node_of(topo, 10)->tier, 1);
	} else if (strcmp(name, "offline-cpu0-node0") == 0) {
		assert_int_equal(tally_topo_nr_cpus(topo), 192);
		assert_int_equal(tally_topo_cpu_node(topo, 21), 1);
		assert_int_equal(tally_topo_cpu_node(topo, 4), -ENOENT);
		assert_null(node_of(topo, 1)->distances);
	} else if (strcmp(name, "48amd64-4d2n6c-sparse") == 0) {
		assert_row(topo, 72, "16,22,16,22,16,22,10,16");
	}
	tally_topo_close(topo);
}

/* Without what nobody here reads, which is most of it. */
static int unpack(const char *file, const char *directory)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "tar -xjf '%s' -C '%s' --exclude='*/cache' "
		 "--exclude='*/cpuidle' --exclude='*/cpufreq' 2>/dev/null",
		 file, directory);
	return system(command);
}

/* The one directory that an archive holds. */
static void check_machine(const struct tree *tree)
{
	DIR *dir = opendir(tree->root);
	char root[512] = "", *name = root;
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			snprintf(root, sizeof(root), "%s/%s", tree->root,
				 entry->d_name);
			name = root + strlen(tree->root) + 1;
		}
	closedir(dir);
	assert_as_listed(root);
	assert_particulars(root);
	tree_remove(tree, name);
}

static void captured_machines(void **state)
{
	const char *data = getenv("NUMATALLY_DATA");
	struct tree *tree = *state;
	char path[512], file[1024];
	struct dirent *entry;
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sysfs-dumps", data ? data : "");
	dir = opendir(path);
	if (!dir) {
		print_message("# no captured machines in NUMATALLY_DATA\n");
		skip();
	}
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".tar.bz2"))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (unpack(file, tree->root)) {
			closedir(dir);
			print_message("# no tar, no bzip2 or no room\n");
			skip();
		}
		check_machine(tree);
		nr++;
	}
	closedir(dir);
	assert_int_equal(nr, 8);
}

#define TREE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(nodes_under_their_own_numbers),
		TREE_TEST(a_relative_root),
		TREE_TEST(old_kernels_have_masks_only),
		TREE_TEST(directories_where_lists_are_missing),
		TREE_TEST(one_node_without_numa),
		TREE_TEST(offline_cpus),
		TREE_TEST(cpus_of_an_offline_node),
		TREE_TEST(a_listed_node_that_is_gone),
		TREE_TEST(nodes_without_cpus_or_files),
		TREE_TEST(the_kernels_tiers),
		TREE_TEST(tiers_by_bandwidth),
		TREE_TEST(gpu_memory),
		TREE_TEST(files_cut_at_a_null_byte),
		TREE_TEST(garbage),
		TREE_TEST(files_of_other_kinds),
		TREE_TEST(no_machine),
		TREE_TEST(no_file_descriptors),
		TREE_TEST(cpus_that_come_and_go),
		TREE_TEST(threads_open_at_once),
		TREE_TEST(this_machine),
		TREE_TEST(captured_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
