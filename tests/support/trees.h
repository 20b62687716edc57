/* SPDX-License-Identifier: MIT */
/* Small made-up /sys and /proc trees, in a directory of the test's own. */
#ifndef TEST_SUPPORT_TREES_H
#define TEST_SUPPORT_TREES_H

#include <ftw.h>
#include <sys/stat.h>

#include "support/test.h"

struct tree {
	char root[64];
};

static inline void tree_path(const struct tree *tree, const char *path,
			     char full[256])
{
	int n = snprintf(full, 256, "%s/%s", tree->root, path);

	assert_in_range(n, 1, 255);
}

/* Make a directory, and those above it. */
static inline void tree_mkdir(const struct tree *tree, const char *path)
{
	char full[256];

	tree_path(tree, path, full);
	for (char *p = full + strlen(tree->root) + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(full, 0755);
			*p = '/';
		}
	mkdir(full, 0755);
	assert_int_equal(access(full, X_OK), 0);
}

static inline void tree_put_bytes(const struct tree *tree, const char *path,
				  const void *bytes, size_t size)
{
	char full[256], *slash;
	FILE *f;

	tree_path(tree, path, full);
	slash = strrchr(full, '/');
	*slash = '\0';
	if (strlen(full) > strlen(tree->root))
		tree_mkdir(tree, full + strlen(tree->root) + 1);
	*slash = '/';
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static inline void tree_put(const struct tree *tree, const char *path,
			    const char *text)
{
	tree_put_bytes(tree, path, text, strlen(text));
}

static inline int tree_unlink(const char *path, const struct stat *st, int type,
			      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_remove(const struct tree *tree, const char *path)
{
	char full[256];

	tree_path(tree, path, full);
	assert_int_equal(nftw(full, tree_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline int tree_setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -1;
	/* Thousands of small files are slow on a disk. */
	snprintf(tree->root, sizeof(tree->root), "%s/numatally-test-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	*state = tree;
	return mkdtemp(tree->root) ? 0 : -1;
}

static inline int tree_teardown(void **state)
{
	struct tree *tree = *state;

	nftw(tree->root, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
	free(tree);
	return 0;
}

#endif
