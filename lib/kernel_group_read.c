// SPDX-License-Identifier: MIT
/* A cgroup's file, and the nodes and figures that files name. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_group.h"

#define FILE_NAME "memory.numa_stat"
/* More is no such file. */
#define MAX_TEXT    (16u << 20)
#define MAX_FIGURES 512

/* ---- nodes and figures ---------------------------------------------------- */

/* The index of a node; one that is new changes the layout. */
static int node_index(struct tally_groups *l, int node)
{
	unsigned int lo = 0, hi = l->nr_nodes;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (l->nodes[mid] < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < l->nr_nodes && l->nodes[lo] == node)
		return (int)lo;
	if (l->nr_nodes == l->nodes_cap) {
		unsigned int cap = l->nodes_cap ? 2 * l->nodes_cap : 8;
		int *new = reallocarray(l->nodes, cap, sizeof(*new));

		if (!new)
			return -ENOMEM;
		l->nodes = new;
		l->nodes_cap = cap;
	}
	memmove(&l->nodes[lo + 1], &l->nodes[lo],
		(l->nr_nodes - lo) * sizeof(*l->nodes));
	l->nodes[lo] = node;
	l->nr_nodes++;
	l->layout++;
	return (int)lo;
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static int figure_add(struct tally_groups *l, const char *name, size_t len)
{
	struct tally_figure *f;

	if (l->nr_figures == MAX_FIGURES)
		return -EBADMSG;
	if (l->nr_figures == l->figures_cap) {
		unsigned int cap = l->figures_cap ? 2 * l->figures_cap : 32;

		f = reallocarray(l->figures, cap, sizeof(*f));
		if (!f)
			return -ENOMEM;
		l->figures = f;
		l->figures_cap = cap;
	}
	f = &l->figures[l->nr_figures];
	*f = (struct tally_figure){
		.name = strndup(name, len),
		.source = TALLY_SOURCE_CGROUP,
		.unit = TALLY_UNIT_BYTES,
	};
	if (!f->name)
		return -ENOMEM;
	if (l->version == 1) {
		f->unit = TALLY_UNIT_PAGES;
		f->page_bytes = l->page_bytes;
	} else if (begins(f->name, "workingset_") || begins(f->name, "pg")) {
		f->unit = TALLY_UNIT_EVENTS;
		f->counter = true;
	}
	l->layout++;
	return (int)l->nr_figures++;
}

/* Lines mostly come in the order of the figures. */
static int figure_index(struct tally_groups *l, const char *name, size_t len)
{
	unsigned int i, at;

	for (i = 0; i < l->nr_figures; i++) {
		at = (l->hint + i) % l->nr_figures;
		if (!strncmp(l->figures[at].name, name, len) &&
		    !l->figures[at].name[len]) {
			l->hint = at + 1;
			return (int)at;
		}
	}
	return figure_add(l, name, len);
}

/* ---- a file --------------------------------------------------------------- */

/* Closes one that is kept open, and keeps that many from now on. */
static bool give_back(struct tally_groups *l)
{
	const struct group_list *const lists[] = {&l->rows, &l->next};
	unsigned int i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < lists[i]->nr; j++)
			if (lists[i]->g[j]->fd >= 0) {
				group_close(l, lists[i]->g[j]);
				l->max_fds = l->nr_fds;
				return true;
			}
	return false;
}

