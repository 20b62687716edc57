// SPDX-License-Identifier: MIT
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/user.h"

/* A longer file is another kind of file. */
#define MOST (16 << 20)

/* In a captured tree it may be anything. */
static FILE *open_file(const char *root)
{
	char path[PATH_MAX];
	struct stat st;
	FILE *f;
	int fd;

	if (snprintf(path, sizeof(path), "%s/etc/passwd", root) >=
	    (int)sizeof(path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	f = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MOST
		    ? fdopen(fd, "r")
		    : NULL;
	if (!f)
		close(fd);
	return f;
}

static bool find(const char *root, uid_t uid, char name[USER_NAME])
{
	FILE *f = open_file(root);
	const struct passwd *entry;
	bool found = false;

	while (f && !found && (entry = fgetpwent(f))) {
		found = entry->pw_uid == uid && *entry->pw_name;
		if (found)
			snprintf(name, USER_NAME, "%s", entry->pw_name);
	}
	if (f)
		fclose(f);
	return found;
}

const char *user_name(const char *root, uid_t uid, char name[USER_NAME])
{
	const struct passwd *entry;

	/* Nobody has this number: it is of a process whose user is not known. */
	if (uid == (uid_t)-1) {
		snprintf(name, USER_NAME, "?");
		return name;
	}
	entry = root ? NULL : getpwuid(uid);
	if (entry)
		snprintf(name, USER_NAME, "%s", entry->pw_name);
	else if (!root || !find(root, uid, name))
		snprintf(name, USER_NAME, "%ju", (uintmax_t)uid);
	return name;
}
