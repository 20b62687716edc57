// SPDX-License-Identifier: MIT
/* numastat's tables of the memory of processes. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/array.h"
#include "common/root.h"
#include "stat/numastat/internal.h"

static const char *const kinds[STAT_NR_KINDS] = {
	[STAT_HUGE] = "Huge",
	[STAT_HEAP] = "Heap",
	[STAT_STACK] = "Stack",
	[STAT_PRIVATE] = "Private",
};

/* The machine's nodes, and any others that a process has memory on. */
struct columns {
	int *ids; /* ascending */
	unsigned int nr;
	size_t room;
};

/* The index of a node, or where to insert it. */
static unsigned int column_of(const struct columns *columns, int node)
{
	unsigned int i = 0;

	while (i < columns->nr && columns->ids[i] < node)
		i++;
	return i;
}

static void add_column(struct columns *columns, int node)
{
	unsigned int at = column_of(columns, node);

	if (at < columns->nr && columns->ids[at] == node)
		return;
	if (array_reserve(columns->ids, columns->room, columns->nr + 1))
		err(EXIT_FAILURE, NULL);
	for (unsigned int i = columns->nr; i > at; i--)
		columns->ids[i] = columns->ids[i - 1];
	columns->ids[at] = node;
	columns->nr++;
}

static void find_columns(const struct numastat *c,
			 const struct stat_processes *all,
			 struct columns *columns)
{
	columns->ids = numastat_ids(c, &columns->nr);
	columns->room = columns->nr;
	for (size_t i = 0; i < all->nr; i++)
		for (unsigned int s = 0; s < all->p[i].nr_shares; s++)
			add_column(columns, all->p[i].shares[s].node);
}

/* Make a table of @nr_rows and their total, all zeros. */
static void begin(const struct numastat *c, struct stat_table *t,
		  const struct columns *columns, unsigned int nr_rows)
{
	stat_table_init(t, nr_rows + 1, columns->nr + 1);
	t->form = c->o->compress ? STAT_MIB_WHOLE : STAT_MIB;
	t->compress = c->o->compress;
	t->skip_zeros = c->o->skip_zeros;
	t->total = true;
	t->label_min = 16;
	t->label_max = 24;
	numastat_heads(t, columns->ids, columns->nr);
	stat_table_label(t, nr_rows, "Total");
	for (unsigned int row = 0; row <= nr_rows; row++)
		for (unsigned int col = 0; col <= columns->nr; col++)
			*stat_table_cell(t, row, col) =
				(struct stat_cell){.known = true};
}

static void add(struct stat_table *t, unsigned int row, unsigned int col,
		int64_t bytes)
{
	stat_table_add(t, row, col, bytes);
	stat_table_add(t, row, t->nr_cols - 1, bytes);
	stat_table_add(t, t->nr_rows - 1, col, bytes);
	stat_table_add(t, t->nr_rows - 1, t->nr_cols - 1, bytes);
}

/* Add to the row of each kind, or all to @row. */
static void add_process(struct stat_table *t, const struct columns *columns,
			const struct stat_process *p, unsigned int row,
			bool by_kind)
{
	for (unsigned int s = 0; s < p->nr_shares; s++) {
		const struct stat_share *share = &p->shares[s];
		unsigned int col = column_of(columns, share->node);

		for (unsigned int k = 0; k < STAT_NR_KINDS; k++)
			add(t, by_kind ? k : row, col, share->bytes[k]);
	}
}

static void print(const struct numastat *c, struct stat_table *t,
		  const struct columns *columns)
{
	if (c->o->sort)
		stat_table_sort(
			t, t->nr_rows - 1, t->nr_rows - 1,
			numastat_column(c->o, columns->ids, columns->nr));
	stat_table_print(t, c->width);
}

/* A line for each process. */
static void print_all(const struct numastat *c,
		      const struct stat_processes *all,
		      const struct columns *columns)
{
	struct stat_table t;
	char *label;

	puts("\nPer-node process memory usage (in MBs)");
	begin(c, &t, columns, (unsigned int)all->nr);
	t.corner = "PID";
	for (unsigned int i = 0; i < all->nr; i++) {
		if (asprintf(&label, "%d (%s)", all->p[i].pid, all->p[i].name) <
		    0)
			err(EXIT_FAILURE, NULL);
		stat_table_label(&t, i, label);
		free(label);
		add_process(&t, columns, &all->p[i], i, false);
	}
	print(c, &t, columns);
	stat_table_free(&t);
}

/* A table for each process. Rows of equal size keep the order that they had in
 * the table before, as numastat's do. */
static void print_each(const struct numastat *c,
		       const struct stat_processes *all,
		       const struct columns *columns)
{
	unsigned int order[STAT_NR_KINDS];
	struct stat_table t;

	for (size_t i = 0; i < all->nr; i++) {
		printf("\nPer-node process memory usage (in MBs) for PID %d (%s)\n",
		       all->p[i].pid, all->p[i].name);
		begin(c, &t, columns, STAT_NR_KINDS);
		for (unsigned int k = 0; k < STAT_NR_KINDS; k++) {
			stat_table_label(&t, k, kinds[k]);
			if (i > 0)
				t.order[k] = order[k];
		}
		add_process(&t, columns, &all->p[i], 0, true);
		print(c, &t, columns);
		for (unsigned int k = 0; k < STAT_NR_KINDS; k++)
			order[k] = t.order[k];
		stat_table_free(&t);
	}
}

void numastat_processes(struct numastat *c)
{
	struct stat_processes all;
	struct columns columns;
	int proc = numastat_open_proc(c->o->root);
	int error = proc < 0 ? -errno : 0;
	bool each;

	if (proc >= 0)
		close(proc);
	if (!error)
		error = root_find_processes(c->o->root);
	if (error) {
		root_complain(c->o->root, error, ROOT_PROCESSES);
		c->ok = false;
		return;
	}
	c->ok &= numastat_find(c->o, &all);
	each = c->o->verbose || all.nr == 1;
	c->ok &= numastat_processes_read(c->o, &all);
	find_columns(c, &all, &columns);
	if (each)
		print_each(c, &all, &columns);
	else if (all.nr)
		print_all(c, &all, &columns);
	free(columns.ids);
	numastat_processes_free(&all);
}
