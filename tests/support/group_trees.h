/* SPDX-License-Identifier: MIT */
/* What the tests of made-up cgroups share: their tree, and their rows. */
#ifndef TEST_SUPPORT_GROUP_TREES_H
#define TEST_SUPPORT_GROUP_TREES_H

#include <numatally/kernel_group.h>

#include "support/trees.h"

#define V1 "sys/fs/cgroup/memory"
#define V2 "sys/fs/cgroup"
#define MOUNTS_V2 \
	"30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static const struct tree *tree;
static struct tally_groups *groups;

static inline int set_up(void **state)
{
	int err = tree_setup(state);

	tree = *state;
	return err;
}

static inline int tear_down(void **state)
{
	tally_kernel_groups_close(groups);
	groups = NULL;
	return tree_teardown(state);
}

static inline void put_mounts(const char *text)
{
	tree_put(tree, "proc/self/mountinfo", text);
}

/* "" is the mount point. */
static inline void put(const char *base, const char *group, const char *text)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s/memory.numa_stat", base, group);
	tree_put(tree, path, text);
}

static inline int open_groups(const char *path, unsigned int max_fds)
{
	tally_kernel_groups_close(groups);
	groups = NULL;
	return tally_kernel_groups_open(tree->root, path, max_fds, &groups);
}

static inline void read_groups(int err)
{
	assert_int_equal(tally_kernel_groups_read(groups), err);
}

static inline const struct tally_group_row *row(const char *path)
{
	int i = tally_kernel_groups_find(groups, path);

	if (i < 0)
		fail_msg("no group %s", path);
	return tally_kernel_groups_row(groups, (unsigned int)i);
}

/* The paths, each followed by a space. */
static inline void has_paths(const char *expected)
{
	char text[1024] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < tally_kernel_groups_nr(groups); i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s ",
			tally_kernel_groups_row(groups, i)->path);
	assert_string_equal(text, expected);
}

static inline int64_t value(const char *path, int node, const char *name)
{
	const struct tally_group_row *r = row(path);
	int f = tally_kernel_groups_find_figure(groups, name);
	unsigned int nr_figures = tally_kernel_groups_nr_figures(groups);
	unsigned int nr_nodes, n = 0;
	const int *nodes = tally_kernel_groups_nodes(groups, &nr_nodes);

	assert_int_equal(r->err, 0);
	assert_non_null(r->values);
	assert_true(f >= 0);
	while (n < nr_nodes && nodes[n] != node)
		n++;
	assert_true(n < nr_nodes);
	return r->values[n * nr_figures + (unsigned int)f];
}

#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
