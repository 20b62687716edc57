// SPDX-License-Identifier: MIT
/* numastat's tables of the memory and the counters of nodes. */
#include "config.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "stat/numastat/internal.h"

#define NO_ROW UINT_MAX

/* numastat's rows, in its order. Other figures follow them. */
static const char *const meminfo_rows[] = {
	"MemTotal",	   "MemFree",	     "MemUsed",	       "HighTotal",
	"HighFree",	   "LowTotal",	     "LowFree",	       "Active",
	"Inactive",	   "Active(anon)",   "Inactive(anon)", "Active(file)",
	"Inactive(file)",  "Unevictable",    "Mlocked",	       "Dirty",
	"Writeback",	   "FilePages",	     "Mapped",	       "AnonPages",
	"Shmem",	   "KernelStack",    "PageTables",     "NFS_Unstable",
	"Bounce",	   "WritebackTmp",   "Slab",	       "SReclaimable",
	"SUnreclaim",	   "AnonHugePages",  "ShmemHugePages", "ShmemPmdMapped",
	"HugePages_Total", "HugePages_Free", "HugePages_Surp", "KReclaimable",
};

static const char *const counter_rows[] = {
	"numa_hit",	  "numa_miss",	"numa_foreign",
	"interleave_hit", "local_node", "other_node",
};

/* The figures of a source, as rows of a table. */
struct rows {
	enum tally_source source;
	const char *file;
	const char *const *known; /* rows of numastat */
	unsigned int nr_known;
	const struct tally_node_stats *nodes;
	unsigned int nr_figures;
	unsigned int *of; /* by figure: its row, or NO_ROW */
	unsigned int nr;
	struct stat_table t;
	int *ids;
	unsigned int nr_nodes; /* columns without the total */
};

/* ---- rows ----------------------------------------------------------------- */

static unsigned int known_row(const struct rows *r, const char *name)
{
	unsigned int i = 0;

	while (i < r->nr_known && strcmp(r->known[i], name) != 0)
		i++;
	return i;
}

/* The memory table shows bytes and pages alone. */
static bool fits(const struct rows *r, const struct tally_figure *f)
{
	return f->source == r->source &&
	       (r->source != TALLY_SOURCE_MEMINFO ||
		f->unit == TALLY_UNIT_BYTES || f->unit == TALLY_UNIT_PAGES);
}

static const struct tally_figure *figure_of(const struct rows *r,
					    unsigned int i)
{
	return tally_kernel_nodes_figure(r->nodes, i);
}

static void find_rows(struct rows *r)
{
	r->of = calloc((size_t)r->nr_figures + 1, sizeof(*r->of));
	if (!r->of)
		err(EXIT_FAILURE, NULL);
	r->nr = r->nr_known;
	for (unsigned int i = 0; i < r->nr_figures; i++) {
		r->of[i] = NO_ROW;
		if (!fits(r, figure_of(r, i)))
			continue;
		r->of[i] = known_row(r, figure_of(r, i)->name);
		if (r->of[i] == r->nr_known)
			r->of[i] = r->nr++;
	}
}

/* Numa_Hit for numa_hit, except in the table without options. */
static void label(struct rows *r, unsigned int row, const char *name)
{
	bool first = r->source == TALLY_SOURCE_NUMASTAT && !r->t.bare;
	char text[128];

	snprintf(text, sizeof(text), "%s", name);
	for (char *p = text; first && *p; p++)
		if (p == text || p[-1] == '_')
			*p = (char)toupper((unsigned char)*p);
	stat_table_label(&r->t, row, text);
}

static void label_rows(struct rows *r)
{
	for (unsigned int i = 0; i < r->nr_known; i++)
		label(r, i, r->known[i]);
	for (unsigned int i = 0; i < r->nr_figures; i++)
		if (r->of[i] != NO_ROW && r->of[i] >= r->nr_known)
			label(r, r->of[i], figure_of(r, i)->name);
}

/* ---- values --------------------------------------------------------------- */

/* Convert pages to bytes. False: the value is not known. */
static bool value_of(const struct tally_figure *f, int64_t from, int64_t *value)
{
	if (from == TALLY_UNKNOWN)
		return false;
	if (f->unit != TALLY_UNIT_PAGES) {
		*value = from;
		return true;
	}
	if (__builtin_mul_overflow(from, f->page_bytes, value))
		*value = INT64_MAX;
	return from == 0 || f->page_bytes > 0;
}

