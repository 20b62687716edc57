/* SPDX-License-Identifier: MIT */
/* Made-up processes with memory, and a sampler of them. */
#ifndef TEST_SUPPORT_MEMORY_TREES_H
#define TEST_SUPPORT_MEMORY_TREES_H

#include "support/test.h"

#include <sys/stat.h>

#include <numatally/kernel_memory.h>

#define K4 4096

static char root[32];
static struct tally_tree *tree;
static struct tally_mem *mem;
static const struct tally_mem_result *result;

static inline void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%s/%s", root, dir, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline void make_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/proc/%s", root, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* A process, with each text that is not NULL. */
static inline void put_process(int pid, int ppid, const char *maps,
			       const char *numa_maps, const char *status)
{
	char dir[16], text[256];

	snprintf(dir, sizeof(dir), "%d", pid);
	make_dir(dir);
	snprintf(text, sizeof(text),
		 "%d (x) S %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 %d 0 1\n", pid,
		 ppid, 1000 + pid);
	put(dir, "stat", text);
	if (maps)
		put(dir, "maps", maps);
	if (numa_maps)
		put(dir, "numa_maps", numa_maps);
	if (status)
		put(dir, "status", status);
}

static inline int set_up(void **state)
{
	char path[64];

	(void)state;
	strcpy(root, "numatally-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/proc", root);
	return mkdir(path, 0755);
}

static inline int tear_down(void **state)
{
	char command[64];

	(void)state;
	tally_kernel_mem_destroy(mem);
	tally_kernel_tree_destroy(tree);
	mem = NULL;
	tree = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static inline void sample(int pid)
{
	if (!tree) {
		assert_int_equal(
			tally_kernel_tree_create(root, pid, true, &tree), 0);
		assert_int_equal(tally_kernel_mem_create(root, NULL, &mem), 0);
	}
	assert_int_equal(tally_kernel_mem_sample(mem, tree), 0);
	result = tally_kernel_mem_result(mem);
}

static inline const struct tally_mem_node *node(int id)
{
	unsigned int i;

	for (i = 0; i < result->nr_nodes; i++) {
		assert_true(!i ||
			    result->nodes[i - 1].node < result->nodes[i].node);
		if (result->nodes[i].node == id)
			return &result->nodes[i];
	}
	fail_msg("node %d isn't there", id);
	return NULL;
}

static inline void is(const struct tally_mem_figure *f, int64_t lower,
		      int64_t pages, int64_t upper)
{
	assert_int_equal(f->lower_bytes, lower * K4);
	assert_int_equal(f->bytes, pages * K4);
	assert_int_equal(f->upper_bytes, upper * K4);
}

static inline void exactly(const struct tally_mem_figure *f, int64_t pages)
{
	is(f, pages, pages, pages);
}

#define LIB(range, offset) range " r-xp " offset " 08:01 77 /lib/x\n"
#define LIB_PAGES(start, pages)                                          \
	start " default file=/lib/x mapped=" pages " mapmax=2 N0=" pages \
	      " kernelpagesize_kB=4\n"

#define WITH_ROOT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
