// SPDX-License-Identifier: MIT
/* The files and the memory that many cgroups take. */
#include "support/test.h"

#include <dirent.h>
#include <sys/resource.h>

#include "support/allocations.h"
#include "support/group_trees.h"

static unsigned int nr_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int nr = 0;

	assert_non_null(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}

static void put_many(int nr)
{
	char path[32], text[64];

	put_mounts(MOUNTS_V2);
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "many/g%03d", i);
		snprintf(text, sizeof(text), "anon N0=%d N1=%d\n", i, 2 * i);
		put(V2, path, text);
	}
}

static void check_many(int nr)
{
	char path[32];

	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "/many/g%03d", i);
		assert_int_equal(value(path, 1, "anon"), 2 * i);
	}
}

static void files_are_kept_open(void **state)
{
	unsigned int before;

	(void)state;
	put_many(100);
	assert_int_equal(open_groups(NULL, 10), 0);
	before = nr_open();
	for (int i = 0; i < 3; i++) {
		read_groups(0);
		assert_int_equal(nr_open(), before + 10);
		check_many(100);
	}
	/* The files of cgroups that went are closed. */
	tree_remove(tree, V2 "/many");
	read_groups(0);
	assert_int_equal(nr_open(), before);
	put_many(5);
	assert_int_equal(open_groups(NULL, 0), 0);
	read_groups(0);
	assert_int_equal(nr_open(), before + 5);
}

/* At the limit of open files, those that are open serve the other cgroups. */
static void too_few_descriptors(void **state)
{
	struct rlimit old, low;

	(void)state;
	put_many(100);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(open_groups(NULL, 1000), 0);
	low = old;
	low.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 3; i++) {
		read_groups(0);
		check_many(100);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(tally_kernel_groups_nr(groups), 102);
}

static void allocates_only_to_grow(void **state)
{
	(void)state;
#ifdef COUNT_ALLOCATIONS
	unsigned int before;

	put_many(100);
	assert_int_equal(open_groups(NULL, 50), 0);
	read_groups(0);
	read_groups(0);
	before = allocations;
	for (int i = 0; i < 10; i++)
		read_groups(0);
	assert_int_equal(allocations, before);
#else
	print_message("# the sanitizer has its own malloc\n");
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(files_are_kept_open),
		WITH_TREE(too_few_descriptors),
		WITH_TREE(allocates_only_to_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
