// SPDX-License-Identifier: MIT
/*
 * A look as a table: a line for each row, what it is called at the end.
 *
 *	PID  user  node 0  node 1   all  private  shared  command
 *	 34  root    1.2G    300M  1.5G     1.4G   ~100M  postgres
 *
 * Columns that don't fit are left out, first those that matter least; of nodes
 * those with little memory, which are one column then.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stat_usage_table.h"
#include "text.h"

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
			c->weight = usage_add(c->weight, t->u->rows[r].now[i]);
	}
}

static void choose_columns(struct usage_table *t)
{
	enum stat_by by = t->u->o->by;
	bool charges = t->u->groups, again = t->u->nr_looks > 0;

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

static void fill_column(struct usage_table *t, struct usage_column *c)
{
	c->width = (unsigned int)strlen(c->head);
	for (unsigned int i = 0; i < t->u->nr_rows; i++) {
		usage_cell(t, &t->u->rows[i], c, c->cells[i]);
		if (strlen(c->cells[i]) > c->width)
			c->width = (unsigned int)strlen(c->cells[i]);
	}
}

/* What all processes have, each page once. */
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

/* Nodes that have no column are one together, which may be one too many. */
static unsigned int nodes_missing(const struct usage_table *t)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < t->nr; i++)
		nr += t->columns[i].what == NODE && !t->columns[i].shown;
	return nr;
}

/* As many columns as fit, those first that matter most. */
static void fit(struct usage_table *t, unsigned int name_width)
{
	struct usage_column *c, *rest = find(t, OTHERS);
	unsigned int used = name_width;
	bool full = false;

	rest->shown = true;
	used += rest->width + 2;
	for (unsigned int rank = 0; rank < 10; rank++)
		while ((c = next_column(t, rank))) {
			/* The last node takes the place of all others. */
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

/* A name is cut off on a terminal only, and then at its beginning: cgroups
 * differ at their ends. */
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
		const struct tally_process_node *n = NULL;
		char text[USAGE_CELL] = "";

		if (!c->shown)
			continue;
		if (c->what == NODE)
			n = usage_node(row, c->node);
		else if (c->what == ALL && !t->u->o->nodes)
			n = usage_node(row, -1);
		if (n)
			put(t, n, k, text);
		print_cell(c, first, text);
		first = false;
	}
	printf("    %s\n", name);
}

static void put_kind(struct usage_table *t, const struct tally_process_node *n,
		     unsigned int k, char text[USAGE_CELL])
{
	usage_cell_figure(t, &n->memory[k], text);
}

static void put_own(struct usage_table *t, const struct tally_process_node *n,
		    unsigned int k, char text[USAGE_CELL])
{
	(void)k;
	usage_cell_figure(t, &n->total_own, text);
}

static void put_common(struct usage_table *t,
		       const struct tally_process_node *n, unsigned int k,
		       char text[USAGE_CELL])
{
	(void)k;
	usage_cell_figure(t, &n->total_common, text);
}

static void put_threads(struct usage_table *t,
			const struct tally_process_node *n, unsigned int k,
			char text[USAGE_CELL])
{
	(void)t;
	(void)k;
	snprintf(text, USAGE_CELL, "%u", n->nr_threads);
}

static void print_kinds(struct usage_table *t, const struct usage_row *row)
{
	const struct tally_process_node *all = usage_node(row, -1);
	char name[64];

	if (!all)
		return;
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++) {
		if (t->u->o->skip_zeros && !all->memory[k].upper_bytes)
			continue;
		snprintf(name, sizeof(name), "%s%s",
			 t->u->groups ? "mapped " : "",
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

static void print_notes(const struct usage_table *t)
{
	const struct tally_mem_figure *all = &t->u->all.all.total;
	char lower[OUTPUT_NUMBER], upper[OUTPUT_NUMBER];
	const char *lead = "\n";

	if (t->u->nr_left) {
		printf("%s%u more\n", lead, t->u->nr_left);
		lead = "";
	}
	if (t->u->groups) {
		printf("%sanon, file and so on are the kernel's account, of a "
		       "cgroup with those in it; the rest is of its "
		       "processes\n",
		       lead);
		lead = "";
	}
	if (t->inexact) {
		printf("%s~ pages were sampled, or may be shared: %s to %s in "
		       "all\n",
		       lead, output_bytes(all->lower_bytes, lower),
		       output_bytes(all->upper_bytes, upper));
		lead = "";
	}
	if (t->local)
		printf("%slocal: of nodes where a thread of it ran last\n",
		       lead);
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

/* What has to be said below of the columns that are shown. */
static void see_marks(struct usage_table *t)
{
	t->inexact = false;
	t->local = false;
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct usage_column *c = &t->columns[i];

		for (unsigned int l = 0; c->shown && l < t->nr_lines; l++)
			if (c->cells[l][0] == '~')
				*(c->what == LOCAL ? &t->local : &t->inexact) =
					true;
	}
}

static int print(struct usage_table *t)
{
	static const char *const names[] = {
		[STAT_BY_PROCESS] = "command",
		[STAT_BY_CGROUP] = "cgroup",
		[STAT_BY_USER] = "user",
	};

	/* What the others have follows from which columns there are. */
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
	print_notes(t);
	return 0;
}

int usage_table(struct usage *u)
{
	unsigned int max = u->nr_nodes + 16;
	struct usage_table t = {
		.u = u,
		.terminal = output_width(stdout, 80),
		.all = !u->groups && u->nr_rows > 1,
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
