// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "common/beside.h"

/* Find the directory of this program: from the kernel's auxiliary vector where
 * there is no /proc. */
static bool own_directory(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address */
	const char *name = (const char *)getauxval(AT_EXECFN);
	char *slash;

	if (n >= PATH_MAX || (n < 0 && (!name || !realpath(name, path))))
		return false;
	if (n >= 0)
		path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static void try_in(const char *dir, const char *below, const char *program,
		   char **argv)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/%s", dir, below, program);
	execv(path, argv);
	if (errno != ENOENT && errno != ENOTDIR)
		warn("%s", path);
}

void beside_exec(const char *program, char **argv)
{
	char dir[PATH_MAX];

	/* In the build tree, or below the prefix of this program. */
	if (own_directory(dir)) {
		try_in(dir, "", program, argv);
		try_in(dir, "/../libexec/numatally", program, argv);
	}
	try_in(PKGLIBEXECDIR, "", program, argv);
	warnx("%s: %s", program, strerror(errno));
}
