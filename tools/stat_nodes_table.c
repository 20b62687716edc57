// SPDX-License-Identifier: MIT
/*
 * A look as a table. Where a column for each node fits into the terminal,
 * figures go down:
 *
 *	                  node 0     node 1        all
 *	MemTotal         7.8 GiB    7.8 GiB   15.6 GiB
 *
 * else nodes do, and figures that don't fit go into a table below:
 *
 *	       Mem      Mem  numa
 *	node  Total     Free   hit
 *	   0  7.8 GiB  7.1 GiB  28.5M
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stat_nodes.h"

#define HEADING_WIDTH 7 /* a heading is broken between words to stay in it */
#define HEADING_LINES 6

/* Room for what a figure is called. */
#define LABEL 96

struct heading {
	unsigned int nr;
	unsigned int width;
	char words[HEADING_LINES][32];
};

struct table {
	const struct nodes_stat *s;
	unsigned int terminal;
	bool down; /* nodes go down */
	bool rest;
	bool all;
	bool noted;		   /* something was said below */
	unsigned int nr_lines;	   /* nodes, and the sums */
	struct nodes_cell *cells;  /* [column][line] */
	struct heading *headings;  /* of columns */
	unsigned int *widths;	   /* of columns' cells; 0: hidden */
	unsigned int *line_widths; /* of lines' cells */
};

/* ---- cells ----------------------------------------------------------------- */

static struct nodes_cell *cell_at(const struct table *t, unsigned int column,
				  unsigned int line)
{
	return &t->cells[(size_t)column * t->nr_lines + line];
}

/* Of rows from the one that is shown as number first. What isn't known of one,
 * isn't known of the sum. */
static struct nodes_cell sum(const struct nodes_stat *s,
			     const struct nodes_column *c, unsigned int first,
			     unsigned int end)
{
	struct nodes_cell all = {.kind = NODES_NOTHING};

	if (c->group == NODES_TOPOLOGY)
		return all;
	for (unsigned int i = first; i < end; i++) {
		struct nodes_cell cell =
			nodes_cell(s, &s->now->rows[s->shown[i]], c);

		if (i > first && cell.kind != all.kind)
			return (struct nodes_cell){.kind = NODES_NOTHING};
		all.kind = cell.kind;
		if (__builtin_add_overflow(all.value, cell.value, &all.value))
			all.value = INT64_MAX;
		all.rate += cell.rate;
	}
	return all;
}

static void fill_cells(struct table *t)
{
	const struct nodes_stat *s = t->s;
	unsigned int end = s->nr_shown + s->nr_rest;

	for (unsigned int c = 0; c < s->nr_columns; c++) {
		const struct nodes_column *column = &s->columns[c];
		struct nodes_cell *cells = cell_at(t, c, 0);

		for (unsigned int i = 0; i < s->nr_shown; i++)
			*cells++ = nodes_cell(s, &s->now->rows[s->shown[i]],
					      column);
		if (t->rest)
			*cells++ = sum(s, column, s->nr_shown, end);
		if (t->all)
			*cells++ = sum(s, column, 0, end);
	}
}

/* ---- headings -------------------------------------------------------------- */

/* The name, which of a CPU's time alone would say too little. */
static const char *label_of(const struct nodes_column *c, char text[LABEL])
{
	snprintf(text, LABEL, "%s%s",
		 c->group == TALLY_SOURCE_CPU ? "cpu " : "", c->name);
	return text;
}

/* What rates are in, where it isn't what amounts are. */
static const char *each_of(const struct table *t, const struct nodes_column *c)
{
	if (!c->counter || !t->s->before)
		return "";
	return c->unit == TALLY_UNIT_NS ? "CPUs" : "/s";
}

