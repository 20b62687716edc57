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

struct cell {
	struct nodes_cell is;
	char text[OUTPUT_NUMBER];
	unsigned int width;
};

struct table {
	const struct nodes_stat *s;
	unsigned int terminal;
	bool down; /* nodes go down */
	bool rest;
	bool all;
	bool noted;		   /* something was said below */
	unsigned int nr_lines;	   /* nodes, and the sums */
	struct cell *cells;	   /* [column][line] */
	struct heading *headings;  /* of columns */
	unsigned int *widths;	   /* of columns' cells; 0: hidden */
	unsigned int *line_widths; /* of lines' cells */
};

/* ---- cells -------------------------------------------------------------- */

static struct cell *cell_at(const struct table *t, unsigned int column,
			    unsigned int line)
{
	return &t->cells[(size_t)column * t->nr_lines + line];
}

static bool is_shown(const struct nodes_stat *s, int id)
{
	for (unsigned int i = 0; i < s->nr_shown; i++)
		if (s->now->rows[s->shown[i]].id == id)
			return true;
	return false;
}

/* Distances are for where there is room, and between nodes that are seen,
 * unless they are asked for. */
static bool is_too_much(const struct table *t, const struct nodes_column *c)
{
	return c->group == NODES_TOPOLOGY && c->to >= 0 && !t->s->o->verbose &&
	       (t->down || !is_shown(t->s, c->to));
}

/* What isn't known of one, isn't known of the sum. */
static void add_to(struct nodes_cell *sum, const struct nodes_cell *cell,
		   bool first)
{
	if (first)
		sum->kind = cell->kind;
	else if (sum->kind != cell->kind)
		sum->kind = NODES_NOTHING;
	if (sum->kind == NODES_NOTHING)
		return;
	if (__builtin_add_overflow(sum->value, cell->value, &sum->value))
		sum->value = INT64_MAX;
	sum->rate += cell->rate;
}

/* The nodes' cells, and the sums: of the rest, and of all of them. Of distances
 * there is none. */
static void fill_column(struct table *t, unsigned int column)
{
	const struct nodes_stat *s = t->s;
	const struct nodes_column *c = &s->columns[column];
	struct nodes_cell rest = {.kind = NODES_NOTHING}, all = rest;
	struct cell *cells = cell_at(t, column, 0);

	for (unsigned int i = 0; i < s->nr_shown + s->nr_rest; i++) {
		struct nodes_cell cell =
			nodes_cell(s, &s->now->rows[s->shown[i]], c);

		if (i < s->nr_shown)
			cells++->is = cell;
		else
			add_to(&rest, &cell, i == s->nr_shown);
		add_to(&all, &cell, i == 0);
	}
	if (c->group == NODES_TOPOLOGY)
		rest.kind = all.kind = NODES_NOTHING;
	if (t->rest)
		cells++->is = rest;
	if (t->all)
		cells->is = all;
}

static void write_column(struct table *t, unsigned int column)
{
	const struct nodes_column *c = &t->s->columns[column];

	for (unsigned int i = 0; i < t->nr_lines; i++) {
		struct cell *cell = cell_at(t, column, i);

		if (c->group == NODES_TOPOLOGY && i >= t->s->nr_shown)
			cell->text[0] = '\0';
		else
			nodes_cell_text(c, &cell->is, t->down, cell->text);
		cell->width = (unsigned int)strlen(cell->text);
	}
}

/* ---- headings ----------------------------------------------------------- */

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

/* ---- what fits ---------------------------------------------------------- */

static bool is_hidden(const struct table *t, unsigned int column, bool *zero)
{
	bool nothing = true;

	*zero = true;
	for (unsigned int i = 0; i < t->nr_lines; i++) {
		const struct nodes_cell *cell = &cell_at(t, column, i)->is;

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

/* How wide all is that is to be seen. */
static void measure(struct table *t)
{
	bool zero;

	for (unsigned int i = 0; i < t->nr_lines; i++)
		t->line_widths[i] = (unsigned int)strlen("node 0");
	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		const struct nodes_column *column = &t->s->columns[c];

		t->widths[c] = 0;
		if (is_too_much(t, column) || is_hidden(t, c, &zero))
			continue;
		write_column(t, c);
		make_heading(t, column, &t->headings[c]);
		t->widths[c] = t->headings[c].width;
		for (unsigned int i = 0; i < t->nr_lines; i++) {
			unsigned int width = cell_at(t, c, i)->width;

			if (width > t->widths[c])
				t->widths[c] = width;
			if (width > t->line_widths[i])
				t->line_widths[i] = width;
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

/* ---- figures down ------------------------------------------------------- */

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

static void print_figures(const struct table *t)
{
	int width = (int)name_width(t);
	char name[24], label[LABEL];

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
			const char *text = cell_at(t, c, i)->text;

			if (*text)
				printf("  %*s", (int)t->line_widths[i], text);
		}
		putchar('\n');
	}
}

/* ---- nodes down --------------------------------------------------------- */

/* A cell, or a gap before the next one: lines don't end in blanks. */
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
				 cell_at(t, c, i)->text);
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

/* ---- what is said below ------------------------------------------------- */

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

/* ---- the table ---------------------------------------------------------- */

/* Whether so many columns can't fit, whatever they have. */
static bool are_too_many(const struct table *t)
{
	return (size_t)t->nr_lines * (2 + strlen("node 0")) > t->terminal;
}

static void print(struct table *t)
{
	t->down = are_too_many(t);
	for (unsigned int c = 0; c < t->s->nr_columns; c++)
		if (!is_too_much(t, &t->s->columns[c]))
			fill_column(t, c);
	measure(t);
	if (!t->down && !fits(t)) {
		t->down = true;
		measure(t);
	}
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
