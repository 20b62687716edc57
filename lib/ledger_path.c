// SPDX-License-Identifier: MIT
/* Where ledgers lie. */
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

int tally_ledger_make_dir(void)
{
	char dir[4096];
	struct stat st;
	int err = directory(dir, sizeof(dir));

	if (err)
		return err;
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	/* In a directory that all may write to, anybody could have made it. */
	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return 0;
}
