// SPDX-License-Identifier: MIT
/* Where the hierarchy of cgroups is mounted that has the memory controller. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_group.h"

struct found {
	int version;
	int dir;
	char *prefix;
};

static int open_below(const char *root, const char *path)
{
	char full[PATH_MAX];
	int n, fd;

	n = snprintf(full, sizeof(full), "%s%s%s", root ? root : "",
		     *path == '/' ? "" : "/", path);
	if (n < 0 || (size_t)n >= sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Version 2 may be mounted without the controller, for names alone. */
static bool has_controller(int dir)
{
	char text[1024], *save = NULL, *word;
	ssize_t n;
	int fd = openat(dir, "cgroup.controllers", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (word = strtok_r(text, " \n", &save); word;
	     word = strtok_r(NULL, " \n", &save))
		if (!strcmp(word, "memory"))
			return true;
	return false;
}

static void forget(struct found *f)
{
	if (f->dir >= 0)
		close(f->dir);
	free(f->prefix);
	*f = (struct found){.dir = -1};
}

/* What is mounted of the hierarchy is named by its path in it; unless that is
 * above the namespace of cgroups that we are in. */
static int take(struct found *f, int version, const char *prefix, int dir)
{
	size_t n = strlen(prefix);

	while (n && prefix[n - 1] == '/')
		n--;
	if (!strncmp(prefix, "/..", 3))
		n = 0;
	forget(f);
	f->dir = dir;
	f->version = version;
	f->prefix = strndup(prefix, n);
	return f->prefix ? 0 : -ENOMEM;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n >= len && !strcmp(text + n - len, end);
}

/* A hierarchy of version 1 that has the controller is sure to be the one. */
static int look_at(const char *root, char *line, struct found *f)
{
	struct group_mount m;
	int dir;

	group_text_mount(line, &m);
	if (!m.version || f->version == 1 || f->version == m.version)
		return 0;
	/* The kernel writes none such; below a captured tree we stay in it. */
	if (*m.root != '/' || strstr(m.point, "/../") ||
	    ends_with(m.point, "/.."))
		return 0;
	dir = open_below(root, m.point);
	/* Another mount may be above it, or it may be out of reach. */
	if (dir < 0)
		return 0;
	if (m.version == 2 && !has_controller(dir)) {
		close(dir);
		return 0;
	}
	return take(f, m.version, m.root, dir);
}

static int read_mounts(const char *root, struct found *f)
{
	char path[PATH_MAX], *line = NULL;
	size_t size = 0;
	int n, err = 0;
	FILE *file;

	n = snprintf(path, sizeof(path), "%s/proc/self/mountinfo",
		     root ? root : "");
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOMEM ? -ENOMEM : -ENOENT;
	while (!err && getline(&line, &size, file) > 0)
		err = look_at(root, line, f);
	free(line);
	fclose(file);
	return err ? err : f->version ? 0 : -ENOENT;
}

/* A captured tree without that: where hierarchies mostly are. */
static int look_around(const char *root, struct found *f)
{
	int dir = open_below(root, "/sys/fs/cgroup/memory");

	/* In version 2 that may be a cgroup of this name. */
	if (dir >= 0 && faccessat(dir, "cgroup.controllers", F_OK, 0))
		return take(f, 1, "", dir);
	if (dir >= 0)
		close(dir);
	dir = open_below(root, "/sys/fs/cgroup");
	if (dir < 0)
		return dir;
	if (!faccessat(dir, "cgroup.controllers", F_OK, 0) &&
	    has_controller(dir))
		return take(f, 2, "", dir);
	close(dir);
	return -ENOENT;
}

int group_mount_find(const char *root, int *version, int *dir, char **prefix)
{
	struct found f = {.dir = -1};
	int err = read_mounts(root, &f);

	if (err == -ENOENT && root)
		err = look_around(root, &f);
	if (err) {
		forget(&f);
		return err;
	}
	*version = f.version;
	*dir = f.dir;
	*prefix = f.prefix;
	return 0;
}
