// SPDX-License-Identifier: MIT
/* Ledgers by name: their paths and their directory. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/ledger.h>

#define SHM "/dev/shm/numatally"

static int directory(char *path, size_t bytes)
{
	const char *set = getenv("NUMATALLY_DIR");
	int n;

	if (set && *set)
		n = snprintf(path, bytes, "%s", set);
	else if (geteuid())
		n = snprintf(path, bytes, SHM "-%u", (unsigned int)geteuid());
	else
		n = snprintf(path, bytes, SHM);
	return n < 0 || (size_t)n >= bytes ? -ENAMETOOLONG : 0;
}

int tally_ledger_path(const char *name, char *path, size_t bytes)
{
	char dir[4096];
	int n, err;

	if (strchr(name, '/')) {
		n = snprintf(path, bytes, "%s", name);
	} else {
		if (!*name || *name == '.')
			return -EINVAL;
		err = directory(dir, sizeof(dir));
		if (err)
			return err;
		n = snprintf(path, bytes, "%s/%s.ledger", dir, name);
	}
	return n < 0 || (size_t)n >= bytes ? -ENAMETOOLONG : 0;
}

/* Check that only its owner can put files into the directory: where all may
 * write, any user could have created a ledger. */
static int check_dir(const char *dir, uid_t owner)
{
	struct stat st;

	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != owner ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st) || errno != ENOENT;
}

int tally_ledger_find(const char *name, char *path, size_t bytes)
{
	const char *set = getenv("NUMATALLY_DIR");
	char found[4096];
	int n, err = tally_ledger_path(name, found, sizeof(found));

	if (!err && !strchr(name, '/') && !exists(found)) {
		if (set && *set)
			return -ENOENT;
		err = check_dir(SHM, 0);
		n = snprintf(found, sizeof(found), SHM "/%s.ledger", name);
		if (!err && (size_t)n >= sizeof(found))
			err = -ENAMETOOLONG;
		if (!err && !exists(found))
			err = -ENOENT;
	}
	if (!err && strlen(found) >= bytes)
		err = -ENAMETOOLONG;
	if (!err)
		memcpy(path, found, strlen(found) + 1);
	return err;
}

int tally_ledger_make_dir(void)
{
	char dir[4096];
	int err = directory(dir, sizeof(dir));

	if (err)
		return err;
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	return check_dir(dir, geteuid());
}
