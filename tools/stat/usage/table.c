// SPDX-License-Identifier: MIT
/*
 * A reading as a table: a line for each row, with its name at the end.
 *
 *	PID  user  node 0  node 1   all  private  shared  command
 *	 34  root    1.2G    300M  1.5G     1.4G   ~100M  postgres
 *
 * Columns that don't fit are dropped, the least important first. Nodes with
 * little memory then share one column.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "stat/usage/table.h"

#define LEAST_NAME  8
#define WIDEST_NAME 40

/* ---- columns --------------------------------------------------------------- */

static struct usage_column *add(struct usage_table *t, enum usage_what what,
				unsigned int rank, const char *head)
{
	struct usage_column *c = &t->columns[t->nr++];

	*c = (struct usage_column){.what = what, .rank = rank};
	snprintf(c->head, sizeof(c->head), "%s", head);
	return c;
}

static void add_nodes(struct usage_table *t)
{
	for (unsigned int i = 0; i < t->u->nr_nodes; i++) {
		struct usage_column *c = add(t, NODE, 3, "");

		snprintf(c->head, sizeof(c->head), "node %d", t->u->nodes[i]);
		c->node = t->u->nodes[i];
		for (unsigned int r = 0; r < t->u->nr_rows; r++)
			if (t->u->rows[r].now[i] != TALLY_UNKNOWN)
				c->weight = usage_add(c->weight,
						      t->u->rows[r].now[i]);
	}
}

static void choose_columns(struct usage_table *t)
{
	enum stat_by by = t->u->o->by;
	bool charges = t->charges, again = t->u->nr_looks > 0;

	if (by == STAT_BY_PROCESS)
		add(t, NUMBER, 0, "PID");
	if (by == STAT_BY_PROCESS)
		add(t, USER, 5, "user")->left = true;
	else
		add(t, PROCESSES, 5, "procs");
	add(t, THREADS, 9, "threads");
	add_nodes(t);
	add(t, OTHERS, 0, "others");
	if (!charges && t->u->all.unknown.total.upper_bytes && !t->u->o->nodes)
		add(t, NO_NODE, 1, "no node");
	add(t, ALL, 0, t->u->o->nodes ? "sum" : "all");
	if (again) {
		add(t, CHANGE, 2, "change");
		add(t, CPU, 4, "CPUs");
	}
	if (charges) {
		add(t, ANONYMOUS, 5, "anon");
		add(t, FILES, 5, "file");
		if (tally_kernel_groups_version(t->u->groups) == 2) {
			add(t, SHMEM, 6, "shared");
			add(t, KERNEL, 6, "kernel");
		}
	} else {
		add(t, PRIVATE, 2, "private");
		add(t, COMMON, 2, "shared");
	}
	add(t, SWAP, 7, "swap");
	add(t, LOCAL, 6, "local");
}

/* What a column of memory stands for. */
static bool node_of(const struct usage_table *t, const struct usage_row *row,
		    const struct usage_column *c, struct tally_process_node *n)
{
	struct tally_process_node one;

	*n = (struct tally_process_node){.node = -1};
	if (c->what == NODE) {
		usage_node(row, c->node, n);
	} else if (c->what == NO_NODE) {
		*n = row->process ? row->process->unknown : row->sum->unknown;
	} else if (c->what == OTHERS) {
		for (unsigned int i = 0; i < t->nr; i++)
			if (t->columns[i].what == NODE &&
			    !t->columns[i].shown &&
			    usage_node(row, t->columns[i].node, &one))
				usage_node_add(n, &one);
	} else if (c->what == ALL && !t->u->o->nodes) {
		usage_node(row, -1, n);
	} else if (c->what == ALL) {
		for (unsigned int i = 0; i < t->u->nr_nodes; i++)
			if (usage_node(row, t->u->nodes[i], &one))
				usage_node_add(n, &one);
	}
	return c->what == NODE || c->what == NO_NODE || c->what == OTHERS ||
	       c->what == ALL;
}

static void put_kind(struct usage_table *t, const struct tally_process_node *n,
		     unsigned int k, char text[USAGE_CELL])
{
	usage_cell_figure(t, &n->memory[k], &n->total, text);
}

static void put_own(struct usage_table *t, const struct tally_process_node *n,
		    unsigned int k, char text[USAGE_CELL])
{
	(void)k;
	usage_cell_figure(t, &n->total_own, &n->total, text);
}

static void put_common(struct usage_table *t,
		       const struct tally_process_node *n, unsigned int k,
		       char text[USAGE_CELL])
{
	(void)k;
	usage_cell_figure(t, &n->total_common, &n->total, text);
}

static void put_threads(struct usage_table *t,
			const struct tally_process_node *n, unsigned int k,
			char text[USAGE_CELL])
{
	(void)t;
	(void)k;
	snprintf(text, USAGE_CELL, "%u", n->nr_threads);
}

