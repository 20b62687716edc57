// SPDX-License-Identifier: MIT
/* Trees that contradict themselves, are missing or change; and no resources to
 * read them. */
#include "support/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

#include "support/topo_trees.h"

/* Each file replaced by each kind of garbage: its values are unknown, or come
 * from other files; the rest stays right. */
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
	static char huge[100000], wide[2 + 2048 * 9];
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
		wide,
	};
	struct tree *tree = *state;

	/* Cut anywhere, it ends in a number. */
	huge[0] = '0';
	for (size_t i = 1; i + 1 < sizeof(huge); i++)
		huge[i] = i % 2 ? '1' : ',';
	/* A mask with bits beyond every limit. */
	wide[0] = 'a';
	for (size_t i = 1; i + 1 < sizeof(wide); i++)
		wide[i] = i % 9 == 1 ? ',' : '0';
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
			struct tally_topo *topo;

			put_two_nodes(tree);
			/* Without a list masks are read, and without those
			 * links. */
			if (strstr(files[i], "cpumap")) {
				tree_remove(tree, NODE "/node2/cpulist");
				tree_mkdir(tree, CPU "/cpu0/node2");
				tree_mkdir(tree, CPU "/cpu1/node2");
			}
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

/* That must not give a topology with holes. */
static void no_file_descriptors(void **state)
{
	struct tree *tree = *state;
	struct tally_topo *const untouched = (struct tally_topo *)state;
	struct tally_topo *topo = untouched;
	struct rlimit before, limit;
	int lowest, err;

	put_two_nodes(tree);
	put_bandwidth(tree, 2, "1000\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowest = dup(STDIN_FILENO);
	assert_true(lowest >= 0);
	close(lowest);
	for (rlim_t room = 0; room < 16; room++) {
		limit = before;
		limit.rlim_cur = (rlim_t)lowest + room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		err = tally_topo_open(tree->root, &topo);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (err == 0) {
			assert_true(room > 0);
			assert_cpus(topo, 2, "0,1");
			assert_row(topo, 7, "22,10");
			assert_int_equal(node_of(topo, 2)->tier, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(garbage),
		TREE_TEST(files_of_other_kinds),
		TREE_TEST(no_machine),
		TREE_TEST(no_file_descriptors),
		TREE_TEST(cpus_that_come_and_go),
		TREE_TEST(threads_open_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
