// SPDX-License-Identifier: MIT
/*
 * The tables of numastat: what it prints, byte for byte where it is right.
 * numatally-stat(1) lists where it isn't.
 */
#include "config.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <numatally/kernel_node.h>

#include "stat_compat.h"

#define WIDTH_MIN     32
#define WIDTH_DEFAULT 80
#define WIDTH_MAX     10000000

/* ---- the width of lines --------------------------------------------------- */

static unsigned int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return WIDTH_DEFAULT;
}

static unsigned int line_width(void)
{
	const char *text = getenv("NUMASTAT_WIDTH");
	long width;

	if (text) {
		width = strtol(text, NULL, 10);
		if (width < 1 || width > WIDTH_MAX)
			width = WIDTH_DEFAULT;
	} else {
		width = isatty(STDOUT_FILENO) ? terminal_width() : WIDTH_MAX;
	}
	return width < WIDTH_MIN ? WIDTH_MIN : (unsigned int)width;
}

/* ---- columns -------------------------------------------------------------- */

void stat_compat_heads(struct stat_table *t, const int *ids, unsigned int nr)
{
	char head[32];

	for (unsigned int i = 0; i < nr; i++) {
		snprintf(head, sizeof(head), t->bare ? "node%d" : "Node %d",
			 ids[i]);
		stat_table_head(t, i, head);
	}
	if (!t->bare)
		stat_table_head(t, nr, "Total");
}

unsigned int stat_compat_column(const struct stat_options *o, const int *ids,
				unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (ids[i] == o->sort_node)
			return i;
	return nr;
}

int *stat_compat_ids(const struct stat_compat *c, unsigned int *nr)
{
	int *ids;

	*nr = tally_kernel_nodes_nr(c->nodes);
	ids = calloc((size_t)*nr + 1, sizeof(*ids));
	if (!ids)
		err(EXIT_FAILURE, NULL);
	for (unsigned int i = 0; i < *nr; i++)
		ids[i] = tally_kernel_nodes_row(c->nodes, i)->node;
	return ids;
}

/* As numastat has it, the total serves where there is no such node. */
static void check_sort(const struct stat_compat *c)
{
	unsigned int nr;
	int *ids = stat_compat_ids(c, &nr);

	if (c->o->sort_node >= 0 && stat_compat_column(c->o, ids, nr) == nr)
		warnx("no node %d: sorted by the total", c->o->sort_node);
	free(ids);
}

/* ---- all tables ----------------------------------------------------------- */

static void open_nodes(struct stat_compat *c, unsigned int sources)
{
	const char *root = c->o->root ? c->o->root : "/";
	int err = tally_kernel_nodes_open(c->o->root, sources, &c->nodes);

	if (err == -ENOENT && access(root, F_OK) == 0)
		errx(EXIT_FAILURE,
		     "%s: neither sys/devices/system/node nor proc/meminfo",
		     root);
	if (err < 0)
		errx(EXIT_FAILURE, "%s: %s", root, strerror(-err));
	err = tally_kernel_nodes_read(c->nodes);
	/* What a row lacks is said where it would stand. */
	if (!tally_kernel_nodes_nr(c->nodes))
		errx(EXIT_FAILURE, "%s: no nodes: %s", root,
		     strerror(err ? -err : ENOENT));
}

int stat_compat_main(const struct stat_options *o)
{
	bool counters = o->counters || (!o->nr_who && !o->meminfo);
	struct stat_compat c = {.o = o, .width = line_width(), .ok = true};
	unsigned int sources = 0;

	if (o->meminfo)
		sources |= 1u << TALLY_SOURCE_MEMINFO;
	if (counters)
		sources |= 1u << TALLY_SOURCE_NUMASTAT;
	open_nodes(&c, sources);
	check_sort(&c);
	if (o->nr_who)
		stat_compat_processes(&c);
	if (o->meminfo)
		stat_compat_meminfo(&c);
	if (counters)
		stat_compat_counters(&c);
	tally_kernel_nodes_close(c.nodes);
	return c.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