static void add_word(struct heading *h, const char *word, size_t bytes,
		     const char *between)
{
	char *last = h->nr ? h->words[h->nr - 1] : NULL;

	if (last && (h->nr == HEADING_LINES ||
		     strlen(last) + strlen(between) + bytes <= HEADING_WIDTH)) {
		size_t used = strlen(last);

		snprintf(last + used, sizeof(h->words[0]) - used, "%s%.*s",
			 between, (int)bytes, word);
	} else {
		last = h->words[h->nr++];
		snprintf(last, sizeof(h->words[0]), "%.*s", (int)bytes, word);
	}
	if (strlen(last) > h->width)
		h->width = (unsigned int)strlen(last);
}

/* Where the word ends that begins at p: before '_', a capital or a bracket. */
static const char *word_end(const char *p)
{
	const char *end = p + 1;

	while (*end && *end != '_' && *end != ' ' && *end != '(' &&
	       !(isupper((unsigned char)*end) &&
		 islower((unsigned char)end[-1])))
		end++;
	return end;
}

static void make_heading(const struct table *t, const struct nodes_column *c,
			 struct heading *h)
{
	const char *between = "", *each = each_of(t, c), *p;
	char text[LABEL];

	*h = (struct heading){0};
	p = label_of(c, text);
	while (*p) {
		const char *end = word_end(p);

		add_word(h, p, (size_t)(end - p), between);
		between = *end == '_' || *end == ' ' ? " " : "";
		p = *between ? end + 1 : end;
		if (!*p)
			break;
	}
	if (*each)
		add_word(h, each, strlen(each), " ");
}

/* ---- what fits ------------------------------------------------------------- */

static bool is_hidden(const struct table *t, unsigned int column, bool *zero)
{
	bool nothing = true;

	*zero = true;
	for (unsigned int i = 0; i < t->nr_lines; i++) {
		const struct nodes_cell *cell = cell_at(t, column, i);

		/* The sum of what is not wholly known. */
		if (cell->kind == NODES_NOTHING)
			continue;
		nothing = false;
		*zero &= nodes_cell_is_zero(cell);
	}
	*zero &= !nothing;
	if (t->s->columns[column].group == NODES_TOPOLOGY)
		return nothing;
	return nothing || *zero;
}

/* A matrix of distances is only for where it fits, or is asked for. */
static bool is_too_much(const struct table *t, const struct nodes_column *c)
{
	return t->down && c->group == NODES_TOPOLOGY && c->to >= 0 &&
	       !t->s->o->verbose;
}

static void measure(struct table *t)
{
	char text[OUTPUT_NUMBER];
	bool zero;

	for (unsigned int i = 0; i < t->nr_lines; i++)
		t->line_widths[i] = (unsigned int)strlen("node 0");
	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		const struct nodes_column *column = &t->s->columns[c];

		t->widths[c] = 0;
		if (is_hidden(t, c, &zero) || is_too_much(t, column))
			continue;
		make_heading(t, column, &t->headings[c]);
		t->widths[c] = t->headings[c].width;
		for (unsigned int i = 0; i < t->nr_lines; i++) {
			unsigned int len;

			nodes_cell_text(column, cell_at(t, c, i), t->down,
					text);
			len = (unsigned int)strlen(text);
			if (len > t->widths[c])
				t->widths[c] = len;
			if (len > t->line_widths[i])
				t->line_widths[i] = len;
		}
	}
}

/* What stands before a line of a figure's: "numa_hit /s" */
static void figure_name(const struct table *t, const struct nodes_column *c,
			char text[LABEL])
{
	const char *each = each_of(t, c);
	char label[LABEL];

	snprintf(text, LABEL, "%.84s%s%s", label_of(c, label), *each ? " " : "",
		 each);
}

static unsigned int name_width(const struct table *t)
{
	char text[LABEL];
	size_t widest = 0;

	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		figure_name(t, &t->s->columns[c], text);
		if (t->widths[c] && strlen(text) > widest)
			widest = strlen(text);
	}
	return (unsigned int)widest;
}