/* Lines of kinds, with -v, may be wider. */
static void widen(struct usage_table *t, const struct usage_row *row,
		  struct usage_column *c)
{
	struct tally_process_node n;
	char text[USAGE_CELL];

	if (!usage_node(row, -1, &n) || !node_of(t, row, c, &n))
		return;
	for (unsigned int k = 0; k <= TALLY_NR_MEM + 1; k++) {
		if (k < TALLY_NR_MEM)
			put_kind(t, &n, k, text);
		else if (k == TALLY_NR_MEM)
			put_own(t, &n, k, text);
		else
			put_common(t, &n, k, text);
		if (strlen(text) > c->width)
			c->width = (unsigned int)strlen(text);
	}
}

static void fill_column(struct usage_table *t, struct usage_column *c)
{
	c->width = (unsigned int)strlen(c->head);
	for (unsigned int i = 0; i < t->u->nr_rows; i++) {
		usage_cell(t, &t->u->rows[i], c, c->cells[i]);
		if (strlen(c->cells[i]) > c->width)
			c->width = (unsigned int)strlen(c->cells[i]);
		if (t->u->o->verbose)
			widen(t, &t->u->rows[i], c);
	}
}

/* The sum of all processes, each page once. */
static void fill_all(struct usage_table *t, struct usage_column *c)
{
	struct usage_row row = {.sum = &t->u->all};
	char *cell = c->cells[t->u->nr_rows];

	if (c->what == NUMBER || c->what == USER || c->what == CHANGE ||
	    c->what == CPU)
		return;
	usage_cell(t, &row, c, cell);
	if (strlen(cell) > c->width)
		c->width = (unsigned int)strlen(cell);
}

static struct usage_column *next_column(struct usage_table *t,
					unsigned int rank)
{
	struct usage_column *best = NULL;

	for (unsigned int i = 0; i < t->nr; i++) {
		struct usage_column *c = &t->columns[i];

		if (c->shown || c->rank != rank)
			continue;
		if (!best || c->weight > best->weight)
			best = c;
	}
	return best;
}

static struct usage_column *find(struct usage_table *t, enum usage_what what)
{
	for (unsigned int i = 0; i < t->nr; i++)
		if (t->columns[i].what == what)
			return &t->columns[i];
	return NULL;
}

static unsigned int nodes_missing(const struct usage_table *t)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < t->nr; i++)
		nr += t->columns[i].what == NODE && !t->columns[i].shown;
	return nr;
}

/* Show as many columns as fit, the most important first. */
static void fit(struct usage_table *t, unsigned int name_width)
{
	struct usage_column *c, *rest = find(t, OTHERS);
	unsigned int used = name_width;
	bool full = false;

	rest->shown = true;
	used += rest->width + 2;
	for (unsigned int rank = 0; rank < 10; rank++)
		while ((c = next_column(t, rank))) {
			/* The last node replaces the column of others. */
			unsigned int less =
				c->what == NODE && nodes_missing(t) == 1
					? rest->width + 2
					: 0;

			if (rank && (full || used + c->width + 2 >
						     t->terminal + less)) {
				c->rank = 99;
				full |= c->what != NODE;
				continue;
			}
			c->shown = true;
			used += c->width + 2 - less;
		}
	rest->shown = nodes_missing(t) > 0;
}

/* ---- lines ----------------------------------------------------------------- */

static char *name_of(const struct usage_table *t, const struct usage_row *row)
{
	char user[64];

	if (row->process)
		return text_escape(row->process->name);
	if (t->u->o->by == STAT_BY_USER)
		return text_escape(usage_user(t->u, row->sum->uid, user));
	return text_escape(*row->cgroup ? row->cgroup : "(none)");
}

static void print_cell(const struct usage_column *c, bool first,
		       const char *text)
{
	printf("%s%*s", first ? "" : "  ",
	       c->left ? -(int)c->width : (int)c->width, text);
}

static void print_line(const struct usage_table *t, unsigned int line)
{
	bool first = true;

	for (unsigned int i = 0; i < t->nr; i++) {
		const struct usage_column *c = &t->columns[i];

		if (!c->shown)
			continue;
		print_cell(c, first,
			   line < t->nr_lines ? c->cells[line] : c->head);
		first = false;
	}
}

/* Cut the name of a cgroup on a terminal, at its beginning: they differ at their
 * ends. */
static void print_name(const struct usage_table *t, const char *name,
		       unsigned int room)
{
	if (!output_is_terminal(stdout) || text_width(name) <= room ||
	    t->u->o->by != STAT_BY_CGROUP)
		printf("  %s\n", name);
	else
		printf("  ..%s\n", name + strlen(name) - room + 2);
}

static unsigned int room_for_names(const struct usage_table *t)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < t->nr; i++)
		if (t->columns[i].shown)
			used += t->columns[i].width + 2;
	return used + LEAST_NAME < t->terminal ? t->terminal - used
					       : LEAST_NAME;
}

/* ---- kinds, with -v -------------------------------------------------------- */

