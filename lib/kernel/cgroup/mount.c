// SPDX-License-Identifier: MIT
/* Where the hierarchy of cgroups with the memory controller is mounted. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/cgroup/internal.h"
#include "topo/sysfs.h"
#include "kernel/proc/group.h"
#include "base/regular.h"

/* A longer file is another kind of file. */
#define MOST_TEXT (16u << 20)

struct hierarchy {
	int version;
	int dir;
	char *prefix;
	unsigned int nr_up;
	char *point; /* NULL: not from mountinfo */
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

/* Version 2 may be mounted without the controller, just to name cgroups. */
static bool has_controller(int dir)
{
	char *text = NULL, *save = NULL, *word;
	bool has = false;
	size_t len;

	if (regular_read(dir, "cgroup.controllers", MOST_TEXT, &text, &len))
		return true;
	for (word = strtok_r(text, " \n", &save); word && !has;
	     word = strtok_r(NULL, " \n", &save))
		has = !strcmp(word, "memory");
	free(text);
	return has;
}

static void forget(struct hierarchy *f)
{
	if (f->dir >= 0)
		close(f->dir);
	free(f->prefix);
	free(f->point);
	*f = (struct hierarchy){.dir = -1};
}

static int take(struct hierarchy *f, int version, const char *prefix, int dir,
		const char *point)
{
	struct group_name name = group_name_of(prefix);

	forget(f);
	f->dir = dir;
	f->version = version;
	if (name.len)
		f->prefix = strndup(prefix,
				    (size_t)(name.rest - prefix) + name.len);
	else
		f->prefix = strdup("");
	f->nr_up = name.len ? 0 : name.nr_up;
	f->point = point ? strdup(point) : NULL;
	return f->prefix && (f->point || !point) ? 0 : -ENOMEM;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n >= len && !strcmp(text + n - len, end);
}

/* A hierarchy of version 1 with the controller is certainly the one. A mount
 * hides an earlier one at the same place. */
static int look_at(const char *root, char *line, struct hierarchy *f)
{
	struct group_mount m;
	int dir;

	group_text_mount(line, &m);
	if (!m.version)
		return 0;
	if ((f->version == 1 || f->version == m.version) &&
	    strcmp(m.point, f->point) != 0)
		return 0;
	/* The kernel writes no such path. In a captured tree, it would lead
	 * outside. */
	if (*m.root != '/' || strstr(m.point, "/../") ||
	    ends_with(m.point, "/.."))
		return 0;
	dir = open_below(root, m.point);
	/* Another mount may hide it, or it may be out of reach. */
	if (dir < 0)
		return topo_fatal(dir) ? dir : 0;
	if (m.version == 2 && !has_controller(dir)) {
		close(dir);
		return 0;
	}
	return take(f, m.version, m.root, dir, m.point);
}

static int read_mounts(const char *root, struct hierarchy *f)
{
	char path[PATH_MAX], *text = NULL, *line, *save = NULL;
	size_t len;
	int n, err;

	n = snprintf(path, sizeof(path), "%s/proc/self/mountinfo",
		     root ? root : "");
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	err = regular_read(AT_FDCWD, path, MOST_TEXT, &text, &len);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	for (line = strtok_r(text, "\n", &save); !err && line;
	     line = strtok_r(NULL, "\n", &save))
		err = look_at(root, line, f);
	free(text);
	return err ? err : f->version ? 0 : -ENOENT;
}

/* A captured tree without mountinfo: look where hierarchies usually are. */
static int look_around(const char *root, struct hierarchy *f)
{
	int dir = open_below(root, "/sys/fs/cgroup/memory");

	if (topo_fatal(dir))
		return dir;
	/* In version 2, "memory" may be a cgroup. */
	if (dir >= 0 && faccessat(dir, "cgroup.controllers", F_OK, 0))
		return take(f, 1, "", dir, NULL);
	if (dir >= 0)
		close(dir);
	dir = open_below(root, "/sys/fs/cgroup");
	if (dir < 0)
		return dir;
	if (!faccessat(dir, "cgroup.controllers", F_OK, 0) &&
	    has_controller(dir))
		return take(f, 2, "", dir, NULL);
	close(dir);
	return -ENOENT;
}

int group_mount_find(const char *root, struct tally_groups *l)
{
	struct hierarchy f = {.dir = -1};
	int err = read_mounts(root, &f);

	if (err == -ENOENT && root)
		err = look_around(root, &f);
	free(f.point);
	f.point = NULL;
	if (err) {
		forget(&f);
		return err;
	}
	l->version = f.version;
	l->dir = f.dir;
	l->prefix = f.prefix;
	l->nr_up = f.nr_up;
	return 0;
}
