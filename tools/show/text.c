// SPDX-License-Identifier: MIT
/*
 * A look at a ledger as a table:
 *
 *	account  node    cpu    page
 *	                      faults
 *	(all)       0  1.2 s      12
 *	            1  0.3 s       2
 *	          all  1.5 s      14
 *
 *	make/17     0  ...
 *
 * Columns for which the terminal is too narrow go into a table below.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/output.h"
#include "common/text.h"
#include "show/internal.h"

#define HEADING_WIDTH 9 /* a heading is broken between words to stay in it */
#define HEADING_LINES 8

/* One line of the table. */
struct line {
	const char *label; /* escaped; NULL: as above */
	int node;	   /* TALLY_VIEW_ALL: a sum over nodes */
	bool gap;	   /* an empty line goes before it */
	const int64_t *now;
	const int64_t *before; /* NULL: not known */
};

struct heading {
	unsigned int nr;
	unsigned int width;
	char words[HEADING_LINES][64];
};

struct table {
	const struct tally_view *view;
	double seconds; /* 0: no rates */
	struct line *lines;
	size_t nr_lines;
	int64_t *sums; /* over nodes, for lines to point to */
	size_t nr_sums;
	char **labels;
	struct heading *headings;
	unsigned int *widths; /* of columns; 0: hidden */
	unsigned int label_width;
	unsigned int node_width; /* 0: hidden */
};

/* ---- cells --------------------------------------------------------------- */

static bool is_unit(const struct tally_resource *r, const char *unit)
{
	return !strcmp(r->unit, unit);
}

static void format_rate(const struct tally_resource *r, double rate,
			char text[OUTPUT_NUMBER])
{
	char amount[OUTPUT_NUMBER];

	if (rate > -0.05 && rate < 0.05)
		snprintf(text, OUTPUT_NUMBER, "0");
	else if (is_unit(r, "bytes"))
		snprintf(text, OUTPUT_NUMBER, "%.28s/s",
			 output_bytes((int64_t)rate, amount));
	else if (is_unit(r, "ns"))
		snprintf(text, OUTPUT_NUMBER, "%.28s/s",
			 output_time((int64_t)rate, amount));
	else
		snprintf(text, OUTPUT_NUMBER, "%.*f/s",
			 rate > -100 && rate < 100 ? 1 : 0, rate);
}

void show_amount(const struct tally_resource *r, int64_t amount,
		 char text[OUTPUT_NUMBER])
{
	if (!amount)
		snprintf(text, OUTPUT_NUMBER, "0");
	else if (is_unit(r, "bytes"))
		output_bytes(amount, text);
	else if (is_unit(r, "ns"))
		output_time(amount, text);
	else
		snprintf(text, OUTPUT_NUMBER, "%lld", (long long)amount);
}

static void format_cell(const struct table *t, const struct line *line,
			unsigned int i, char text[OUTPUT_NUMBER])
{
	const struct tally_resource *r = tally_view_resource(t->view, i);

	if (r->kind != TALLY_COUNTER || t->seconds <= 0)
		show_amount(r, line->now[i], text);
	else if (line->before)
		format_rate(r,
			    (double)(int64_t)((uint64_t)line->now[i] -
					      (uint64_t)line->before[i]) /
				    t->seconds,
			    text);
	else
		snprintf(text, OUTPUT_NUMBER, "-");
}

/* ---- headings ------------------------------------------------------------ */

static void add_word(struct heading *h, const char *word, size_t bytes)
{
	char *last = h->nr ? h->words[h->nr - 1] : NULL;

	if (last && (h->nr == HEADING_LINES ||
		     strlen(last) + 1 + bytes <= HEADING_WIDTH)) {
		size_t used = strlen(last);

		snprintf(last + used, sizeof(h->words[0]) - used, " %.*s",
			 (int)bytes, word);
	} else {
		last = h->words[h->nr++];
		snprintf(last, sizeof(h->words[0]), "%.*s", (int)bytes, word);
	}
	if (strlen(last) > h->width)
		h->width = (unsigned int)strlen(last);
}