/* Whether figures can go down. */
static bool fits(const struct table *t)
{
	size_t width = name_width(t);

	for (unsigned int i = 0; i < t->nr_lines; i++)
		width += 2 + t->line_widths[i];
	return width <= t->terminal;
}

/* ---- figures down ---------------------------------------------------------- */

static void line_name(const struct table *t, unsigned int i, char text[24])
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

/* Of distances there is no sum. */
static void line_text(const struct table *t, unsigned int column,
		      unsigned int line, char text[OUTPUT_NUMBER])
{
	const struct nodes_column *c = &t->s->columns[column];

	if (c->group == NODES_TOPOLOGY && line >= t->s->nr_shown)
		text[0] = '\0';
	else
		nodes_cell_text(c, cell_at(t, column, line), t->down, text);
}

static void print_figures(const struct table *t)
{
	int width = (int)name_width(t);
	char text[OUTPUT_NUMBER], name[24], label[LABEL];

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
		figure_name(t, column, label);
		printf("%-*s", width, label);
		for (unsigned int i = 0; i < t->nr_lines; i++) {
			line_text(t, c, i, text);
			if (*text)
				printf("  %*s", (int)t->line_widths[i], text);
		}
		putchar('\n');
	}
}

/* ---- nodes down ------------------------------------------------------------ */

/* A cell, or a gap before the next one: lines don't end in blanks. */
static void put_cell(unsigned int *gap_width, unsigned int width,
		     const char *text)
{
	*gap_width += 2 + width;
	if (!*text)
		return;
	printf("%*s", (int)*gap_width, text);
	*gap_width = 0;
}

/* The last lines of headings stand on one line. */
static void print_headings(const struct table *t, unsigned int first,
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
			const struct heading *h = &t->headings[c];
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
static void print_panel(const struct table *t, unsigned int first,
			unsigned int end)
{
	char text[OUTPUT_NUMBER], name[24];

	print_headings(t, first, end);
	for (unsigned int i = 0; i < t->nr_lines; i++) {
		unsigned int gap_width = 0;

		line_name(t, i, name);
		printf("%4s", name);
		for (unsigned int c = first; c < end; c++) {
			if (!t->widths[c])
				continue;
			line_text(t, c, i, text);
			put_cell(&gap_width, t->widths[c], text);
		}
		putchar('\n');
	}
}

static void print_panels(const struct table *t)
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

/* ---- what is said below ---------------------------------------------------- */

/* What is said below stands apart from the table. */
static const char *gap(struct table *t)
{
	const char *lead = t->noted ? "" : "\n";

	t->noted = true;
	return lead;
}

static void print_names(struct table *t, bool zeros, const char *label)
{
	struct nodes_words words = {.indent = 2, .width = t->terminal};
	const char *last = NULL; /* not yet written */
	char text[LABEL], word[LABEL + 1];
	bool zero;

	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		const struct nodes_column *column = &t->s->columns[c];

		if (t->widths[c] || is_too_much(t, column) ||
		    column->group == NODES_TOPOLOGY)
			continue;
		is_hidden(t, c, &zero);
		if (zero != zeros)
			continue;
		if (last)
			nodes_put_word(&words, " ", word);
		else
			nodes_put_word(&words, gap(t), label);
		last = label_of(column, text);
		snprintf(word, sizeof(word), "%s,", last);
	}
	if (last) {
		nodes_put_word(&words, " ", last);
		putchar('\n');
	}
}

static void print_notes(struct table *t)
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

/* ---- the table ------------------------------------------------------------- */

static void print(struct table *t)
{
	fill_cells(t);
	measure(t);
	if (t->s->nr_looks > 1)
		printf("\nafter %.3f s\n", t->s->seconds);
	if (fits(t)) {
		print_figures(t);
	} else {
		t->down = true;
		measure(t);
		print_panels(t);
	}
	print_notes(t);
}

int nodes_table(struct nodes_stat *s)
{
	struct table t = {
		.s = s,
		.terminal = output_width(stdout, 80),
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
