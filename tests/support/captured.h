/* SPDX-License-Identifier: MIT */
/* The captured machines of NUMATALLY_DATA, unpacked below a tree. */
#ifndef TEST_SUPPORT_CAPTURED_H
#define TEST_SUPPORT_CAPTURED_H

#include <dirent.h>

#include "support/trees.h"

/* Leaves out what no test reads, which is most of it. */
static int captured_unpack(const char *file, const char *directory)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "tar -xjf '%s' -C '%s' --exclude='*/cache' "
		 "--exclude='*/cpuidle' --exclude='*/cpufreq' 2>/dev/null",
		 file, directory);
	return system(command);
}

/* An archive holds one directory. */
static void captured_check(const struct tree *tree,
			   void (*check)(const char *root))
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
	check(root);
	tree_remove(tree, name);
}

/* Calls check for each; skips the test if there are none. */
static void captured_each(struct tree *tree, void (*check)(const char *root))
{
	const char *data = getenv("NUMATALLY_DATA");
	char path[512], file[1024];
	struct dirent *entry;
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sysfs-dumps", data ? data : "");
	dir = opendir(path);
	if (!dir) {
		print_message("# no captured machines in NUMATALLY_DATA\n");
		skip();
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".tar.bz2"))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (captured_unpack(file, tree->root)) {
			closedir(dir);
			print_message("# no tar, no bzip2 or no room\n");
			skip();
		}
		captured_check(tree, check);
		nr++;
	}
	closedir(dir);
	assert_int_equal(nr, 8);
}

#endif
