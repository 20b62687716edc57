// SPDX-License-Identifier: MIT
/*
 * The names of cgroups, and their paths below the mounted one. These differ if a
 * cgroup above the root of our cgroup namespace is mounted: the kernel names it
 * "/.." (nr_up 1), "/../.." and so on. It does not tell which of the cgroups in
 * it leads to the namespace's root; a task's name and cgroup do:
 *
 *	path		name, if nr_up is 2 and way "/a/b"
 *	""		/../..
 *	/a		/..
 *	/a/b		/
 *	/a/b/c		/c
 *	/a/x		/../x
 *	/x/y		/../../x/y
 *
 * Where no task tells, none has a name that would.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/cgroup/internal.h"
#include "kernel/proc/group.h"
#include "kernel/proc/procfs.h"
#include "base/array.h"
#include "base/regular.h"
#include "base/self.h"

/* ---- paths and names ----------------------------------------------------- */

/* The length of the first nr names in a path, or of all. */
static size_t first_names(const char *path, unsigned int nr)
{
	const char *at = path;

	for (; nr && *at; nr--)
		at += 1 + strcspn(at + 1, "/");
	return (size_t)(at - path);
}

/* How many names two paths begin with. */
static unsigned int in_common(const char *a, const char *b)
{
	unsigned int nr = 0;
	size_t n;

	while ((n = first_names(a, 1)) && n == first_names(b, 1) &&
	       !memcmp(a, b, n)) {
		a += n;
		b += n;
		nr++;
	}
	return nr;
}

static unsigned int nr_names(const char *path)
{
	unsigned int nr = 0;

	for (; *path; path++)
		nr += *path == '/';
	return nr;
}

int group_name_set(const struct tally_groups *l, struct group *g)
{
	const char *path = group_path(g);
	unsigned int nr = in_common(l->way, path), up = l->nr_up - nr;
	size_t size = 3 * (size_t)up + strlen(path) + 2;
	char *to;

	path += first_names(path, nr);
	if (!up && !*path)
		path = "/";
	if (array_reserve(g->name, g->name_cap, (unsigned int)size))
		return -ENOMEM;
	to = g->name;
	for (unsigned int i = 0; i < up; i++)
		to = mempcpy(to, "/..", 3);
	memcpy(to, path, strlen(path) + 1);
	g->row.path = g->name;
	return 0;
}

/* Kernels write no "/../" in it. In a captured tree, it would lead outside. */
static bool leads_out(const char *rest, size_t len)
{
	for (size_t i = 0; i + 3 <= len; i++)
		if (!memcmp(rest + i, "/..", 3) &&
		    (i + 3 == len || rest[i + 3] == '/'))
			return true;
	return false;
}

int group_path_of(const struct tally_groups *l, const char *name,
		  char path[PATH_MAX])
{
	struct group_name of = group_name_of(name), mounted;
	size_t n = 0;

	mounted = group_name_of(l->prefix);
	if (*name != '/' || leads_out(of.rest, of.len))
		return -ENOENT;
	if (l->nr_up) {
		if (of.nr_up > l->nr_up || l->nr_up - of.nr_up > l->nr_way)
			return -ENOENT;
		n = first_names(l->way, l->nr_up - of.nr_up);
		memcpy(path, l->way, n);
	} else if (!group_name_holds(&mounted, &of)) {
		return -ENOENT;
	} else {
		n = 3 * (size_t)of.nr_up;
		memcpy(path, name, n);
	}
	if (n + of.len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + n, of.rest, of.len);
	path[n + of.len] = '\0';
	return 0;
}

/* ---- the way to the namespace's root ------------------------------------- */