static void fill_node(struct rows *r, unsigned int col,
		      const struct tally_node_figures *row)
{
	int64_t value;

	for (unsigned int i = 0; i < r->nr_figures; i++)
		if (r->of[i] != NO_ROW &&
		    value_of(figure_of(r, i), row->values[i], &value))
			stat_table_add(&r->t, r->of[i], col, value);
}

static void fill_totals(struct rows *r)
{
	for (unsigned int row = 0; row < r->nr; row++)
		for (unsigned int col = 0; col < r->nr_nodes; col++) {
			const struct stat_cell *cell =
				stat_table_cell(&r->t, row, col);

			if (cell->known)
				stat_table_add(&r->t, row, r->nr_nodes,
					       cell->value);
		}
}

static bool is_partly_known(int err)
{
	return err == -EBADMSG || err == -ERANGE;
}

/* If lines of a node's file make no sense, what it lacks may be in them. */
static void find_doubtful(const struct numastat *c, struct rows *r)
{
	for (unsigned int i = 0; i < r->nr_figures; i++)
		for (unsigned int col = 0; col < r->nr_nodes; col++) {
			const struct tally_node_figures *row =
				tally_kernel_nodes_row(c->nodes, col);

			if (r->of[i] == NO_ROW ||
			    row->values[i] != TALLY_UNKNOWN ||
			    !is_partly_known(row->err[r->source]))
				continue;
			stat_table_cell(&r->t, r->of[i], col)->doubtful = true;
			if (!r->t.bare)
				stat_table_cell(&r->t, r->of[i], r->nr_nodes)
					->doubtful = true;
		}
}

/* Report a file that no node has once, not for each node. */
static void report(struct numastat *c, const struct rows *r, int node, int err)
{
	c->ok = false;
	if (err != -ENODATA)
		warnx("node %d: %s: %s", node, r->file, text_error(err));
	else if (node == r->ids[0])
		warnx("no node has %s", r->file);
}

static void fill(struct numastat *c, struct rows *r)
{
	for (unsigned int col = 0; col < r->nr_nodes; col++) {
		const struct tally_node_figures *row =
			tally_kernel_nodes_row(c->nodes, col);

		if (row->err[r->source])
			report(c, r, row->node, row->err[r->source]);
		fill_node(r, col, row);
	}
}

/* ---- huge pages ----------------------------------------------------------- */

/*
 * A node's meminfo has the huge pages of the default size alone. Read the
 * directories, which have all sizes, only if /proc/meminfo tells of more, or
 * does not tell.
 */
static const struct {
	const char *row;
	const char *end;
} huge_rows[] = {
	{"HugePages_Total", " nr"},
	{"HugePages_Free", " free"},
	{"HugePages_Surp", " surplus"},
};

#define NR_HUGE_ROWS (sizeof(huge_rows) / sizeof(*huge_rows))

/* The machine's bytes in huge pages of all sizes, or -1. */
static int64_t huge_bytes(const struct stat_options *o)
{
	static const char key[] = "\nHugetlb:";
	char text[8192], *at;
	int proc = numastat_open_proc(o->root);
	ssize_t n;

	if (proc < 0)
		return -1;
	n = numastat_read_file(proc, "meminfo", text, sizeof(text));
	close(proc);
	at = n < 0 ? NULL : strstr(text, key);
	return at ? strtol(at + sizeof(key) - 1, NULL, 10) * 1024 : -1;
}

static bool default_size_alone(const struct numastat *c, struct rows *r)
{
	unsigned int row = known_row(r, huge_rows[0].row);
	int64_t all = huge_bytes(c->o), sum = 0;

	for (unsigned int col = 0; col < r->nr_nodes; col++)
		sum += stat_table_cell(&r->t, row, col)->value;
	return all >= 0 && all <= sum;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

static void fill_sizes(struct rows *r, unsigned int h,
		       const struct tally_node_stats *sizes,
		       const struct tally_node_figures *row)
{
	struct stat_cell sum = {.known = false};
	unsigned int nr, col = 0;
	int64_t value;

	nr = tally_kernel_nodes_nr_figures(sizes);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_figure *f =
			tally_kernel_nodes_figure(sizes, i);

		if (ends_with(f->name, huge_rows[h].end) &&
		    value_of(f, row->values[i], &value)) {
			sum.known = true;
			if (__builtin_add_overflow(sum.value, value,
						   &sum.value))
				sum.value = INT64_MAX;
		}
	}
	while (col < r->nr_nodes && r->ids[col] != row->node)
		col++;
	if (sum.known && col < r->nr_nodes)
		*stat_table_cell(&r->t, known_row(r, huge_rows[h].row), col) =
			sum;
}

