// SPDX-License-Identifier: MIT
/* A cgroup's memory.numa_stat, and the nodes and figures in it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/cgroup/internal.h"
#include "base/array.h"
#include "base/regular.h"

#define FILE_NAME "memory.numa_stat"
/* A longer file is another kind of file. */
#define MAX_TEXT    (16u << 20)
#define MAX_FIGURES 512

/* ---- nodes and figures --------------------------------------------------- */

/* Return the index of a node. A new one changes the layout. */
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
	if (array_reserve(l->nodes, l->nodes_cap, l->nr_nodes + 1))
		return -ENOMEM;
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
	if (array_reserve(l->figures, l->figures_cap, l->nr_figures + 1))
		return -ENOMEM;
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

/* ---- a file -------------------------------------------------------------- */

/* Close one file that is kept open, and keep no more than the rest from now
 * on. */
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
	const char *below = g->path + strlen(l->prefix);
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
	*len = regular_length(l->text, have);
	return n < 0 ? -errno : 0;
}

/* Lay out the values for the present nodes and figures, all unknown. */
static int lay_out(struct tally_groups *l, struct group *g)
{
	unsigned int nr = l->nr_nodes * l->nr_figures, i;

	if (array_reserve(g->values, g->values_cap, nr))
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		g->values[i] = TALLY_UNKNOWN;
	g->layout = l->layout;
	g->row.values = g->values;
	return 0;
}

/* The value of a figure whose line makes no sense, while the file is read. */
#define ODD_VALUE (-1)

static bool is_odd(struct group_line line)
{
	unsigned int nr = 0;
	int64_t value;
	int node;

	while (group_text_node(&line, &node, &value))
		nr++;
	return line.odd || !nr;
}

/* Whatever an earlier line told of this figure is as doubtful. */
static void set_odd(struct tally_groups *l, struct group *g, int figure)
{
	unsigned int n;

	g->odd = true;
	for (n = 0; g->layout == l->layout && n < l->nr_nodes; n++)
		g->values[(size_t)n * l->nr_figures + (size_t)figure] =
			ODD_VALUE;
}

/* A new node or figure changes the layout; values are not set then. */
static int parse_line(struct tally_groups *l, struct group *g,
		      struct group_line *line)
{
	int figure = figure_index(l, line->name, line->len), node;
	int64_t value, *to;

	if (figure < 0)
		return figure;
	if (is_odd(*line)) {
		set_odd(l, g, figure);
		return 0;
	}
	while (group_text_node(line, &node, &value)) {
		node = node_index(l, node);
		if (node < 0)
			return node;
		if (g->layout != l->layout)
			continue;
		to = &g->values[(size_t)node * l->nr_figures + (size_t)figure];
		if (*to != TALLY_UNKNOWN) {
			set_odd(l, g, figure);
			return 0;
		}
		*to = value;
	}
	return 0;
}

/* Parse the lines of a file. One that makes no sense costs one figure; with an
 * unknown name, it may be of a kernel to come. */
static int parse(struct tally_groups *l, struct group *g, size_t len)
{
	const char *at = l->text, *end = l->text + len;
	bool has_known = false;
	struct group_line line;
	unsigned int i;
	int err = 0;

	l->hint = 0;
	g->odd = false;
	while (!err && group_text_line(&at, end, &line)) {
		bool known = group_text_known(&line);

		if (!line.len || (!known && is_odd(line)))
			continue;
		has_known |= known && !is_odd(line);
		err = parse_line(l, g, &line);
	}
	for (i = 0; g->odd && g->layout == l->layout &&
		    i < l->nr_nodes * l->nr_figures;
	     i++)
		if (g->values[i] == ODD_VALUE)
			g->values[i] = TALLY_UNKNOWN;
	return err || has_known ? err : -EBADMSG;
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
		fd = group_open_at(l, g, FILE_NAME, O_NOCTTY);
	err = fd < 0 ? fd : regular_check(fd);
	if (!err)
		err = read_values(l, g, fd);
	if (fd >= 0 && fd != g->fd) {
		/* A file that makes no sense is opened again next time. */
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
	/* A cgroup that went and came back meanwhile looks as if it had no
	 * file. One that had none before, has none. */
	int tries = g->listed && g->row.err == -ENOENT ? 1 : 4, err;

	for (;;) {
		bool kept = g->fd >= 0;

		err = read_once(l, g);
		/* The file was open when its cgroup went: there may be another
		 * of that name. */
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
	g->row.err = err ? err : g->odd ? -EBADMSG : 0;
	if (!err || err == -ENOENT)
		g->row.err = g->list_err ? g->list_err : g->row.err;
	if (err) {
		g->layout = l->layout;
		g->row.values = NULL;
	}
	return 0;
}
