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
#include "common/resource.h"
#include "common/text.h"
#include "show/internal.h"

#define HEADING_WIDTH 9 /* a heading is broken between words to stay in it */
#define HEADING_LINES 8

#define ALL_NODES     (-1)

/* One line of the table. */
struct line {
	const char *label; /* escaped; NULL: as above */
	int node;	   /* its index; ALL_NODES: a sum */
	char *node_name;
	bool gap; /* an empty line goes before it */
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
	size_t nr_left_out;	 /* nodes */
};

/* ---- cells --------------------------------------------------------------- */

static void format_cell(const struct table *t, const struct line *line,
			unsigned int i, char text[OUTPUT_NUMBER])
{
	const struct tally_resource *r = tally_view_resource(t->view, i);

	if (r->kind != TALLY_COUNTER || t->seconds <= 0)
		/* NOLINTNEXTLINE(clang-analyzer-*) */
		show_amount(r, line->now[i], text);
	else if (line->before)
		show_rate(r,
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

/* The name's words, and its unit unless the cells have it. */
static void make_heading(const struct tally_resource *r, struct heading *h)
{
	bool in_cells = show_is_unit(r, "bytes") || show_is_unit(r, "ns");
	size_t unit = strlen(r->unit);
	const char *p = r->name;
	const char *end = p + resource_name_bytes(r);
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
	add_line(t, NULL, ALL_NODES, now, known ? before : NULL);
}

static bool is_something(const struct table *t, const struct line *line)
{
	for (unsigned int i = 0; i < tally_view_nr_resources(t->view); i++)
		if (line->now[i])
			return true;
	return false;
}

/* Of many machines' nodes leave those out that have nothing, and all but the
 * first ones that have something. The sum is the last line. */
static void leave_out(struct table *t, size_t most)
{
	size_t nr = 0, nr_others = 0;
	size_t nr_local = tally_view_nr_local(t->view);

	for (size_t n = 0; n + 1 < t->nr_lines; n++) {
		bool some = is_something(t, &t->lines[n]);

		if (n < nr_local || (some && nr_others < most)) {
			nr_others += n >= nr_local;
			t->lines[nr++] = t->lines[n];
		} else {
			t->nr_left_out += some;
		}
	}
	t->lines[nr++] = t->lines[t->nr_lines - 1];
	t->nr_lines = nr;
	t->lines[0].label = "(all)";
}

static void add_totals(struct table *t, const struct show_look *look,
		       const struct show_look *before)
{
	unsigned int nr = tally_view_nr_resources(t->view);
	unsigned int nr_nodes = tally_view_nr_nodes(t->view);

	for (unsigned int n = 0; n < nr_nodes; n++)
		add_line(t, n ? NULL : "(all)", (int)n,
			 &look->totals[(size_t)n * nr],
			 before ? &before->totals[(size_t)n * nr] : NULL);
	if (nr_nodes > 1)
		add_sum(t, nr_nodes);
	if (!show_one_machine(t->view))
		leave_out(t, look->most_nodes);
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

		t->labels[i] = show_label(&look->accounts[i]);
		if (!t->labels[i])
			return -ENOMEM;
		for (; r < look->nr_rows && look->rows[r].index == i; r++)
			add_line(t, r == first ? t->labels[i] : NULL,
				 (int)look->rows[r].node,
				 &look->amounts[look->rows[r].amounts],
				 find_before(look, &look->rows[r], before));
		if (r == first)
			add_line(t, t->labels[i], ALL_NODES, zeros, zeros);
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
		/* Each line has amounts. NOLINTNEXTLINE(clang-analyzer-*) */
		if (t->lines[l].now[i])
			return true;
	return false;
}

static int name_nodes(struct table *t)
{
	unsigned int most = (unsigned int)strlen("node");

	for (size_t l = 0; l < t->nr_lines; l++) {
		struct line *line = &t->lines[l];

		line->node_name =
			line->node == ALL_NODES
				? strdup("all")
				: show_node(t->view, (unsigned int)line->node);
		if (!line->node_name)
			return -ENOMEM;
		if (text_width(line->node_name) > most)
			most = text_width(line->node_name);
	}
	t->node_width = tally_view_nr_nodes(t->view) > 1 ? most : 0;
	return 0;
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
	width = text_width(line->node_name);
	printf("  %*s%s", (int)(t->node_width - width), "", line->node_name);
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
	if (!err)
		err = name_nodes(&t);
	if (!err) {
		measure(&t);
		print_table(&t);
	}
	if (!err && t.nr_left_out)
		printf("\n%zu more node%s with something (--all shows all)\n",
		       t.nr_left_out, t.nr_left_out == 1 ? "" : "s");
	for (size_t l = 0; t.lines && l < nr_lines; l++)
		free(t.lines[l].node_name);
	for (size_t i = 0; t.labels && i < look->nr; i++)
		free(t.labels[i]);
	free(t.lines);
	free(t.sums);
	free(t.labels);
	free(t.headings);
	free(t.widths);
	return err;
}
