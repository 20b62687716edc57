// SPDX-License-Identifier: MIT
/*
 * A reading as a table. If a column for each node fits into the terminal,
 * figures go down:
 *
 *	                  node 0     node 1        all
 *	MemTotal         7.8 GiB    7.8 GiB   15.6 GiB
 *
 * else nodes do, with the figures that don't fit in another table below:
 *
 *	       Mem      Mem  numa
 *	node  Total     Free   hit
 *	   0  7.8 GiB  7.1 GiB  28.5M
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stat/nodes/table.h"

/* ---- figures down ------------------------------------------------------- */

static void line_name(const struct nodes_table *t, unsigned int i,
		      char text[24])
{
	const struct nodes_stat *s = t->s;

	if (i < s->nr_shown)
		snprintf(text, 24, t->down ? "%d" : "node %d",
			 s->now->rows[s->shown[i]].id);
	else if (t->rest && i == s->nr_shown)
		snprintf(text, 24, "rest");
	else
		snprintf(text, 24, s->o->nodes ? "sum" : "all");
}

static void print_figures(const struct nodes_table *t)
{
	int width = (int)nodes_name_width(t);
	char name[24], label[NODES_LABEL];

	printf("%*s", width, "");
	for (unsigned int i = 0; i < t->nr_lines; i++) {
		line_name(t, i, name);
		printf("  %*s", (int)t->line_widths[i], name);
	}
	putchar('\n');
	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		const struct nodes_column *column = &t->s->columns[c];

		if (!t->widths[c])
			continue;
		nodes_figure_name(t, column, label);
		printf("%-*s", width, label);
		for (unsigned int i = 0; i < t->nr_lines; i++) {
			const char *text = nodes_cell_at(t, c, i)->text;

			if (*text)
				printf("  %*s", (int)t->line_widths[i], text);
		}
		putchar('\n');
	}
}

/* ---- nodes down --------------------------------------------------------- */

/* Put a cell, or widen the gap before the next one: lines have no trailing
 * blanks. */
static void put_cell(unsigned int *gap_width, unsigned int width,
		     const char *text)
{
	static const char blanks[] = "                                ";
	unsigned int len = (unsigned int)strlen(text);

	*gap_width += 2 + width;
	if (!len)
		return;
	/* printf() takes several times as long. */
	for (unsigned int left = *gap_width - len; left;) {
		unsigned int n = left < sizeof(blanks) - 1
					 ? left
					 : (unsigned int)sizeof(blanks) - 1;

		fwrite_unlocked(blanks, 1, n, stdout);
		left -= n;
	}
	fwrite_unlocked(text, 1, len, stdout);
	*gap_width = 0;
}

/* Headings are aligned at their last lines. */
static void print_headings(const struct nodes_table *t, unsigned int first,
			   unsigned int end)
{
	unsigned int nr = 1;

	for (unsigned int c = first; c < end; c++)
		if (t->widths[c] && t->headings[c].nr > nr)
			nr = t->headings[c].nr;
	for (unsigned int line = 0; line < nr; line++) {
		unsigned int gap_width = 0;

		printf("%4s", line + 1 == nr ? "node" : "");
		for (unsigned int c = first; c < end; c++) {
			const struct nodes_heading *h = &t->headings[c];
			const char *word = "";

			if (!t->widths[c])
				continue;
			if (line + h->nr >= nr)
				word = h->words[line + h->nr - nr];
			put_cell(&gap_width, t->widths[c], word);
		}
		putchar('\n');
	}
}

/* The columns [first, end). */
static void print_panel(const struct nodes_table *t, unsigned int first,
			unsigned int end)
{
	char name[24];

	print_headings(t, first, end);
	for (unsigned int i = 0; i < t->nr_lines; i++) {
		unsigned int gap_width = 0;

		line_name(t, i, name);
		printf("%4s", name);
		for (unsigned int c = first; c < end; c++) {
			if (!t->widths[c])
				continue;
			put_cell(&gap_width, t->widths[c],
				 nodes_cell_at(t, c, i)->text);
		}
		putchar('\n');
	}
}

static void print_panels(const struct nodes_table *t)
{
	unsigned int used = 4, first = 0;

	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		unsigned int more = t->widths[c] ? 2 + t->widths[c] : 0;

		if (more && used > 4 && used + more > t->terminal) {
			print_panel(t, first, c);
			putchar('\n');
			first = c;
			used = 4;
		}
		used += more;
	}
	print_panel(t, first, t->s->nr_columns);
}

/* ---- notes -------------------------------------------------------------- */

/* An empty line before the first note. */
static const char *gap(struct nodes_table *t)
{
	const char *lead = t->noted ? "" : "\n";

	t->noted = true;
	return lead;
}

static void print_names(struct nodes_table *t, bool zeros, const char *label)
{
	struct nodes_words words = {.indent = 2, .width = t->terminal};
	const char *last = NULL; /* not yet written */
	char text[NODES_LABEL], word[NODES_LABEL + 1];
	bool zero;

	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		const struct nodes_column *column = &t->s->columns[c];

		if (t->widths[c] || nodes_is_too_much(t, column) ||
		    column->group == NODES_TOPOLOGY)
			continue;
		nodes_is_hidden(t, c, &zero);
		if (zero != zeros)
			continue;
		if (last)
			nodes_put_word(&words, " ", word);
		else
			nodes_put_word(&words, gap(t), label);
		last = nodes_label(column, text);
		snprintf(word, sizeof(word), "%s,", last);
	}
	if (last) {
		nodes_put_word(&words, " ", last);
		putchar('\n');
	}
}

static void print_notes(struct nodes_table *t)
{
	bool estimate = false;

	for (unsigned int c = 0; c < t->s->nr_columns; c++)
		estimate |= t->widths[c] && t->s->columns[c].estimate;
	if (t->rest)
		printf("%sof %u nodes those with the largest mean share of "
		       "these figures\n",
		       gap(t), t->s->nr_shown + t->s->nr_rest);
	if (estimate)
		printf("%s~ an estimate\n", gap(t));
	if (!t->s->o->skip_zeros)
		print_names(t, true, "0 everywhere:");
	print_names(t, false, "not known:");
}

/* ---- the table ---------------------------------------------------------- */

static void print(struct nodes_table *t)
{
	nodes_shape(t);
	if (t->s->nr_looks > 1)
		printf("\nafter %.3f s\n", t->s->seconds);
	if (t->down)
		print_panels(t);
	else
		print_figures(t);
	print_notes(t);
}

int nodes_table(struct nodes_stat *s)
{
	struct nodes_table t = {
		.s = s,
		.terminal = output_width(stdout),
		.rest = s->nr_rest > 0,
		.all = s->nr_shown + s->nr_rest > 1,
	};
	int err = -ENOMEM;

	t.nr_lines = s->nr_shown + t.rest + t.all;
	t.cells = calloc((size_t)s->nr_columns * t.nr_lines + 1,
			 sizeof(*t.cells));
	t.headings = calloc(s->nr_columns + 1, sizeof(*t.headings));
	t.widths = calloc(s->nr_columns + 1, sizeof(*t.widths));
	t.line_widths = calloc(t.nr_lines + 1, sizeof(*t.line_widths));
	if (t.cells && t.headings && t.widths && t.line_widths) {
		print(&t);
		err = 0;
	}
	free(t.cells);
	free(t.headings);
	free(t.widths);
	free(t.line_widths);
	return err;
}