/* Read numbers of tasks in the cgroup itself. */
static bool read_tasks(struct tally_groups *l, const struct group *g,
		       char *text, size_t size)
{
	/* Of version 1; 2; with threads of other cgroups. */
	static const char *const files[] = {"tasks", "cgroup.threads",
					    "cgroup.procs"};
	ssize_t n = -1;

	for (size_t i = 0; n < 0 && i < sizeof(files) / sizeof(*files); i++) {
		int fd = group_open_at(l, g, files[i], 0);

		if (fd < 0)
			continue;
		if (!regular_check(fd))
			n = procfs_read_some(fd, text, size - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/* The next number; 0: there is none. A task of another PID namespace has 0. */
static pid_t next_task(const char **at)
{
	const char *end = *at + strlen(*at);
	uint64_t tid;

	while (procfs_decimal(at, end, &tid) && **at == '\n') {
		++*at;
		if (tid && tid <= INT_MAX)
			return (pid_t)tid;
	}
	return 0;
}

static bool has_task(const char *text, pid_t task)
{
	pid_t tid;

	while ((tid = next_task(&text)))
		if (tid == task)
			return true;
	return false;
}

/* Read the name of a task's cgroup. */
static bool read_name(const struct tally_groups *l, pid_t tid,
		      char name[PATH_MAX])
{
	char file[32], text[16384];
	const char *path;
	size_t len;

	snprintf(file, sizeof(file), "%d/cgroup", tid);
	if (procfs_read(l->proc, file, text, sizeof(text), &len))
		return false;
	path = group_name_find(text, l->version == 1 ? "memory" : "", &len);
	if (!path || len >= PATH_MAX)
		return false;
	memcpy(name, path, len);
	name[len] = '\0';
	return true;
}

/* Version 1 says "/" of a task that ends, wherever it is. */
static bool is_ending(const struct tally_groups *l, pid_t tid)
{
	static const uint64_t ending = 4; /* PF_EXITING */
	char file[32], text[1024];
	uint64_t flags;
	const char *at;
	size_t len;

	snprintf(file, sizeof(file), "%d/stat", tid);
	if (procfs_read(l->proc, file, text, sizeof(text), &len))
		return true;
	/* The flags are the seventh word after the name. */
	at = strrchr(text, ')');
	for (int i = 0; at && i < 7; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return true;
	at++;
	return !procfs_decimal(&at, text + len, &flags) || flags & ending;
}

/* Whether the task was in the cgroup when its name was read. */
static bool is_still_in(struct tally_groups *l, const struct group *g,
			pid_t tid)
{
	char text[4096];

	return !l->live ||
	       (!is_ending(l, tid) && read_tasks(l, g, text, sizeof(text)) &&
		has_task(text, tid));
}

static int set_way(struct tally_groups *l, const char *path, unsigned int nr)
{
	size_t len = first_names(path, nr);

	if (array_reserve(l->way, l->way_cap, (unsigned int)len + 1))
		return -ENOMEM;
	memcpy(l->way, path, len);
	l->way[len] = '\0';
	l->nr_way = nr;
	return 0;
}

/* See how far the path is the way, if this is the cgroup's name. */
static unsigned int nr_told(const struct tally_groups *l, const char *path,
			    const char *name)
{
	struct group_name of = group_name_of(name);
	unsigned int nr = l->nr_up - of.nr_up;
	const char *rest;

	if (of.nr_up > l->nr_up || nr > nr_names(path) ||
	    in_common(path, l->way) < (nr < l->nr_way ? nr : l->nr_way))
		return 0;
	rest = path + first_names(path, nr);
	return strlen(rest) == of.len && !memcmp(rest, of.rest, of.len) ? nr
									: 0;
}

/* Learn from the first task of the cgroup that has a name. */
static int learn(struct tally_groups *l, const struct group *g)
{
	char text[4096], name[PATH_MAX];
	const char *at = text;
	unsigned int nr;
	pid_t tid;

	if (!read_tasks(l, g, text, sizeof(text)))
		return 0;
	do
		tid = next_task(&at);
	while (tid && !read_name(l, tid, name));
	nr = tid ? nr_told(l, group_path(g), name) : 0;
	return nr > l->nr_way && is_still_in(l, g, tid)
		       ? set_way(l, group_path(g), nr)
		       : 0;
}

/* In a captured tree without tasks, the way is told if it is the only one. */
static int learn_only(struct tally_groups *l)
{
	const struct group *only = NULL;

	for (unsigned int i = 0; i < l->next.nr; i++) {
		const struct group *g = l->next.g[i];

		if (nr_names(group_path(g)) != l->nr_up ||
		    in_common(group_path(g), l->way) < l->nr_way)
			continue;
		if (only)
			return 0;
		only = g;
	}
	return only ? set_way(l, group_path(only), l->nr_up) : 0;
}

int group_way_find(struct tally_groups *l)
{
	int err = l->way ? 0 : set_way(l, "", 0);

	if (err || l->nr_way == l->nr_up)
		return err;
	if (l->proc >= 0 && (!l->live || self_is_numbered(l->proc)))
		for (unsigned int i = 0;
		     !err && i < l->next.nr && l->nr_way < l->nr_up; i++)
			err = learn(l, l->next.g[i]);
	if (!err && !l->live && l->nr_way < l->nr_up && !*l->base)
		err = learn_only(l);
	return err;
}
