// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "kernel/node/internal.h"
#include "base/array.h"
#include "base/clock.h"

/* The most files that a process without a limit keeps open. */
#define KEPT_MOST 65536

/* ---- the handle ---------------------------------------------------------- */

static unsigned int files_to_keep(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur / 2 > KEPT_MOST)
		return KEPT_MOST;
	return (unsigned int)limit.rlim_cur / 2;
}

/* Without NUMA sysfs has no nodes; nor has it if something hides them. */
static int find_nodes(struct tally_node_stats *n)
{
	struct topo_set set;
	int err;

	n->numa = n->base >= 0 && !faccessat(n->base, "node0", F_OK, 0);
	if (n->base < 0 || n->numa)
		return 0;
	err = topo_read_names(n->tree, &set, "node", TOPO_NODE_DIR);
	n->numa = !err && topo_set_next(&set, 0) >= 0;
	return topo_fatal(err) ? err : 0;
}

static int open_root(struct tally_node_stats *n, const char *root)
{
	int err = topo_tree_open(root, &n->tree);

	if (err)
		return err;
	n->root = open(root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (n->root < 0)
		return -errno;
	n->live = !root;
	n->base = openat(n->root, TOPO_NODE_DIR,
			 O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (n->base < 0 && errno != ENOENT && errno != ENOTDIR)
		return -errno;
	err = find_nodes(n);
	if (err || n->numa)
		return err;
	if (n->base >= 0)
		close(n->base);
	n->base = n->root;
	if (faccessat(n->root, "proc/meminfo", F_OK, 0) != 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	return 0;
}

static int init(struct tally_node_stats *n, const char *root)
{
	int err = open_root(n, root);

	if (err)
		return err;
	n->max_kept = files_to_keep();
	n->zones_due = true;
	node_sizes_find(n);
	err = node_file_init(&n->online, n->base, "online");
	if (!err)
		err = node_file_init(&n->stat, n->root, "proc/stat");
	if (!err)
		err = node_file_init(&n->zoneinfo, n->root, "proc/zoneinfo");
	return err;
}

int tally_kernel_nodes_open(const char *root, unsigned int sources,
			    struct tally_node_stats **nodes)
{
	UNCANCELLED;
	struct tally_node_stats *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->root = n->base = -1;
	n->asked = sources;
	n->hint = -1;
	err = init(n, root);
	if (err) {
		tally_kernel_nodes_close(n);
		return err;
	}
	*nodes = n;
	return 0;
}

static void free_row(struct tally_node_stats *n, struct node_row *row)
{
	for (size_t i = 0; i < sizeof(row->files) / sizeof(row->files[0]); i++)
		node_file_free(n, &row->files[i]);
	node_huge_close(n, row);
	free(row->values);
	free(row);
}

void tally_kernel_nodes_close(struct tally_node_stats *n)
{
	UNCANCELLED;

	if (!n)
		return;
	for (unsigned int i = 0; i < n->nr_rows; i++)
		free_row(n, n->rows[i]);
	free(n->rows);
	for (unsigned int i = 0; i < n->nr_figures; i++)
		free((char *)n->figures[i].name);
	free(n->figures);
	node_file_free(n, &n->online);
	node_file_free(n, &n->stat);
	node_file_free(n, &n->zoneinfo);
	node_cpus_free(n);
	topo_tree_close(n->tree);
	if (n->base >= 0 && n->base != n->root)
		close(n->base);
	if (n->root >= 0)
		close(n->root);
	free(n);
}

/* ---- nodes come and go --------------------------------------------------- */

/* The kernel's list, or, if it has none, the directories. */
static int list_nodes(struct tally_node_stats *n, struct topo_set *set)
{
	int err = node_file_start(n, &n->online);
	char *line;

	if (!err) {
		err = node_lines_next(&n->lines, &line);
		err = err > 0 ? topo_parse_list(line, set) : -EBADMSG;
		node_file_done(n, &n->online);
	}
	if (!err && topo_set_next(set, 0) >= 0)
		return 0;
	return topo_read_names(n->tree, set, "node", TOPO_NODE_DIR);
}

static int init_files(const struct tally_node_stats *n, struct node_row *row)
{
	static const char *const names[] = {
		[TALLY_SOURCE_MEMINFO] = "meminfo",
		[TALLY_SOURCE_NUMASTAT] = "numastat",
		[TALLY_SOURCE_VMSTAT] = "vmstat",
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(names) / sizeof(names[0]); i++)
		if (n->numa)
			err = node_file_init(&row->files[i], n->base,
					     "node%d/%s", row->shown.node,
					     names[i]);
		else
			err = node_file_init(&row->files[i], n->base, "proc/%s",
					     names[i]);
	return err;
}

static int make_row(struct tally_node_stats *n, int node, struct node_row **row)
{
	struct node_row *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->shown.node = node;
	r->values = malloc((n->max_figures + 1) * sizeof(*r->values));
	r->shown.values = r->values;
	err = r->values ? init_files(n, r) : -ENOMEM;
	if (!err && n->asked & 1u << TALLY_SOURCE_HUGEPAGES)
		err = node_huge_open(n, r);
	if (err) {
		free_row(n, r);
		return err;
	}
	*row = r;
	return 0;
}

static int insert_row(struct tally_node_stats *n, unsigned int at, int node)
{
	struct node_row *row;
	int err;

	if (array_reserve(n->rows, n->max_rows, n->nr_rows + 1))
		return -ENOMEM;
	err = make_row(n, node, &row);
	if (err)
		return err;
	memmove(&n->rows[at + 1], &n->rows[at],
		(n->nr_rows - at) * sizeof(struct node_row *));
	n->rows[at] = row;
	n->nr_rows++;
	return 0;
}

static void remove_row(struct tally_node_stats *n, unsigned int at)
{
	free_row(n, n->rows[at]);
	n->nr_rows--;
	memmove(&n->rows[at], &n->rows[at + 1],
		(n->nr_rows - at) * sizeof(struct node_row *));
}

/*
 * Make rows for exactly the nodes in the set that have a directory; all are
 * ascending. A row whose directory is gone stays while it is listed.
 */
static int match_rows(struct tally_node_stats *n, const struct topo_set *set)
{
	struct topo_set there = *set;
	unsigned int at = 0;
	int err = 0;

	if (n->numa)
		err = topo_read_names(n->tree, &there, "node", TOPO_NODE_DIR);
	if (err)
		return err;
	n->absent = false;
	topo_set_each(set, id) {
		while (at < n->nr_rows && n->rows[at]->shown.node < id)
			remove_row(n, at);
		if (at == n->nr_rows || n->rows[at]->shown.node > id) {
			if (!topo_set_has(&there, id)) {
				n->absent = true;
				continue;
			}
			err = insert_row(n, at, id);
			if (err)
				return err;
		}
		at++;
	}
	while (at < n->nr_rows)
		remove_row(n, at);
	return 0;
}

static int update_rows(struct tally_node_stats *n, bool *changed)
{
	struct topo_set set = {{0}};
	unsigned int nr = n->nr_rows;
	bool same;
	int err = 0;

	if (n->numa)
		err = list_nodes(n, &set);
	else
		topo_set_add(&set, 0);
	if (err)
		return err;
	same = memcmp(&set, &n->listed, sizeof(set)) == 0;
	if (same && !n->absent)
		return 0;
	/* A list that could not be followed counts as changed. */
	memset(&n->listed, 0, sizeof(n->listed));
	*changed = true;
	err = match_rows(n, &set);
	if (err)
		return err;
	*changed = !same || n->nr_rows != nr;
	n->zones_due |= *changed;
	n->listed = set;
	return 0;
}

/* ---- files of a node ----------------------------------------------------- */

static int parse(const struct tally_node_stats *n, const struct node_row *row,
		 enum tally_source source, const char *line,
		 struct node_token *token)
{
	if (source == TALLY_SOURCE_MEMINFO)
		return node_text_meminfo(line, n->numa ? row->shown.node : -1,
					 token);
	return node_text_pair(line, token);
}

/* The value of a figure whose line makes no sense, while the file is read. */
#define ODD_VALUE (-1)

/* Returns whether the line has a figure. -ERANGE goes to the row at once. If the
 * line makes no sense, its figure, if it names one, is not known. */
static int take_line(struct tally_node_stats *n, struct node_row *row,
		     enum tally_source source, const char *line, bool whole)
{
	struct node_token token = {.value = TALLY_UNKNOWN};
	int err = parse(n, row, source, line, &token);
	int figure;

	if (!token.len)
		return whole ? err : -EBADMSG;
	figure = node_figure(n, source, &token);
	if (figure < 0)
		return figure;
	if (!whole || row->values[figure] != TALLY_UNKNOWN)
		err = -EBADMSG;
	if (!err)
		err = node_figure_value(n, figure, &token,
					&row->values[figure]);
	if (err)
		row->values[figure] = ODD_VALUE;
	if (err == -ERANGE)
		row->shown.err[source] = err;
	return err == -EBADMSG ? err : 1;
}

static void forget_odd(const struct tally_node_stats *n, struct node_row *row)
{
	for (unsigned int i = 0; i < n->nr_figures; i++)
		if (row->values[i] == ODD_VALUE)
			row->values[i] = TALLY_UNKNOWN;
}

/* One odd line costs one figure. */
static int read_lines(struct tally_node_stats *n, struct node_row *row,
		      enum tally_source source)
{
	bool odd = false;
	unsigned int nr = 0;
	char *line;
	int got;

	n->hint = -1;
	while ((got = node_lines_next(&n->lines, &line)) != 0) {
		if (got == -EFBIG)
			break;
		if (got > 0 || got == -EBADMSG)
			got = take_line(n, row, source, line, got > 0);
		if (got < 0 && got != -EBADMSG)
			break;
		odd |= got < 0;
		nr += got > 0;
	}
	odd |= got == -EFBIG && n->nr_figures < NODE_FIGURES;
	if (got < 0 && !odd)
		return got;
	forget_odd(n, row);
	if (odd && nr)
		row->shown.err[source] = -EBADMSG;
	return nr ? 0 : -EBADMSG;
}

static int read_file(struct tally_node_stats *n, struct node_row *row,
		     enum tally_source source)
{
	int err = -ENOENT;

	if (n->numa || source != TALLY_SOURCE_NUMASTAT)
		err = node_file_start(n, &row->files[source]);
	if (!err) {
		err = read_lines(n, row, source);
		node_file_done(n, &row->files[source]);
	}
	if (err) {
		node_row_forget(n, row, source);
		row->shown.err[source] = err;
	}
	return err == -ENOMEM ? err : 0;
}

static int read_row(struct tally_node_stats *n, struct node_row *row,
		    unsigned int sources)
{
	int err = 0;

	for (unsigned int i = 0; i < n->max_figures; i++)
		row->values[i] = TALLY_UNKNOWN;
	memset(row->shown.err, 0, sizeof(row->shown.err));
	for (int s = TALLY_SOURCE_MEMINFO; !err && s <= TALLY_SOURCE_VMSTAT;
	     s++)
		if (sources & 1u << s)
			err = read_file(n, row, (enum tally_source)s);
	if (!err && sources & 1u << TALLY_SOURCE_HUGEPAGES)
		err = node_huge_read(n, row);
	return err;
}

/* ---- a reading ----------------------------------------------------------- */

/* Whether this kernel lacks the source: no node has it or ever had it. Every
 * kernel has meminfo. */
static bool is_nothing(const struct tally_node_stats *n, int source, int err)
{
	return err == -ENOENT && source != TALLY_SOURCE_MEMINFO &&
	       !(n->had & 1u << source);
}

/* Return the first error that is a failure. */
static int reconcile(struct tally_node_stats *n)
{
	int first = 0;

	for (unsigned int i = 0; i < n->nr_rows; i++)
		for (int s = 0; s < TALLY_NR_SOURCES; s++)
			if (!n->rows[i]->shown.err[s])
				n->had |= 1u << s;
	for (unsigned int i = 0; i < n->nr_rows; i++)
		for (int s = 0; s < TALLY_NR_SOURCES; s++) {
			int *err = &n->rows[i]->shown.err[s];

			if (is_nothing(n, s, *err))
				*err = -ENODATA;
			if (!first && *err != -ENODATA)
				first = *err;
		}
	return first;
}

static int read_rows(struct tally_node_stats *n, bool changed)
{
	unsigned int sources = n->asked;
	int err = 0;

	if (sources & 1u << TALLY_SOURCE_ESTIMATE)
		sources |= 1u << TALLY_SOURCE_MEMINFO;
	for (unsigned int i = 0; !err && i < n->nr_rows; i++)
		err = read_row(n, n->rows[i], sources);
	if (!err && sources & 1u << TALLY_SOURCE_CPU)
		err = node_cpus_read(n, changed);
	if (!err && sources & 1u << TALLY_SOURCE_ESTIMATE)
		err = node_zones_read(n);
	return err;
}

int tally_kernel_nodes_read(struct tally_node_stats *n)
{
	UNCANCELLED;
	bool changed = false;
	int err, listing;

	n->time_ns = now_ns();
	listing = update_rows(n, &changed);
	if (listing == -ENOMEM)
		return listing;
	err = read_rows(n, changed);
	if (!err)
		err = reconcile(n);
	return listing ? listing : err;
}

int64_t tally_kernel_nodes_time_ns(const struct tally_node_stats *n)
{
	return n->time_ns;
}

unsigned int tally_kernel_nodes_nr(const struct tally_node_stats *n)
{
	return n->nr_rows;
}

const struct tally_node_figures *
tally_kernel_nodes_row(const struct tally_node_stats *n, unsigned int index)
{
	assert(index < n->nr_rows);
	return &n->rows[index]->shown;
}

unsigned int tally_kernel_nodes_nr_figures(const struct tally_node_stats *n)
{
	return n->nr_figures;
}

const struct tally_figure *
tally_kernel_nodes_figure(const struct tally_node_stats *n, unsigned int index)
{
	assert(index < n->nr_figures);
	return &n->figures[index];
}

int tally_kernel_nodes_find_figure(const struct tally_node_stats *n,
				   enum tally_source source, const char *name)
{
	return node_figure_find(n, source, name, strlen(name));
}