size_t show_name_bytes(const struct tally_resource *r)
{
	size_t unit = strlen(r->unit), bytes = strlen(r->name);

	if (unit && bytes > unit + 1 && r->name[bytes - unit - 1] == '_' &&
	    !strcmp(r->name + bytes - unit, r->unit))
		bytes -= unit + 1;
	return bytes;
}

/* The name's words, and its unit unless the cells have it. */
static void make_heading(const struct tally_resource *r, struct heading *h)
{
	bool in_cells = is_unit(r, "bytes") || is_unit(r, "ns");
	size_t unit = strlen(r->unit);
	const char *p = r->name;
	const char *end = p + show_name_bytes(r);
	char text[32];

	h->nr = 0;
	h->width = 0;
	for (; p < end; p++) {
		const char *word = p;

		while (p < end && *p != '_')
			p++;
		if (p > word)
			add_word(h, word, (size_t)(p - word));
	}
	if (!h->nr)
		add_word(h, r->name, strlen(r->name));
	if (unit && !in_cells) {
		snprintf(text, sizeof(text), "(%s)", r->unit);
		add_word(h, text, strlen(text));
	}
}

/* ---- lines --------------------------------------------------------------- */

static struct line *add_line(struct table *t, const char *label, int node,
			     const int64_t *now, const int64_t *before)
{
	struct line *line = &t->lines[t->nr_lines++];

	*line = (struct line){
		.label = label, .node = node, .now = now, .before = before};
	return line;
}

/* Add a line: the sum of the last nr lines. */
static void add_sum(struct table *t, size_t nr)
{
	unsigned int nr_resources = tally_view_nr_resources(t->view);
	int64_t *now = &t->sums[t->nr_sums];
	int64_t *before = now + nr_resources;
	bool known = true;

	t->nr_sums += 2 * (size_t)nr_resources;
	for (size_t n = t->nr_lines - nr; n < t->nr_lines; n++) {
		const struct line *line = &t->lines[n];

		known &= line->before != NULL;
		for (unsigned int i = 0; i < nr_resources; i++) {
			now[i] = (int64_t)((uint64_t)now[i] +
					   (uint64_t)line->now[i]);
			if (line->before)
				before[i] =
					(int64_t)((uint64_t)before[i] +
						  (uint64_t)line->before[i]);
		}
	}
	add_line(t, NULL, TALLY_VIEW_ALL, now, known ? before : NULL);
}

static void add_totals(struct table *t, const struct show_look *look,
		       const struct show_look *before)
{
	unsigned int nr = tally_view_nr_resources(t->view);
	unsigned int nr_nodes = tally_view_nr_nodes(t->view);

	for (unsigned int n = 0; n < nr_nodes; n++)
		add_line(t, n ? NULL : "(all)", tally_view_node(t->view, n),
			 &look->totals[(size_t)n * nr],
			 before ? &before->totals[(size_t)n * nr] : NULL);
	if (nr_nodes > 1)
		add_sum(t, nr_nodes);
}

static int compare_rows(const struct show_look *a, const struct show_row *ra,
			const struct show_look *b, const struct show_row *rb)
{
	struct tally_account aa = a->accounts[ra->index].account;
	struct tally_account ab = b->accounts[rb->index].account;

	if (aa.row != ab.row)
		return aa.row < ab.row ? -1 : 1;
	if (aa.generation != ab.generation)
		return aa.generation < ab.generation ? -1 : 1;
	return ra->node < rb->node ? -1 : ra->node > rb->node;
}

static int compare_in(const void *a, const void *b, void *look)
{
	return compare_rows(look, a, look, b);
}

/* The earlier look's rows are not printed again: they may be in any order. */
static void index_rows(const struct show_look *before)
{
	if (before && before->nr_rows)
		qsort_r(before->rows, before->nr_rows, sizeof(*before->rows),
			compare_in, (void *)before);
}

