// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat/numastat/table.h"
#include "common/text.h"

/* Widths include a gap of one column. */
#define CELL_WIDTH     16
#define COMPRESSED_MIN 4
#define COMPRESSED_MAX 16

/* Holds any value. */
#define NUMBER_MAX 24

#define MIB	   (UINT64_C(1) << 20)

/* Texts, visibility and widths of cells. */
struct shape {
	char (*texts)[NUMBER_MAX]; /* as t->cells */
	bool *row_shown;
	bool *col_shown;
	unsigned int *widths; /* of columns */
	unsigned int label;
};

static void *allocate(size_t nr, size_t size)
{
	void *p = calloc(nr ? nr : 1, size);

	if (!p)
		err(EXIT_FAILURE, NULL);
	return p;
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		err(EXIT_FAILURE, NULL);
	return p;
}

void stat_table_init(struct stat_table *t, unsigned int nr_rows,
		     unsigned int nr_cols)
{
	*t = (struct stat_table){
		.nr_rows = nr_rows,
		.nr_cols = nr_cols,
		.labels = allocate(nr_rows, sizeof(*t->labels)),
		.heads = allocate(nr_cols, sizeof(*t->heads)),
		.cells = allocate((size_t)nr_rows * nr_cols, sizeof(*t->cells)),
		.order = allocate(nr_rows, sizeof(*t->order)),
	};
	for (unsigned int row = 0; row < nr_rows; row++)
		t->order[row] = row;
}

void stat_table_free(struct stat_table *t)
{
	for (unsigned int row = 0; row < t->nr_rows; row++)
		free(t->labels[row]);
	for (unsigned int col = 0; col < t->nr_cols; col++)
		free(t->heads[col]);
	free(t->labels);
	free(t->heads);
	free(t->cells);
	free(t->order);
}

void stat_table_label(struct stat_table *t, unsigned int row, const char *text)
{
	free(t->labels[row]);
	t->labels[row] = copy(text);
}

void stat_table_head(struct stat_table *t, unsigned int col, const char *text)
{
	free(t->heads[col]);
	t->heads[col] = copy(text);
}

struct stat_cell *stat_table_cell(struct stat_table *t, unsigned int row,
				  unsigned int col)
{
	return &t->cells[(size_t)row * t->nr_cols + col];
}

static const struct stat_cell *cell_of(const struct stat_table *t,
				       unsigned int row, unsigned int col)
{
	return &t->cells[(size_t)row * t->nr_cols + col];
}

void stat_table_add(struct stat_table *t, unsigned int row, unsigned int col,
		    int64_t value)
{
	struct stat_cell *cell = stat_table_cell(t, row, col);

	cell->known = true;
	if (__builtin_add_overflow(cell->value, value, &cell->value))
		cell->value = value < 0 ? INT64_MIN : INT64_MAX;
}

/* ---- order ---------------------------------------------------------------- */

static int64_t key(const struct stat_table *t, unsigned int at,
		   unsigned int col)
{
	return cell_of(t, t->order[at], col)->value;
}

void stat_table_sort(struct stat_table *t, unsigned int nr, unsigned int nr_all,
		     unsigned int col)
{
	unsigned int moved, largest, at;

	for (unsigned int i = 0; i < nr; i++) {
		largest = i;
		for (unsigned int j = i + 1; j < nr; j++)
			if (key(t, j, col) > key(t, largest, col))
				largest = j;
		moved = t->order[i];
		t->order[i] = t->order[largest];
		t->order[largest] = moved;
	}
	for (unsigned int i = nr; i < nr_all; i++) {
		moved = t->order[i];
		for (at = 0; at < i && key(t, at, col) >= key(t, i, col); at++)
			;
		memmove(&t->order[at + 1], &t->order[at],
			(i - at) * sizeof(*t->order));
		t->order[at] = moved;
	}
}

/* ---- shape ---------------------------------------------------------------- */

/* Bytes in units of 1 / parts MiB; a half goes to the even neighbour, as with
 * printf(3). */