int group_open_at(struct tally_groups *l, const struct group *g,
		  const char *name, int flags)
{
	const char *below = g->path + l->prefix;
	char path[PATH_MAX];
	int n, fd;

	while (*below == '/')
		below++;
	n = snprintf(path, sizeof(path), "./%s%s%s", below, *below ? "/" : "",
		     name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	do
		fd = openat(l->dir, path,
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	while (fd < 0 && errno == EMFILE && give_back(l));
	return fd < 0 ? -errno : fd;
}

void group_close(struct tally_groups *l, struct group *g)
{
	if (g->fd < 0)
		return;
	close(g->fd);
	g->fd = -1;
	l->nr_fds--;
}

static int text_grow(struct tally_groups *l)
{
	size_t cap = l->text_cap ? 2 * l->text_cap : 16384;
	char *new;

	if (cap > MAX_TEXT)
		return -EBADMSG;
	new = realloc(l->text, cap);
	if (!new)
		return -ENOMEM;
	l->text = new;
	l->text_cap = cap;
	return 0;
}

static int read_text(struct tally_groups *l, int fd, size_t *len)
{
	size_t have = 0;
	ssize_t n;
	int err;

	for (;;) {
		if (have == l->text_cap) {
			err = text_grow(l);
			if (err)
				return err;
		}
		n = pread(fd, l->text + have, l->text_cap - have, (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	*len = have;
	return n < 0 ? -errno : 0;
}

/* Lays its values out as nodes and figures are now, with nothing known. */
static int lay_out(struct tally_groups *l, struct group *g)
{
	size_t nr = (size_t)l->nr_nodes * l->nr_figures, i;

	if (nr > g->values_cap) {
		int64_t *new = reallocarray(g->values, nr, sizeof(*new));

		if (!new)
			return -ENOMEM;
		g->values = new;
		g->values_cap = nr;
	}
	for (i = 0; i < nr; i++)
		g->values[i] = TALLY_UNKNOWN;
	g->layout = l->layout;
	g->row.values = g->values;
	return 0;
}

/* The lines of a file; what is new in it changes the layout, and the values
 * are then not set. */
static int parse(struct tally_groups *l, struct group *g, size_t len)
{
	const char *at = l->text, *end = l->text + len;
	struct group_line line;
	int64_t value;
	int more, node, figure;

	if (!len)
		return -EBADMSG;
	l->hint = 0;
	while ((more = group_text_line(&at, end, &line)) > 0) {
		figure = figure_index(l, line.name, line.len);
		if (figure < 0)
			return figure;
		while ((more = group_text_node(&line, &node, &value)) > 0) {
			node = node_index(l, node);
			if (node < 0)
				return node;
			if (g->layout == l->layout)
				g->values[(size_t)node * l->nr_figures +
					  (size_t)figure] = value;
		}
		if (more < 0)
			return more;
	}
	return more;
}

static int read_values(struct tally_groups *l, struct group *g, int fd)
{
	unsigned int before;
	size_t len = 0;
	int err = read_text(l, fd, &len);

	if (err)
		return err;
	do {
		err = lay_out(l, g);
		before = l->layout;
		if (!err)
			err = parse(l, g, len);
	} while (!err && before != l->layout);
	return err;
}

static bool is_there(struct tally_groups *l, const struct group *g)
{
	int fd = group_open_at(l, g, "", O_PATH | O_DIRECTORY);

	if (fd >= 0)
		close(fd);
	return fd != -ENOENT;
}

static int read_once(struct tally_groups *l, struct group *g)
{
	int fd = g->fd, err;

	if (fd < 0)
		fd = group_open_at(l, g, FILE_NAME, 0);
	err = fd < 0 ? fd : read_values(l, g, fd);
	if (fd >= 0 && fd != g->fd) {
		/* What makes no sense is not looked at through it again. */
		if (!err && l->nr_fds < l->max_fds) {
			g->fd = fd;
			l->nr_fds++;
		} else {
			close(fd);
		}
	} else if (err) {
		group_close(l, g);
	}
	return err;
}

int group_read(struct tally_groups *l, struct group *g)
{
	/* One that went and came back meanwhile looks as if it had no file;
	 * but who had none before, has none. */
	int tries = g->listed && g->row.err == -ENOENT ? 1 : 4, err;

	for (;;) {
		bool kept = g->fd >= 0;

		err = read_once(l, g);
		/* The file was open when its cgroup went: there may be
		 * another of that name. */
		if (err == -ENODEV && kept)
			continue;
		if (err == -ENODEV || (err == -ENOENT && !is_there(l, g))) {
			g->gone = true;
			return 0;
		}
		if (err != -ENOENT || !--tries)
			break;
	}
	if (err == -ENOMEM)
		return err;
	g->row.err = err;
	if (err) {
		g->layout = l->layout;
		g->row.values = NULL;
	}
	return 0;
}
