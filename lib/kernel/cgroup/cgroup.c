// SPDX-License-Identifier: MIT
/* The tree of cgroups: listing them in order, and reading each. */
#include "config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "kernel/cgroup/internal.h"
#include "kernel/proc/page.h"
#include "kernel/proc/procfs.h"
#include "base/sort.h"
#include "base/array.h"
#include "base/clock.h"

#define MOST_FDS 1024

static int list_add(struct group_list *l, struct group *g)
{
	if (array_reserve(l->g, l->cap, l->nr + 1))
		return -ENOMEM;
	l->g[l->nr++] = g;
	return 0;
}

static void destroy(struct tally_groups *l, struct group *g)
{
	group_close(l, g);
	free(g->path);
	free(g->name);
	free(g->values);
	free(g);
}

static void list_free(struct tally_groups *l, struct group_list *list)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++)
		destroy(l, list->g[i]);
	free(list->g);
}

/* ---- listing ------------------------------------------------------------- */

/* A slash comes before any other byte, so that what is in a cgroup follows
 * it. */
static int path_order(const char *a, const char *b)
{
	unsigned char x, y;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	x = *a == '/' ? 1 : (unsigned char)*a;
	y = *b == '/' ? 1 : (unsigned char)*b;
	/* A byte 1 in a name comes after the slash. */
	if (x == 1 && y == 1)
		return *a == '/' ? -1 : 1;
	return (x > y) - (x < y);
}

static int by_path(const void *a, const void *b)
{
	const struct group *g = *(struct group *const *)a;
	const struct group *h = *(struct group *const *)b;

	return path_order(group_path(g), group_path(h));
}