static uint64_t in_mib(uint64_t bytes, unsigned int parts)
{
	uint64_t rest = (bytes & (MIB - 1)) * parts;
	uint64_t n = (bytes / MIB) * parts + rest / MIB;

	rest %= MIB;
	return n + (rest > MIB / 2 || (rest == MIB / 2 && n % 2));
}

static void format(const struct stat_table *t, const struct stat_cell *cell,
		   char *text)
{
	const char *sign = cell->value < 0 ? "-" : "";
	uint64_t value = (uint64_t)cell->value;

	value = cell->value < 0 ? -value : value;
	if (cell->doubtful)
		memcpy(text, "-", sizeof("-"));
	else if (!cell->known)
		*text = '\0';
	else if (t->form == STAT_COUNT)
		snprintf(text, NUMBER_MAX, "%s%" PRIu64, sign, value);
	else if (t->form == STAT_MIB_WHOLE)
		snprintf(text, NUMBER_MAX, "%s%" PRIu64, sign,
			 in_mib(value, 1));
	else
		snprintf(text, NUMBER_MAX, "%s%" PRIu64 ".%02u", sign,
			 in_mib(value, 100) / 100,
			 (unsigned int)(in_mib(value, 100) % 100));
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static unsigned int larger(unsigned int a, unsigned int b)
{
	return a > b ? a : b;
}

/* numastat's width, but at least @needed. */
static unsigned int width_of(unsigned int longest, unsigned int min,
			     unsigned int max, unsigned int needed)
{
	unsigned int width = larger(longest, min) + 1;

	return larger(width < max ? width : max, needed);
}

static unsigned int label_width(const struct stat_table *t)
{
	unsigned int longest = text_width(or_empty(t->corner));

	for (unsigned int row = 0; row < t->nr_rows; row++)
		longest = larger(longest, text_width(or_empty(t->labels[row])));
	if (t->compress)
		return width_of(longest, COMPRESSED_MIN, COMPRESSED_MAX,
				longest);
	return width_of(longest, t->label_min, t->label_max, longest);
}

static const char *text_of(const struct stat_table *t, const struct shape *s,
			   unsigned int row, unsigned int col)
{
	return s->texts[(size_t)row * t->nr_cols + col];
}

static void format_cells(const struct stat_table *t, struct shape *s)
{
	for (unsigned int row = 0; row < t->nr_rows; row++)
		for (unsigned int col = 0; col < t->nr_cols; col++) {
			size_t i = (size_t)row * t->nr_cols + col;

			format(t, &t->cells[i], s->texts[i]);
		}
}

static unsigned int cell_width(const struct stat_table *t,
			       const struct shape *s, unsigned int col)
{
	unsigned int longest = text_width(or_empty(t->heads[col]));

	for (unsigned int row = 0; row < t->nr_rows; row++)
		longest = larger(longest,
				 (unsigned int)strlen(text_of(t, s, row, col)));
	if (t->compress)
		return width_of(longest, COMPRESSED_MIN, COMPRESSED_MAX,
				longest + 1);
	return width_of(longest, CELL_WIDTH, CELL_WIDTH, longest + 1);
}

/* Find rows and columns that have values, and values that are not zero. */
static void shape_known(const struct stat_table *t, struct shape *s, bool *some,
			bool *nonzero)
{
	*some = false;
	*nonzero = false;
	for (unsigned int row = 0; row < t->nr_rows; row++)
		for (unsigned int col = 0; col < t->nr_cols; col++) {
			const struct stat_cell *cell = cell_of(t, row, col);

			if (!cell->known && !cell->doubtful)
				continue;
			*some = true;
			*nonzero |= cell->value != 0 || cell->doubtful;
			if (cell->value || cell->doubtful || !t->skip_zeros) {
				s->row_shown[row] = true;
				s->col_shown[col] = true;
			}
		}
}

/* ---- text ----------------------------------------------------------------- */

static void put_rule(unsigned int width, bool right)
{
	if (right)
		putchar(' ');
	for (unsigned int i = 1; i < width; i++)
		putchar('-');
	if (!right)
		putchar(' ');
}

static void put_left(const char *text, unsigned int width)
{
	printf("%s%*s", text, (int)(width - text_width(text)), "");
}

/* ASCII alone. */
static void put_right(const char *text, unsigned int width)
{
	for (size_t n = strlen(text); n < width; n++)
		putchar(' ');
	fputs(text, stdout);
}

enum line {
	LINE_HEADS,
	LINE_HEAD_RULE,
	LINE_ROW,
	LINE_TOTAL_RULE,
};

static void put_label(const struct stat_table *t, const struct shape *s,
		      enum line line, unsigned int row)
{
	if (line == LINE_ROW)
		put_left(or_empty(t->labels[row]), s->label);
	else if (line == LINE_HEADS)
		put_left(or_empty(t->corner), s->label);
	else if (line == LINE_TOTAL_RULE || t->corner)
		put_rule(s->label, false);
	else
		put_left("", s->label);
}

static void put_cell(const struct stat_table *t, const struct shape *s,
		     enum line line, unsigned int row, unsigned int col)
{
	if (line == LINE_HEADS)
		put_right(or_empty(t->heads[col]), s->widths[col]);
	else if (line == LINE_ROW)
		put_right(text_of(t, s, row, col), s->widths[col]);
	else
		put_rule(s->widths[col], true);
}

/* Returns the first column of the next section. Hidden columns count for where
 * a section ends, as in numastat. */
static unsigned int put_line(const struct stat_table *t, const struct shape *s,
			     enum line line, unsigned int row,
			     unsigned int first, unsigned int width)
{
	unsigned int used = s->label;
	unsigned int col = first;

	put_label(t, s, line, row);
	do {
		if (s->col_shown[col]) {
			put_cell(t, s, line, row, col);
			used += s->widths[col];
		}
		col++;
	} while (col < t->nr_cols && used + s->widths[col] <= width);
	putchar('\n');
	return col;
}

static unsigned int put_section(const struct stat_table *t,
				const struct shape *s, unsigned int first,
				unsigned int width)
{
	unsigned int next = put_line(t, s, LINE_HEADS, 0, first, width);

	if (!t->bare)
		put_line(t, s, LINE_HEAD_RULE, 0, first, width);
	for (unsigned int at = 0; at < t->nr_rows; at++) {
		if (t->total && at + 1 == t->nr_rows)
			put_line(t, s, LINE_TOTAL_RULE, 0, first, width);
		if (s->row_shown[t->order[at]])
			put_line(t, s, LINE_ROW, t->order[at], first, width);
	}
	return next;
}

static void put_sections(const struct stat_table *t, const struct shape *s,
			 unsigned int width)
{
	bool again = false;

	for (unsigned int col = 0; col < t->nr_cols;) {
		if (!s->col_shown[col]) {
			col++;
			continue;
		}
		if (again)
			putchar('\n');
		again = true;
		col = put_section(t, s, col, width);
	}
}

void stat_table_print(const struct stat_table *t, unsigned int width)
{
	struct shape s = {
		.texts = allocate((size_t)t->nr_rows * t->nr_cols,
				  sizeof(*s.texts)),
		.row_shown = allocate(t->nr_rows, sizeof(*s.row_shown)),
		.col_shown = allocate(t->nr_cols, sizeof(*s.col_shown)),
		.widths = allocate(t->nr_cols, sizeof(*s.widths)),
		.label = label_width(t),
	};
	bool some, nonzero;

	format_cells(t, &s);
	for (unsigned int col = 0; col < t->nr_cols; col++)
		s.widths[col] = cell_width(t, &s, col);
	shape_known(t, &s, &some, &nonzero);
	if (!some)
		puts("Table has no data.");
	else if (!nonzero && t->skip_zeros)
		puts("Table has no non-zero data.");
	else
		put_sections(t, &s, width);
	free(s.texts);
	free(s.row_shown);
	free(s.col_shown);
	free(s.widths);
}
