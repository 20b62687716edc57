// SPDX-License-Identifier: MIT
/* The rules by which a tree is read. */
#include "support/test.h"

#include <sys/wait.h>

#include <fcntl.h>
#include <pthread.h>

#include "support/topo_trees.h"

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

/* As with numa=fake, or as wrong firmware has it. */
static void cpus_of_several_nodes(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo;

	put_two_nodes(tree);
	tree_put(tree, NODE "/node2/cpulist", "0-2\n");
	tree_put(tree, NODE "/node7/cpulist", "1-3\n");
	topo = open_tree(tree);
	assert_cpus(topo, 2, "0,1,2");
	assert_cpus(topo, 7, "3");
	assert_false(tally_topo_cpu_shared(topo, 0));
	assert_true(tally_topo_cpu_shared(topo, 1));
	assert_false(tally_topo_cpu_shared(topo, 3));
	assert_false(tally_topo_cpu_shared(topo, 4));
	assert_false(tally_topo_cpu_shared(topo, -1));
	tally_topo_close(topo);

	/* The kernel's own link tells, if it is one. */
	tree_mkdir(tree, CPU "/cpu1/node2");
	tree_mkdir(tree, CPU "/cpu1/node7");
	tree_mkdir(tree, CPU "/cpu2/node7");
	topo = open_tree(tree);
	assert_cpus(topo, 2, "0,1");
	assert_cpus(topo, 7, "2,3");
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
	/* Its row of distances is of two nodes. */
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

/* All else is there, and no child is asked. */
static void plain_nodes_have_no_kinds(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *topo, *plain;

	put_two_nodes(tree);
	tree_put(tree, TIER "/memory_tier4/nodelist", "7\n");
	tree_put(tree, GPU "/0035:05:00.0/numa_status", "Node:      7\n");
	topo = open_tree(tree);
	errno = 0;
	assert_int_equal(tally_topo_open_plain(tree->root, &plain), 0);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(tally_topo_nr_nodes(plain), tally_topo_nr_nodes(topo));
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++) {
		const struct tally_node *a = tally_topo_node(topo, i);
		const struct tally_node *b = tally_topo_node(plain, i);

		assert_int_equal(b->id, a->id);
		assert_int_equal(b->memory_bytes, a->memory_bytes);
		assert_int_equal(b->nr_cpus, a->nr_cpus);
		assert_int_equal(b->distances[0], a->distances[0]);
		assert_int_equal(b->tier, -1);
		assert_null(b->memory);
	}
	assert_string_equal(node_of(topo, 7)->memory, "GPU");
	assert_int_equal(node_of(topo, 7)->tier, 0);
	assert_int_equal(tally_topo_open_plain("/nowhere", &plain), -ENOENT);
	tally_topo_close(plain);
	tally_topo_close(topo);
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
	/* CPU 3 is taken from the directories. */
	assert_cpus(topo, 7, "2,3");
	tally_topo_close(topo);
}

/* hwloc prints what it does. */
static void nothing_is_printed_on_stderr(void **state)
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	struct tally_topo *topo;

	assert_non_null(f);
	setenv("HWLOC_COMPONENTS_VERBOSE", "1", 1);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	assert_int_equal(tally_topo_open(NULL, &topo), 0);
	tally_topo_close(topo);
	put_two_nodes(*state);
	topo = open_tree(*state);
	tally_topo_close(topo);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	unsetenv("HWLOC_COMPONENTS_VERBOSE");
	close(saved);
	assert_int_equal(lseek(fileno(f), 0, SEEK_END), 0);
	fclose(f);
}

static void *open_root(void *root)
{
	struct tally_topo *topo = NULL;

	return tally_topo_open(root, &topo) ? NULL : topo;
}

/* As prlimit --stack, or a caller's threads, have it. */
static void a_small_stack(void **state)
{
	struct tree *tree = *state;
	pthread_attr_t attr;
	pthread_t thread;
	void *topo;

	put_two_nodes(tree);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, 80 << 10), 0);
	assert_int_equal(pthread_create(&thread, &attr, open_root, tree->root),
			 0);
	assert_int_equal(pthread_join(thread, &topo), 0);
	pthread_attr_destroy(&attr);
	assert_non_null(topo);
	assert_int_equal(tally_topo_nr_nodes(topo), 2);
	tally_topo_close(topo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(nodes_under_their_own_numbers),
		TREE_TEST(a_relative_root),
		TREE_TEST(old_kernels_have_masks_only),
		TREE_TEST(directories_where_lists_are_missing),
		TREE_TEST(one_node_without_numa),
		TREE_TEST(offline_cpus),
		TREE_TEST(cpus_of_several_nodes),
		TREE_TEST(cpus_of_an_offline_node),
		TREE_TEST(a_listed_node_that_is_gone),
		TREE_TEST(nodes_without_cpus_or_files),
		TREE_TEST(the_kernels_tiers),
		TREE_TEST(plain_nodes_have_no_kinds),
		TREE_TEST(tiers_by_bandwidth),
		TREE_TEST(gpu_memory),
		TREE_TEST(files_cut_at_a_null_byte),
		TREE_TEST(nothing_is_printed_on_stderr),
		TREE_TEST(a_small_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