static const int64_t *find_before(const struct show_look *look,
				  const struct show_row *row,
				  const struct show_look *before)
{
	size_t low = 0, high = before ? before->nr_rows : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct show_row *at = &before->rows[middle];
		int order = compare_rows(look, row, before, at);

		if (!order)
			return &before->amounts[at->amounts];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Append to a label, which may be NULL, and is freed. */
static char *append(char *label, const char *before, const char *text)
{
	char *longer = NULL;

	if (label && text &&
	    asprintf(&longer, "%s (%s%s)", label, before, text) < 0)
		longer = NULL;
	free(label);
	return longer;
}

static char *make_label(const struct show_account *account)
{
	char *label = text_escape(account->key), *parent;

	if (account->phase != TALLY_PHASE_READY)
		label = append(label, "", show_phase(account->phase));
	if (account->parent) {
		parent = text_escape(account->parent);
		label = append(label, "of ", parent);
		free(parent);
	}
	return label;
}

static int add_accounts(struct table *t, const struct show_look *look,
			const struct show_look *before)
{
	const int64_t *zeros;
	size_t r = 0;

	/* The sum of no rows. */
	zeros = &t->sums[t->nr_sums];
	t->nr_sums += tally_view_nr_resources(t->view);
	for (size_t i = 0; i < look->nr; i++) {
		size_t first = r, at = t->nr_lines;

		t->labels[i] = make_label(&look->accounts[i]);
		if (!t->labels[i])
			return -ENOMEM;
		for (; r < look->nr_rows && look->rows[r].index == i; r++)
			add_line(t, r == first ? t->labels[i] : NULL,
				 look->rows[r].node,
				 &look->amounts[look->rows[r].amounts],
				 find_before(look, &look->rows[r], before));
		if (r == first)
			add_line(t, t->labels[i], TALLY_VIEW_ALL, zeros, zeros);
		else if (r > first + 1)
			add_sum(t, r - first);
		t->lines[at].gap = !i;
	}
	return 0;
}

/* ---- the table ----------------------------------------------------------- */

static bool has_amount(const struct table *t, unsigned int i)
{
	for (size_t l = 0; l < t->nr_lines; l++)
		if (t->lines[l].now[i])
			return true;
	return false;
}

/* Columns of zeros are hidden, unless all are. */
static void measure(struct table *t)
{
	unsigned int nr = tally_view_nr_resources(t->view);
	unsigned int nr_hidden = 0;
	char text[OUTPUT_NUMBER];

	for (unsigned int i = 0; i < nr; i++) {
		make_heading(tally_view_resource(t->view, i), &t->headings[i]);
		t->widths[i] = t->headings[i].width;
		if (!has_amount(t, i)) {
			t->widths[i] = 0;
			nr_hidden++;
			continue;
		}
		for (size_t l = 0; l < t->nr_lines; l++) {
			format_cell(t, &t->lines[l], i, text);
			if (strlen(text) > t->widths[i])
				t->widths[i] = (unsigned int)strlen(text);
		}
	}
	for (unsigned int i = 0; nr_hidden == nr && i < nr; i++)
		t->widths[i] = t->headings[i].width;
	t->label_width = (unsigned int)strlen("account");
	for (size_t l = 0; l < t->nr_lines; l++) {
		const char *label = t->lines[l].label;

		if (label && text_width(label) > t->label_width)
			t->label_width = text_width(label);
	}
}

static void print_heading_line(const struct table *t, unsigned int line,
			       unsigned int nr, unsigned int first,
			       unsigned int end)
{
	printf("%-*s", (int)t->label_width, line ? "" : "account");
	if (t->node_width)
		printf("  %*s", (int)t->node_width, line ? "" : "node");
	for (unsigned int i = first; i < end; i++) {
		const struct heading *h = &t->headings[i];

		if (t->widths[i])
			printf("  %*s", (int)t->widths[i],
			       line < h->nr ? h->words[line] : "");
	}
	putchar('\n');
	if (line + 1 < nr)
		print_heading_line(t, line + 1, nr, first, end);
}

static void print_label(const struct table *t, const struct line *line)
{
	unsigned int width = line->label ? text_width(line->label) : 0;

	if (line->gap)
		putchar('\n');
	if (line->label)
		fputs(line->label, stdout);
	if (width > t->label_width) {
		putchar('\n');
		width = 0;
	}
	printf("%*s", (int)(t->label_width - width), "");
	if (!t->node_width)
		return;
	if (line->node == TALLY_VIEW_ALL)
		printf("  %*s", (int)t->node_width, "all");
	else
		printf("  %*d", (int)t->node_width, line->node);
}

/* The columns [first, end). */
static void print_panel(const struct table *t, unsigned int first,
			unsigned int end)
{
	unsigned int nr = 1;
	char text[OUTPUT_NUMBER];

	for (unsigned int i = first; i < end; i++)
		if (t->widths[i] && t->headings[i].nr > nr)
			nr = t->headings[i].nr;
	print_heading_line(t, 0, nr, first, end);
	for (size_t l = 0; l < t->nr_lines; l++) {
		print_label(t, &t->lines[l]);
		for (unsigned int i = first; i < end; i++) {
			if (!t->widths[i])
				continue;
			format_cell(t, &t->lines[l], i, text);
			printf("  %*s", (int)t->widths[i], text);
		}
		putchar('\n');
	}
}

static void print_hidden(const struct table *t)
{
	unsigned int nr = tally_view_nr_resources(t->view);
	const char *lead = "\n0 everywhere: ";

	for (unsigned int i = 0; i < nr; i++) {
		if (t->widths[i])
			continue;
		printf("%s%s", lead, tally_view_resource(t->view, i)->name);
		lead = ", ";
	}
	if (*lead == ',')
		putchar('\n');
}

static void print_table(struct table *t)
{
	unsigned int nr = tally_view_nr_resources(t->view);
	unsigned int width = output_width(stdout);
	unsigned int fixed, used, first = 0, i;

	if (tally_view_nr_nodes(t->view) > 1)
		t->node_width = (unsigned int)strlen("node");
	/* A longer key gets a line of its own. */
	if (t->label_width > width / 2)
		t->label_width = width / 4 > 7 ? width / 4 : 7;
	fixed = t->label_width + (t->node_width ? 2 + t->node_width : 0);
	used = fixed;
	for (i = 0; i < nr; i++) {
		unsigned int more = t->widths[i] ? 2 + t->widths[i] : 0;

		if (more && used > fixed && used + more > width) {
			print_panel(t, first, i);
			putchar('\n');
			first = i;
			used = fixed;
		}
		used += more;
	}
	print_panel(t, first, nr);
	print_hidden(t);
}

int show_text(const struct tally_view *view, const struct show_look *look,
	      const struct show_look *before)
{
	size_t nr = tally_view_nr_resources(view);
	/* A line per row, two more per account, and the totals. */
	size_t nr_lines =
		look->nr_rows + 2 * look->nr + tally_view_nr_nodes(view) + 2;
	size_t nr_sums = 2 * (look->nr + 2);
	struct table t = {
		.view = view,
		.seconds =
			before ? (double)(look->time_ns - before->time_ns) / 1e9
			       : 0,
		.lines = calloc(nr_lines, sizeof(*t.lines)),
		.sums = calloc(nr_sums, nr * sizeof(*t.sums)),
		.labels = calloc(look->nr + 1, sizeof(*t.labels)),
		.headings = calloc(nr, sizeof(*t.headings)),
		.widths = calloc(nr, sizeof(*t.widths)),
	};
	int err = -ENOMEM;

	if (t.lines && t.sums && t.labels && t.headings && t.widths) {
		index_rows(before);
		add_totals(&t, look, before);
		err = add_accounts(&t, look, before);
	}
	if (!err) {
		measure(&t);
		print_table(&t);
	}
	for (size_t i = 0; t.labels && i < look->nr; i++)
		free(t.labels[i]);
	free(t.lines);
	free(t.sums);
	free(t.labels);
	free(t.headings);
	free(t.widths);
	return err;
}
