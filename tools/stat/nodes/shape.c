// SPDX-License-Identifier: MIT
/* The cells of a table of nodes, their widths, and its shape. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "stat/nodes/table.h"

#define HEADING_WIDTH 7 /* break a heading between words to stay in it */

/* ---- cells -------------------------------------------------------------- */

struct nodes_table_cell *nodes_cell_at(const struct nodes_table *t,
				       unsigned int column, unsigned int line)
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

bool nodes_is_too_much(const struct nodes_table *t,
		       const struct nodes_column *c)
{
	return c->group == NODES_TOPOLOGY && c->to >= 0 && !t->s->o->verbose &&
	       (t->down || !is_shown(t->s, c->to));
}

/* The sum is unknown if a node's amount is. */
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

/* Fill the cells of nodes, and the sums of the rest and of all. Distances have no
 * sums. */
static void fill_column(struct nodes_table *t, unsigned int column)
{
	const struct nodes_stat *s = t->s;
	const struct nodes_column *c = &s->columns[column];
	struct nodes_cell rest = {.kind = NODES_NOTHING}, all = rest;
	struct nodes_table_cell *cells = nodes_cell_at(t, column, 0);

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

static void write_column(struct nodes_table *t, unsigned int column)
{
	const struct nodes_column *c = &t->s->columns[column];

	for (unsigned int i = 0; i < t->nr_lines; i++) {
		struct nodes_table_cell *cell = nodes_cell_at(t, column, i);

		if (c->group == NODES_TOPOLOGY && i >= t->s->nr_shown)
			cell->text[0] = '\0';
		else
			nodes_cell_text(c, &cell->is, t->down, cell->text);
		cell->width = (unsigned int)strlen(cell->text);
	}
}

/* ---- headings ----------------------------------------------------------- */

const char *nodes_label(const struct nodes_column *c, char text[NODES_LABEL])
{
	snprintf(text, NODES_LABEL, "%s%s",
		 c->group == TALLY_SOURCE_CPU ? "cpu " : "", c->name);
	return text;
}

/* The unit of rates, if it is not that of amounts. */
static const char *each_of(const struct nodes_table *t,
			   const struct nodes_column *c)
{
	if (!c->counter || !t->s->before)
		return "";
	return c->unit == TALLY_UNIT_NS ? "CPUs" : "/s";
}

static void add_word(struct nodes_heading *h, const char *word, size_t bytes,
		     const char *between)
{
	char *last = h->nr ? h->words[h->nr - 1] : NULL;

	if (last && (h->nr == NODES_HEADING_LINES ||
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

/* The end of the word at p: before '_', a capital or a bracket. */
static const char *word_end(const char *p)
{
	const char *end = p + 1;

	while (*end && *end != '_' && *end != ' ' && *end != '(' &&
	       !(isupper((unsigned char)*end) &&
		 islower((unsigned char)end[-1])))
		end++;
	return end;
}

static void make_heading(const struct nodes_table *t,
			 const struct nodes_column *c, struct nodes_heading *h)
{
	const char *between = "", *each = each_of(t, c), *p;
	char text[NODES_LABEL];

	*h = (struct nodes_heading){0};
	p = nodes_label(c, text);
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

bool nodes_is_hidden(const struct nodes_table *t, unsigned int column,
		     bool *zero)
{
	bool nothing = true;

	*zero = true;
	for (unsigned int i = 0; i < t->nr_lines; i++) {
		const struct nodes_cell *cell =
			&nodes_cell_at(t, column, i)->is;

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

/* Measure the visible columns and lines. */
static void measure(struct nodes_table *t)
{
	bool zero;

	for (unsigned int i = 0; i < t->nr_lines; i++)
		t->line_widths[i] = (unsigned int)strlen("node 0");
	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		const struct nodes_column *column = &t->s->columns[c];

		t->widths[c] = 0;
		if (nodes_is_too_much(t, column) ||
		    nodes_is_hidden(t, c, &zero))
			continue;
		write_column(t, c);
		make_heading(t, column, &t->headings[c]);
		t->widths[c] = t->headings[c].width;
		for (unsigned int i = 0; i < t->nr_lines; i++) {
			unsigned int width = nodes_cell_at(t, c, i)->width;

			if (width > t->widths[c])
				t->widths[c] = width;
			if (width > t->line_widths[i])
				t->line_widths[i] = width;
		}
	}
}

void nodes_figure_name(const struct nodes_table *t,
		       const struct nodes_column *c, char text[NODES_LABEL])
{
	const char *each = each_of(t, c);
	char label[NODES_LABEL];

	snprintf(text, NODES_LABEL, "%.84s%s%s", nodes_label(c, label),
		 *each ? " " : "", each);
}

unsigned int nodes_name_width(const struct nodes_table *t)
{
	char text[NODES_LABEL];
	size_t widest = 0;

	for (unsigned int c = 0; c < t->s->nr_columns; c++) {
		nodes_figure_name(t, &t->s->columns[c], text);
		if (t->widths[c] && strlen(text) > widest)
			widest = strlen(text);
	}
	return (unsigned int)widest;
}

/* Whether figures can go down. */
static bool fits(const struct nodes_table *t)
{
	size_t width = nodes_name_width(t);

	for (unsigned int i = 0; i < t->nr_lines; i++)
		width += 2 + t->line_widths[i];
	return width <= t->terminal;
}

/* Whether that many columns can't fit, whatever their cells. */
static bool are_too_many(const struct nodes_table *t)
{
	return (size_t)t->nr_lines * (2 + strlen("node 0")) > t->terminal;
}

void nodes_shape(struct nodes_table *t)
{
	t->down = are_too_many(t);
	for (unsigned int c = 0; c < t->s->nr_columns; c++)
		if (!nodes_is_too_much(t, &t->s->columns[c]))
			fill_column(t, c);
	measure(t);
	if (!t->down && !fits(t)) {
		t->down = true;
		measure(t);
	}
}