/* Return the index of the path in rows, or where to insert it. */
static unsigned int find(const struct group_list *l, const char *path)
{
	unsigned int lo = 0, hi = l->nr;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (path_order(group_path(l->g[mid]), path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct group *group_new(struct tally_groups *l, const char *path)
{
	unsigned int len = (unsigned int)strlen(path) + 1;
	struct group *g;

	g = l->spare.nr ? l->spare.g[--l->spare.nr] : calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->row = (struct tally_group_row){.depth = 0};
	g->fd = -1;
	g->listed = false;
	g->gone = false;
	g->layout = 0;
	if (array_reserve(g->path, g->path_cap, len + 1)) {
		destroy(l, g);
		return NULL;
	}
	memcpy(g->path, len > 1 ? path : "/", len > 1 ? len : 2);
	g->row.path = g->path;
	return g;
}

static int add(struct tally_groups *l, const char *path, unsigned int depth)
{
	unsigned int i = find(&l->rows, path);
	struct group *g;
	int err;

	if (i < l->rows.nr && !strcmp(group_path(l->rows.g[i]), path))
		g = l->rows.g[i];
	else
		g = group_new(l, path);
	if (!g)
		return -ENOMEM;
	g->row.depth = depth;
	g->list_err = 0;
	err = list_add(&l->next, g);
	if (err && !g->listed)
		destroy(l, g);
	return err;
}

static bool is_directory(int dir, const struct dirent64 *d)
{
	struct stat st;

	if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
		return false;
	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return !fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(st.st_mode);
}

/* Add the children of the group at index. */
static int add_children(struct tally_groups *l, unsigned int index, int dir)
{
	char buf[8192] __attribute__((aligned(8))), path[PATH_MAX];
	struct group *g = l->next.g[index];
	size_t base = strlen(group_path(g));
	ssize_t n = 0, at;
	int err = 0;

	memcpy(path, group_path(g), base);
	path[base] = '/';
	while (!err && (n = getdents64(dir, buf, sizeof(buf))) > 0)
		for (at = 0; !err && at < n;) {
			const struct dirent64 *d = (const void *)(buf + at);
			size_t len = strlen(d->d_name) + 1;

			at += d->d_reclen;
			/* The kernel can't be asked for a longer path. */
			if (!is_directory(dir, d) ||
			    base + 1 + len > sizeof(path))
				continue;
			memcpy(path + base + 1, d->d_name, len);
			err = add(l, path, g->row.depth + 1);
		}
	if (n < 0 && errno != ENOENT)
		g->list_err = -errno;
	return err;
}

/* List groups one at a time, in the order in which they are found. */
static int list_groups(struct tally_groups *l)
{
	unsigned int i;
	int dir, err;

	l->next.nr = 0;
	err = add(l, l->base, 0);
	for (i = 0; !err && i < l->next.nr; i++) {
		dir = group_open_at(l, l->next.g[i], "",
				    O_DIRECTORY | O_NOFOLLOW);
		if (dir < 0) {
			if (dir == -ENOENT)
				l->next.g[i]->gone = true;
			else
				l->next.g[i]->list_err = dir;
			continue;
		}
		err = add_children(l, i, dir);
		close(dir);
	}
	return err;
}

/* ---- opening ------------------------------------------------------------- */

static unsigned int default_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	limit.rlim_cur /= 4;
	return limit.rlim_cur < MOST_FDS ? (unsigned int)limit.rlim_cur
					 : MOST_FDS;
}

/* Set where rows begin: the cgroup asked for, which must be below the mounted
 * one. */
static int base_set(struct tally_groups *l, const char *name)
{
	char path[PATH_MAX];
	int err;

	l->base = strdup(l->prefix);
	if (!l->base)
		return -ENOMEM;
	/* In a container that sees its own cgroups alone, "/" is all. */
	if (!name || !*name || (!l->nr_up && !name[strspn(name, "/")]))
		return 0;
	if (l->nr_up) {
		err = list_groups(l);
		err = err ? err : group_way_find(l);
		list_free(l, &l->next);
		l->next = (struct group_list){.nr = 0};
		if (err)
			return err;
	}
	err = group_path_of(l, name, path);
	free(l->base);
	l->base = err ? NULL : strdup(path);
	return l->base ? 0 : err ? err : -ENOMEM;
}

static int find_memory(struct tally_groups *l, const char *root)
{
	struct hierarchy found;
	int err = group_mount_find(root, "memory", "memory", &found);

	if (err)
		return err;
	free(found.point);
	l->version = found.version;
	l->dir = found.dir;
	l->prefix = found.prefix;
	l->nr_up = found.nr_up;
	return 0;
}

int tally_kernel_groups_open(const char *root, const char *path,
			     unsigned int max_fds, struct tally_groups **groups)
{
	UNCANCELLED;
	struct tally_groups *l = calloc(1, sizeof(*l));
	struct group g = {.fd = -1};
	int err, fd;

	if (!l)
		return -ENOMEM;
	l->dir = -1;
	l->proc = -1;
	l->live = !root;
	l->layout = 1;
	l->max_fds = max_fds ? max_fds : default_fds();
	l->page_bytes = kernel_page_bytes_of(root);
	err = find_memory(l, root);
	if (!err && l->nr_up)
		l->proc = procfs_open(root);
	if (!err)
		err = base_set(l, path);
	if (!err) {
		g.path = l->base;
		fd = group_open_at(l, &g, "", O_PATH | O_DIRECTORY);
		err = fd < 0 ? fd : close(fd);
	}
	if (err) {
		tally_kernel_groups_close(l);
		return err;
	}
	*groups = l;
	return 0;
}

void tally_kernel_groups_close(struct tally_groups *l)
{
	UNCANCELLED;
	unsigned int i;

	if (!l)
		return;
	list_free(l, &l->rows);
	list_free(l, &l->next);
	list_free(l, &l->spare);
	for (i = 0; i < l->nr_figures; i++)
		free((char *)l->figures[i].name);
	free(l->figures);
	free(l->nodes);
	free(l->text);
	free(l->base);
	free(l->prefix);
	free(l->way);
	if (l->proc >= 0)
		close(l->proc);
	if (l->dir >= 0)
		close(l->dir);
	free(l);
}

/* ---- a reading ----------------------------------------------------------- */

/* Set the names that rows show. */
static int name_groups(struct tally_groups *l)
{
	unsigned int i;
	int err;

	if (!l->nr_up)
		return 0;
	err = group_way_find(l);
	for (i = 0; !err && i < l->next.nr; i++)
		err = group_name_set(l, l->next.g[i]);
	return err;
}

/* Read until no file has a node or figure that the files before lacked. */
static int read_groups(struct tally_groups *l)
{
	unsigned int i, before;
	int err = 0;

	for (i = 0; i < l->next.nr; i++)
		l->next.g[i]->layout = 0;
	do {
		before = l->layout;
		for (i = 0; !err && i < l->next.nr; i++) {
			struct group *g = l->next.g[i];

			if (!g->gone && g->layout != l->layout)
				err = group_read(l, g);
		}
	} while (!err && before != l->layout);
	return err;
}

static int retire(struct tally_groups *l, struct group *g, int err)
{
	group_close(l, g);
	if (!err)
		err = list_add(&l->spare, g);
	if (err)
		destroy(l, g);
	return err;
}

/* Drop rows that are not in next, and those in next that went. */
static int drop_gone(struct tally_groups *l)
{
	struct group_list *rows = &l->rows, *next = &l->next, old = *rows;
	unsigned int i, nr = 0;
	int err = 0;

	for (i = 0; i < next->nr; i++)
		next->g[i]->listed = true;
	for (i = 0; i < rows->nr; i++) {
		unsigned int at = find(next, group_path(rows->g[i]));

		if (at == next->nr || next->g[at] != rows->g[i])
			err = retire(l, rows->g[i], err);
	}
	for (i = 0; i < next->nr; i++) {
		if (next->g[i]->gone)
			err = retire(l, next->g[i], err);
		else
			next->g[nr++] = next->g[i];
	}
	next->nr = nr;
	*rows = *next;
	*next = old;
	next->nr = 0;
	return err;
}

/* A tree that changes while it is listed can have a name twice. */
static void sort_by_path(struct tally_groups *l)
{
	struct group_list *next = &l->next;
	unsigned int i, nr = 0;

	sort_in_place(next->g, next->nr, sizeof(struct group *), by_path);
	for (i = 0; i < next->nr; i++) {
		struct group *g = next->g[i];

		if (!nr || strcmp(next->g[nr - 1]->path, g->path))
			next->g[nr++] = g;
		else if (g != next->g[nr - 1] && !g->listed)
			destroy(l, g);
	}
	next->nr = nr;
}

static int first_error(const struct tally_groups *l)
{
	unsigned int i;

	for (i = 0; i < l->rows.nr; i++) {
		int err = l->rows.g[i]->row.err;

		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

int tally_kernel_groups_read(struct tally_groups *l)
{
	UNCANCELLED;
	int err, dropped;

	err = list_groups(l);
	sort_by_path(l);
	if (!err)
		err = name_groups(l);
	if (!err)
		err = read_groups(l);
	dropped = drop_gone(l);
	l->time_ns = now_ns();
	err = err ? err : dropped;
	return err ? err : first_error(l);
}

/* ---- what was read ------------------------------------------------------- */

int tally_kernel_groups_version(const struct tally_groups *l)
{
	return l->version;
}

int64_t tally_kernel_groups_time_ns(const struct tally_groups *l)
{
	return l->time_ns;
}

unsigned int tally_kernel_groups_nr(const struct tally_groups *l)
{
	return l->rows.nr;
}

const struct tally_group_row *
tally_kernel_groups_row(const struct tally_groups *l, unsigned int index)
{
	assert(index < l->rows.nr);
	return &l->rows.g[index]->row;
}

int tally_kernel_groups_find(const struct tally_groups *l, const char *name)
{
	char path[PATH_MAX];
	unsigned int i;

	if (group_path_of(l, name, path))
		return -ENOENT;
	i = find(&l->rows, path);
	return i < l->rows.nr && !strcmp(l->rows.g[i]->row.path, name)
		       ? (int)i
		       : -ENOENT;
}

const int *tally_kernel_groups_nodes(const struct tally_groups *l,
				     unsigned int *nr)
{
	*nr = l->nr_nodes;
	return l->nodes;
}

unsigned int tally_kernel_groups_nr_figures(const struct tally_groups *l)
{
	return l->nr_figures;
}

const struct tally_figure *
tally_kernel_groups_figure(const struct tally_groups *l, unsigned int index)
{
	assert(index < l->nr_figures);
	return &l->figures[index];
}

int tally_kernel_groups_find_figure(const struct tally_groups *l,
				    const char *name)
{
	unsigned int i;

	for (i = 0; i < l->nr_figures; i++)
		if (!strcmp(l->figures[i].name, name))
			return (int)i;
	return -ENOENT;
}