static void use_all_sizes(struct numastat *c, struct rows *r)
{
	struct tally_node_stats *sizes;
	int err = tally_kernel_nodes_open(c->o->root,
					  1u << TALLY_SOURCE_HUGEPAGES, &sizes);

	if (!err) {
		err = tally_kernel_nodes_read(sizes);
		for (unsigned int i = 0; i < tally_kernel_nodes_nr(sizes); i++)
			for (unsigned int h = 0; h < NR_HUGE_ROWS; h++)
				fill_sizes(r, h, sizes,
					   tally_kernel_nodes_row(sizes, i));
		tally_kernel_nodes_close(sizes);
	}
	if (err) {
		warnx("hugepages: %s", text_error(err));
		c->ok = false;
	}
}

/* Report figures in pages of unknown size. */
static void check_huge(struct numastat *c, struct rows *r)
{
	for (unsigned int i = 0; i < r->nr_figures; i++)
		for (unsigned int col = 0; col < r->nr_nodes; col++) {
			const struct tally_node_figures *row =
				tally_kernel_nodes_row(c->nodes, col);

			if (r->of[i] == NO_ROW ||
			    row->values[i] == TALLY_UNKNOWN ||
			    stat_table_cell(&r->t, r->of[i], col)->known)
				continue;
			warnx("node %d: %s: pages of unknown size", row->node,
			      figure_of(r, i)->name);
			c->ok = false;
		}
}

/* ---- tables --------------------------------------------------------------- */

static void begin(const struct numastat *c, struct rows *r, bool bare)
{
	r->nodes = c->nodes;
	r->nr_figures = tally_kernel_nodes_nr_figures(c->nodes);
	r->ids = numastat_ids(c, &r->nr_nodes);
	find_rows(r);
	stat_table_init(&r->t, r->nr, r->nr_nodes + !bare);
	r->t.bare = bare;
	r->t.compress = c->o->compress;
	r->t.skip_zeros = c->o->skip_zeros;
	r->t.label_min = r->t.label_max = 16;
	numastat_heads(&r->t, r->ids, r->nr_nodes);
	label_rows(r);
}

static void end(const struct numastat *c, struct rows *r)
{
	if (c->o->sort)
		stat_table_sort(&r->t, r->nr_known, r->nr,
				numastat_column(c->o, r->ids, r->nr_nodes));
	stat_table_print(&r->t, c->width);
	stat_table_free(&r->t);
	free(r->ids);
	free(r->of);
}

void numastat_meminfo(struct numastat *c)
{
	struct rows r = {
		.source = TALLY_SOURCE_MEMINFO,
		.file = "meminfo",
		.known = meminfo_rows,
		.nr_known = sizeof(meminfo_rows) / sizeof(*meminfo_rows),
	};

	begin(c, &r, false);
	r.t.form = c->o->compress ? STAT_MIB_WHOLE : STAT_MIB;
	fill(c, &r);
	if (!default_size_alone(c, &r))
		use_all_sizes(c, &r);
	check_huge(c, &r);
	fill_totals(&r);
	find_doubtful(c, &r);
	puts("\nPer-node system memory usage (in MBs):");
	end(c, &r);
}

void numastat_counters(struct numastat *c)
{
	struct rows r = {
		.source = TALLY_SOURCE_NUMASTAT,
		.file = "numastat",
		.known = counter_rows,
		.nr_known = sizeof(counter_rows) / sizeof(*counter_rows),
	};
	bool bare = c->o->plain;

	begin(c, &r, bare);
	fill(c, &r);
	if (!bare) {
		fill_totals(&r);
		puts("\nPer-node numastat info (in events):");
	}
	find_doubtful(c, &r);
	end(c, &r);
}
