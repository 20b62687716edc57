/* SPDX-License-Identifier: MIT */
/* What the tests of made-up processes share: their tree, and their rows. */
#ifndef TEST_SUPPORT_PROCESS_TREES_H
#define TEST_SUPPORT_PROCESS_TREES_H

#include <numatally/kernel_process.h>

#include "support/topo_trees.h"

#define K4 4096

static const struct tree *tree;
static struct tally_topo *topo;
static struct tally_process_stats *list;

static inline void put(int pid, const char *file, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "proc/%d/%s", pid, file);
	tree_put(tree, path, text);
}

static inline void put_stat(int pid, const char *name, int threads, int start,
			    int cpu)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "%d (%s) S 1 0 0 0 0 0 0 0 0 0 30 12 0 0 0 0 %d 0 %d 0 9 "
		 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0\n",
		 pid, name, threads, start, cpu);
	put(pid, "stat", text);
}

static inline void put_thread(int pid, int tid, int cpu, int ticks)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "task/%d/stat", tid);
	snprintf(text, sizeof(text),
		 "%d (t) S 1 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 9 0 5 0 9 "
		 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0\n",
		 tid, ticks, cpu);
	put(pid, path, text);
}

/* With one thread, on CPU 0 of node 2. */
static inline void put_process(int pid, int uid, const char *cgroup,
			       const char *maps, const char *numa_maps)
{
	char text[512];

	put_stat(pid, "x", 1, 1000 + pid, 0);
	snprintf(
		text, sizeof(text),
		"Name:\tx\nUid:\t7\t%d\t8\t9\nVmSize:\t 9 kB\nRssAnon:\t 40 kB\n"
		"RssFile:\t 8 kB\nRssShmem:\t 4 kB\nVmSwap:\t %d kB\n",
		uid, pid);
	put(pid, "status", text);
	snprintf(text, sizeof(text), "3:cpu,memory:%s\n2:cpu:/no\n0::/nor\n",
		 cgroup);
	put(pid, "cgroup", text);
	put(pid, "maps", maps);
	if (numa_maps)
		put(pid, "numa_maps", numa_maps);
}

static inline int set_up(void **state)
{
	int err = tree_setup(state);

	if (err)
		return err;
	tree = *state;
	put_two_nodes(tree);
	tree_mkdir(tree, "proc/self");
	topo = open_tree(tree);
	return 0;
}

static inline int tear_down(void **state)
{
	tally_kernel_processes_close(list);
	list = NULL;
	tally_topo_close(topo);
	return tree_teardown(state);
}

static inline int64_t standing_clock(void *arg)
{
	(void)arg;
	return 1000000000;
}

/* With the options given, or where reading takes no time: on a slow machine the
 * budget would leave the second of two readings out. */
static inline void open_list(const struct tally_process_filter *filter,
			     const struct tally_mem_options *options)
{
	struct tally_mem_options o = {.size = sizeof(o),
				      .clock = standing_clock};

	assert_int_equal(tally_kernel_processes_open(tree->root, topo, filter,
						     options ? options : &o,
						     &list),
			 0);
}

static inline const struct tally_process_row *row(int pid)
{
	int i = tally_kernel_processes_find(list, pid);

	assert_true(i >= 0);
	return tally_kernel_processes_row(list, (unsigned int)i);
}

static inline const struct tally_process_node *
node(const struct tally_process_node *nodes, unsigned int nr, int id)
{
	for (unsigned int i = 0; i < nr; i++)
		if (nodes[i].node == id)
			return &nodes[i];
	fail_msg("node %d isn't there", id);
	return NULL;
}

static inline void is(const struct tally_mem_figure *f, int64_t lower,
		      int64_t pages, int64_t upper)
{
	assert_int_equal(f->bytes, pages * K4);
	assert_int_equal(f->lower_bytes, lower * K4);
	assert_int_equal(f->upper_bytes, upper * K4);
}

static inline void exactly(const struct tally_mem_figure *f, int64_t pages)
{
	is(f, pages, pages, pages);
}

#define ANON(start, rest) start " default anon=9 dirty=9 " rest "\n"
#define LIB		  "10000-20000 r-xp 00000000 08:01 77 /lib/x\n"
#define LIB_PAGES(pages)                                                \
	"10000 default file=/lib/x mapped=" pages " mapmax=2 N2=" pages \
	" kernelpagesize_kB=4\n"

#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