static void print_kind(struct usage_table *t, const struct usage_row *row,
		       const char *name,
		       void (*put)(struct usage_table *t,
				   const struct tally_process_node *n,
				   unsigned int k, char text[USAGE_CELL]),
		       unsigned int k)
{
	bool first = true;

	for (unsigned int i = 0; i < t->nr; i++) {
		const struct usage_column *c = &t->columns[i];
		struct tally_process_node n;
		char text[USAGE_CELL] = "";

		if (!c->shown)
			continue;
		if (c->what == NODE && put != put_threads &&
		    !usage_knows(row, c->node))
			snprintf(text, sizeof(text), "-");
		else if (node_of(t, row, c, &n))
			put(t, &n, k, text);
		print_cell(c, first, text);
		first = false;
	}
	printf("    %s\n", name);
}

static void print_kinds(struct usage_table *t, const struct usage_row *row)
{
	struct tally_process_node all;
	char name[64];

	if (!usage_node(row, -1, &all))
		return;
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++) {
		if (t->u->o->skip_zeros && !all.memory[k].upper_bytes)
			continue;
		snprintf(name, sizeof(name), "%s%s",
			 t->charges ? "mapped " : "",
			 tally_kernel_mem_name((enum tally_mem_kind)k));
		print_kind(t, row, name, put_kind, k);
	}
	print_kind(t, row, "(private)", put_own, 0);
	print_kind(t, row, "(shared with others)", put_common, 0);
	print_kind(t, row, "(threads that ran there last)", put_threads, 0);
}

/* ---- the table ------------------------------------------------------------- */

static int print_rows(struct usage_table *t)
{
	unsigned int room = room_for_names(t);

	for (unsigned int i = 0; i < t->u->nr_rows; i++) {
		char *name = name_of(t, &t->u->rows[i]);

		if (!name)
			return -ENOMEM;
		print_line(t, i);
		print_name(t, name, room);
		free(name);
		if (t->u->o->verbose)
			print_kinds(t, &t->u->rows[i]);
	}
	if (t->all) {
		print_line(t, t->u->nr_rows);
		puts("  (all)");
	}
	return 0;
}

static unsigned int widest_name(const struct usage_table *t)
{
	unsigned int widest = LEAST_NAME;

	for (unsigned int i = 0; i < t->u->nr_rows; i++) {
		char *name = name_of(t, &t->u->rows[i]);
		unsigned int width = name ? text_width(name) : 0;

		free(name);
		if (width > widest)
			widest = width;
	}
	return widest < WIDEST_NAME ? widest : WIDEST_NAME;
}

/* Not what begins with it: a change. */
static bool is_range(const char *cell)
{
	return *cell >= '0' && *cell <= '9' && strchr(cell, '-');
}

/* See which notes the visible columns need. */
static void see_marks(struct usage_table *t)
{
	t->inexact = false;
	t->local = false;
	t->open = false;
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct usage_column *c = &t->columns[i];

		for (unsigned int l = 0; c->shown && l < t->nr_lines; l++) {
			t->open |= is_range(c->cells[l]);
			if (c->cells[l][0] == '~')
				*(c->what == LOCAL ? &t->local : &t->inexact) =
					true;
		}
	}
}

static int print(struct usage_table *t)
{
	static const char *const names[] = {
		[STAT_BY_PROCESS] = "command",
		[STAT_BY_CGROUP] = "cgroup",
		[STAT_BY_USER] = "user",
	};

	/* The cells of others depend on which nodes have columns. */
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < t->nr; i++) {
			struct usage_column *c = &t->columns[i];

			if (pass && c->what != OTHERS)
				continue;
			fill_column(t, c);
			if (t->all)
				fill_all(t, c);
		}
		if (!pass)
			fit(t, widest_name(t));
	}
	see_marks(t);
	if (t->u->nr_looks)
		printf("\nafter %.3f s\n", (double)t->u->elapsed_ns / 1e9);
	print_line(t, t->nr_lines);
	printf("  %s\n", names[t->u->o->by]);
	if (print_rows(t))
		return -ENOMEM;
	usage_notes(t);
	return 0;
}

int usage_table(struct usage *u)
{
	unsigned int max = u->nr_nodes + 16;
	struct usage_table t = {
		.u = u,
		.terminal = output_width(stdout),
		.charges = usage_has_accounts(u),
		.all = u->o->by != STAT_BY_CGROUP && u->nr_rows > 1,
	};
	int err = -ENOMEM;

	t.nr_lines = u->nr_rows + t.all;
	t.columns = calloc(max, sizeof(*t.columns));
	if (!t.columns)
		return -ENOMEM;
	choose_columns(&t);
	for (unsigned int i = 0; i < t.nr; i++) {
		t.columns[i].cells = calloc(t.nr_lines + 1, USAGE_CELL);
		if (!t.columns[i].cells)
			goto out;
	}
	err = print(&t);
out:
	for (unsigned int i = 0; i < t.nr; i++)
		free(t.columns[i].cells);
	free(t.columns);
	return err;
}
