// SPDX-License-Identifier: MIT
/*
 * numastat's tables, byte for byte where numastat is right. numatally-stat(1)
 * lists where it is not.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <numatally/kernel_node.h>

#include "common/root.h"
#include "common/text.h"
#include "stat/numastat/internal.h"

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

/* ---- all tables ----------------------------------------------------------- */

/* numastat sorts by the total if there is no such node, with status 0. */
static void check_sort(struct numastat *c)
{
	bool unknown = c->o->sort_unknown;
	unsigned int nr;
	int *ids = numastat_ids(c, &nr);

	if (c->o->sort_node >= 0 && numastat_column(c->o, ids, nr) == nr) {
		warnx("no node %d: sorted by the total", c->o->sort_node);
		unknown = true;
	}
	c->ok &= !unknown || c->o->numastat;
	free(ids);
}

static void open_nodes(struct numastat *c, unsigned int sources)
{
	int err = tally_kernel_nodes_open(c->o->root, sources, &c->nodes);

	if (err < 0) {
		root_complain(c->o->root, err, ROOT_NODES);
		exit(EXIT_FAILURE);
	}
	err = tally_kernel_nodes_read(c->nodes);
	/* The tables report what a node lacks. */
	if (!tally_kernel_nodes_nr(c->nodes))
		errx(EXIT_FAILURE, "%s: no nodes: %s", root_name(c->o->root),
		     text_error(err ? err : -ENOENT));
}

int numastat_tables(const struct stat_options *o)
{
	bool counters = o->counters || (!o->nr_names && !o->meminfo);
	struct numastat c = {.o = o, .width = line_width(), .ok = true};
	unsigned int sources = 0;

	if (o->meminfo)
		sources |= 1u << TALLY_SOURCE_MEMINFO;
	if (counters)
		sources |= 1u << TALLY_SOURCE_NUMASTAT;
	open_nodes(&c, sources);
	if (sources && tally_kernel_nodes_nr(c.nodes) == 1)
		root_warn_hidden(o->root, ROOT_ALL);
	check_sort(&c);
	if (o->nr_names)
		numastat_processes(&c);
	if (o->meminfo)
		numastat_meminfo(&c);
	if (counters)
		numastat_counters(&c);
	tally_kernel_nodes_close(c.nodes);
	return c.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
