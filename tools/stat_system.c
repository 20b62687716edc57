// SPDX-License-Identifier: MIT
/* numastat's tables of nodes: their memory, and their counters. */
#include "config.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stat_compat.h"

#define NO_ROW UINT_MAX

/* The rows that numastat has, in its order. Others come behind them. */
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
	const char *const *known; /* to numastat */
	unsigned int nr_known;
	const struct tally_figure *figures;
	unsigned int nr_figures;
	unsigned int *of; /* by figure: its row, or NO_ROW */
	unsigned int nr;
	struct stat_table t;
	int *ids;
	unsigned int nr_nodes; /* columns but for the total */
};

/* ---- rows ----------------------------------------------------------------- */

static unsigned int known_row(const struct rows *r, const char *name)
{
	unsigned int i = 0;

	while (i < r->nr_known && strcmp(r->known[i], name) != 0)
		i++;
	return i;
}

/* A table of memory has no room for what is none. */
static bool fits(const struct rows *r, const struct tally_figure *f)
{
	return f->source == r->source &&
	       (r->source != TALLY_SOURCE_MEMINFO ||
		f->unit == TALLY_UNIT_BYTES || f->unit == TALLY_UNIT_PAGES);
}

static void find_rows(struct rows *r)
{
	r->of = calloc((size_t)r->nr_figures + 1, sizeof(*r->of));
	if (!r->of)
		err(EXIT_FAILURE, NULL);
	r->nr = r->nr_known;
	for (unsigned int i = 0; i < r->nr_figures; i++) {
		r->of[i] = NO_ROW;
		if (!fits(r, &r->figures[i]))
			continue;
		r->of[i] = known_row(r, r->figures[i].name);
		if (r->of[i] == r->nr_known)
			r->of[i] = r->nr++;
	}
}

/* numa_hit is Numa_Hit, but in the table without options. */
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
			label(r, r->of[i], r->figures[i].name);
}

/* ---- values --------------------------------------------------------------- */

/* As the table has it. False: it isn't known. */
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
		    value_of(&r->figures[i], row->values[i], &value))
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

/* What no node has is said once. */
static void say_error(struct stat_compat *c, const struct rows *r, int node,
		      int err)
{
	c->ok = false;
	if (err != -ENODATA)
		warnx("node %d: %s: %s", node, r->file, strerror(-err));
	else if (node == r->ids[0])
		warnx("no node has %s", r->file);
}

static void fill(struct stat_compat *c, struct rows *r)
{
	for (unsigned int col = 0; col < r->nr_nodes; col++) {
		const struct tally_node_figures *row =
			tally_kernel_nodes_row(c->nodes, col);

		if (row->err[r->source])
			say_error(c, r, row->node, row->err[r->source]);
		fill_node(r, col, row);
	}
}

/* ---- huge pages ----------------------------------------------------------- */

/*
 * meminfo of a node has the huge pages of the default size alone. Those of all
 * sizes are in directories, which are looked at only where /proc/meminfo says
 * that there are others, or says nothing of them.
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

/* The machine's, of all sizes, or -1. */
static int64_t huge_bytes(const struct stat_options *o)
{
	static const char key[] = "\nHugetlb:";
	char text[8192], *at;
	int proc = stat_open_proc(o->root);
	ssize_t n;

	if (proc < 0)
		return -1;
	n = stat_read_file(proc, "meminfo", text, sizeof(text));
	close(proc);
	at = n < 0 ? NULL : strstr(text, key);
	return at ? strtol(at + sizeof(key) - 1, NULL, 10) * 1024 : -1;
}

static bool default_size_alone(const struct stat_compat *c, struct rows *r)
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
		       const struct tally_nodes *sizes,
		       const struct tally_node_figures *row)
{
	const struct tally_figure *figures;
	struct stat_cell sum = {0, false};
	unsigned int nr, col = 0;
	int64_t value;

	figures = tally_kernel_nodes_figures(sizes, &nr);
	for (unsigned int i = 0; i < nr; i++)
		if (ends_with(figures[i].name, huge_rows[h].end) &&
		    value_of(&figures[i], row->values[i], &value)) {
			sum.known = true;
			if (__builtin_add_overflow(sum.value, value,
						   &sum.value))
				sum.value = INT64_MAX;
		}
	while (col < r->nr_nodes && r->ids[col] != row->node)
		col++;
	if (sum.known && col < r->nr_nodes)
		*stat_table_cell(&r->t, known_row(r, huge_rows[h].row), col) =
			sum;
}

static void use_all_sizes(struct stat_compat *c, struct rows *r)
{
	struct tally_nodes *sizes;
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
		warnx("hugepages: %s", strerror(-err));
		c->ok = false;
	}
}

/* What meminfo has, and nobody knows how much it is. */
static void check_huge(struct stat_compat *c, struct rows *r)
{
	for (unsigned int i = 0; i < r->nr_figures; i++)
		for (unsigned int col = 0; col < r->nr_nodes; col++) {
			const struct tally_node_figures *row =
				tally_kernel_nodes_row(c->nodes, col);

			if (r->of[i] == NO_ROW ||
			    row->values[i] == TALLY_UNKNOWN ||
			    stat_table_cell(&r->t, r->of[i], col)->known)
				continue;
			warnx("node %d: %s: pages of a size that is not known",
			      row->node, r->figures[i].name);
			c->ok = false;
		}
}

/* ---- tables --------------------------------------------------------------- */

static void begin(const struct stat_compat *c, struct rows *r, bool bare)
{
	r->figures = tally_kernel_nodes_figures(c->nodes, &r->nr_figures);
	r->ids = stat_compat_ids(c, &r->nr_nodes);
	find_rows(r);
	stat_table_init(&r->t, r->nr, r->nr_nodes + !bare);
	r->t.bare = bare;
	r->t.compress = c->o->compress;
	r->t.skip_zeros = c->o->skip_zeros;
	r->t.label_min = r->t.label_max = 16;
	stat_compat_heads(&r->t, r->ids, r->nr_nodes);
	label_rows(r);
}

static void end(const struct stat_compat *c, struct rows *r)
{
	if (c->o->sort)
		stat_table_sort(&r->t, r->nr_known, r->nr,
				stat_compat_column(c->o, r->ids, r->nr_nodes));
	stat_table_print(&r->t, c->width);
	stat_table_free(&r->t);
	free(r->ids);
	free(r->of);
}

void stat_compat_meminfo(struct stat_compat *c)
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
	puts("\nPer-node system memory usage (in MBs):");
	end(c, &r);
}

void stat_compat_counters(struct stat_compat *c)
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
	end(c, &r);
}
