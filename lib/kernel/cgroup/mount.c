// SPDX-License-Identifier: MIT
/* Where the hierarchy of cgroups with a controller is mounted. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "kernel/cgroup/internal.h"
#include "topo/sysfs.h"
#include "kernel/proc/group.h"
#include "base/regular.h"
#include "base/sized.h"

/* A longer file is another kind of file. */
#define MOST_TEXT (16u << 20)

struct wanted {
	const char *root, *v1, *v2;
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

/* Version 2 may be mounted without the controller, just to name cgroups. Returns
 * whether it has it, or -errno. */
static int has_controller(int dir, const char *controller)
{
	char *text = NULL, *save = NULL, *word;
	bool has = false;
	size_t len;
	int err;

	if (!*controller)
		return true;
	err = regular_read(dir, "cgroup.controllers", MOST_TEXT, &text, &len);
	if (err)
		return topo_fatal(err) ? err : true;
	for (word = strtok_r(text, " \n", &save); word && !has;
	     word = strtok_r(NULL, " \n", &save))
		has = !strcmp(word, controller);
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
	f->point = strdup(point);
	return f->prefix && f->point ? 0 : -ENOMEM;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n >= len && !strcmp(text + n - len, end);
}

/* A hierarchy of version 1 with the controller is certainly the one. A mount
 * hides an earlier one at the same place. */
static int look_at(const struct wanted *w, char *line, struct hierarchy *f)
{
	struct group_mount m;
	int dir, has;

	group_text_mount(line, w->v1, &m);
	if (!m.version || (m.version == 2 && !w->v2))
		return 0;
	if ((f->version == 1 || f->version == m.version) &&
	    strcmp(m.point, f->point) != 0)
		return 0;
	/* The kernel writes no such path. In a captured tree, it would lead
	 * outside. */
	if (*m.root != '/' || strstr(m.point, "/../") ||
	    ends_with(m.point, "/.."))
		return 0;
	dir = open_below(w->root, m.point);
	/* Another mount may hide it, or it may be out of reach. */
	if (dir < 0)
		return topo_fatal(dir) ? dir : 0;
	has = m.version == 2 ? has_controller(dir, w->v2) : true;
	if (has <= 0) {
		close(dir);
		return has;
	}
	return take(f, m.version, m.root, dir, m.point);
}

static int read_mounts(const struct wanted *w, struct hierarchy *f)
{
	char path[PATH_MAX], *text = NULL, *line, *save = NULL;
	size_t len;
	int n, err;

	n = snprintf(path, sizeof(path), "%s/proc/self/mountinfo",
		     w->root ? w->root : "");
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	err = regular_read(AT_FDCWD, path, MOST_TEXT, &text, &len);
	if (err)
		return topo_fatal(err) ? err : -ENOENT;
	for (line = strtok_r(text, "\n", &save); !err && line;
	     line = strtok_r(NULL, "\n", &save))
		err = look_at(w, line, f);
	free(text);
	return err ? err : f->version ? 0 : -ENOENT;
}

/* A captured tree without mountinfo: look where hierarchies usually are. */
static int look_around(const struct wanted *w, struct hierarchy *f)
{
	char path[PATH_MAX];
	int dir = -ENOENT, has = 0;

	if (w->v1) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", w->v1);
		dir = open_below(w->root, path);
	}
	if (topo_fatal(dir))
		return dir;
	/* In version 2, "memory" may be a cgroup. */
	if (dir >= 0 && faccessat(dir, "cgroup.controllers", F_OK, 0))
		return take(f, 1, "", dir, path);
	if (dir >= 0)
		close(dir);
	dir = open_below(w->root, "/sys/fs/cgroup");
	if (dir < 0)
		return dir;
	if (w->v2 && !faccessat(dir, "cgroup.controllers", F_OK, 0))
		has = has_controller(dir, w->v2);
	if (has > 0)
		return take(f, 2, "", dir, "/sys/fs/cgroup");
	close(dir);
	return has ? has : -ENOENT;
}

int group_mount_find(const char *root, const char *v1, const char *v2,
		     struct hierarchy *found)
{
	const struct wanted w = {root, v1, v2};
	struct hierarchy f = {.dir = -1};
	int err = read_mounts(&w, &f);

	if (err == -ENOENT && root)
		err = look_around(&w, &f);
	if (err)
		forget(&f);
	else
		*found = f;
	return err;
}

/* ---- for users ------------------------------------------------------------ */

/* The number at the head of a controller's line, or -errno. */
static int find_number(const char *root, const char *controller)
{
	char path[PATH_MAX], *text;
	int number = -ENOENT, err;
	const char *at;
	size_t len;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root ? root : "");
	err = regular_read(AT_FDCWD, path, MOST_TEXT, &text, &len);
	if (err)
		return err;
	at = group_name_find(text, controller, &len);
	if (at) {
		while (at > text && at[-1] != '\n')
			at--;
		number = atoi(at); /* NOLINT(cert-err34-c) */
	}
	free(text);
	return number;
}

int tally_kernel_groups_mount(const char *root, const char *v1, const char *v2,
			      struct tally_group_mount *mount)
{
	UNCANCELLED;
	struct tally_group_mount m = {.size = sizeof(m)};
	struct hierarchy f;
	int err;

	if (!sized_fits(mount, sized_upto(struct tally_group_mount, prefix)))
		return -EINVAL;
	err = group_mount_find(root, v1, v2, &f);
	if (err)
		return err;
	m.version = f.version;
	m.number = f.version == 1 ? find_number(root, v1) : 0;
	if (m.number < 0) {
		err = m.number;
		forget(&f);
		return err;
	}
	m.point = f.point;
	m.prefix = f.prefix;
	close(f.dir);
	sized_put(mount, &m, sizeof(m));
	return 0;
}
