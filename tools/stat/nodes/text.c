// SPDX-License-Identifier: MIT
/* Figures as text, and a line for each group of a node's figures. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "stat/nodes/nodes.h"

struct nodes_cell nodes_cell(const struct nodes_stat *s,
			     const struct nodes_row *row,
			     const struct nodes_column *c)
{
	struct nodes_cell cell = {.kind = NODES_VALUE};
	int64_t delta;

	cell.value = nodes_value(s, row, c);
	if (cell.value == TALLY_UNKNOWN)
		cell.kind = NODES_NOTHING;
	if (cell.kind == NODES_NOTHING || !c->counter || !s->before)
		return cell;
	switch (nodes_change(s, row, c, &delta)) {
	case NODES_CHANGED:
		cell.kind = NODES_RATE;
		cell.rate = s->seconds > 0 ? (double)delta / s->seconds : 0;
		break;
	case NODES_RESET:
		cell.kind = NODES_BACK;
		break;
	default:
		cell.kind = NODES_NOTHING;
		break;
	}
	return cell;
}

bool nodes_cell_is_zero(const struct nodes_cell *cell)
{
	return (cell->kind == NODES_VALUE && cell->value == 0) ||
	       (cell->kind == NODES_RATE && !(cell->rate > 0));
}

/* "12345", "28.5M" */
static void brief_number(double n, char text[OUTPUT_NUMBER])
{
	static const char suffixes[] = " kMGTPE";
	const char *p = suffixes;

	if (n < 99999.5) {
		snprintf(text, OUTPUT_NUMBER, "%.0f", n);
		return;
	}
	for (; n >= 999.5 && p[1]; p++)
		n /= 1000;
	snprintf(text, OUTPUT_NUMBER, "%.*f%c", n < 99.95 ? 1 : 0, n, *p);
}

static void rate_text(const struct nodes_column *c, double rate, bool brief,
		      char text[OUTPUT_NUMBER])
{
	if (!(rate > 0))
		memcpy(text, "0", sizeof("0"));
	else if (c->unit == TALLY_UNIT_NS)
		snprintf(text, OUTPUT_NUMBER, "%.2f", rate / 1e9);
	else if (c->unit == TALLY_UNIT_BYTES)
		output_bytes(rate < 9e18 ? (int64_t)rate : INT64_MAX, text);
	else if (rate < 99.95)
		snprintf(text, OUTPUT_NUMBER, "%.1f", rate);
	else if (brief)
		brief_number(rate, text);
	else
		snprintf(text, OUTPUT_NUMBER, "%.0f", rate);
}

static void value_text(const struct nodes_column *c, int64_t value, bool brief,
		       char text[OUTPUT_NUMBER])
{
	if (!value)
		memcpy(text, "0", sizeof("0"));
	else if (c->unit == TALLY_UNIT_BYTES)
		output_bytes(value, text);
	else if (c->unit == TALLY_UNIT_NS)
		output_time(value, text);
	else if (brief)
		brief_number((double)value, text);
	else
		snprintf(text, OUTPUT_NUMBER, "%jd", (intmax_t)value);
}

void nodes_cell_text(const struct nodes_column *c,
		     const struct nodes_cell *cell, bool brief,
		     char text[OUTPUT_NUMBER])
{
	switch (cell->kind) {
	case NODES_VALUE:
		value_text(c, cell->value, brief, text);
		break;
	case NODES_RATE:
		rate_text(c, cell->rate, brief, text);
		break;
	case NODES_BACK:
		memcpy(text, "reset", sizeof("reset"));
		return;
	default:
		memcpy(text, "-", sizeof("-"));
		return;
	}
	if (c->estimate) {
		memmove(text + 1, text, OUTPUT_NUMBER - 2);
		text[0] = '~';
		text[OUTPUT_NUMBER - 1] = '\0';
	}
}

void nodes_put_word(struct nodes_words *w, const char *before, const char *word)
{
	unsigned int len = (unsigned int)(strlen(before) + strlen(word));

	if (w->column > w->indent && w->column + len > w->width) {
		printf("\n%*s", (int)w->indent, "");
		w->column = w->indent;
		before += strspn(before, " ");
		len = (unsigned int)(strlen(before) + strlen(word));
	}
	printf("%s%s", before, word);
	w->column += len;
}

/* ---- a line for each group of figures ----------------------------------- */

static void delta_text(const struct nodes_column *c, int64_t delta,
		       char text[OUTPUT_NUMBER])
{
	char amount[OUTPUT_NUMBER];

	value_text(c, delta < 0 ? -delta : delta, false, amount);
	snprintf(text, OUTPUT_NUMBER, " %c%.28s", delta < 0 ? '-' : '+',
		 amount);
}

/* "numa_hit 123 +5 2.5/s": the name, the value, its change and rate. */
static void put_figure(const struct nodes_stat *s, struct nodes_words *words,
		       const struct nodes_row *row,
		       const struct nodes_column *c)
{
	struct nodes_cell value = {.kind = NODES_VALUE}, rate;
	char text[OUTPUT_NUMBER], more[2 * OUTPUT_NUMBER] = "";
	char line[256];
	int64_t delta = 0;

	value.value = nodes_value(s, row, c);
	if (value.value == TALLY_UNKNOWN)
		value.kind = NODES_NOTHING;
	nodes_cell_text(c, &value, false, text);
	rate = nodes_cell(s, row, c);
	if (rate.kind == NODES_BACK) {
		snprintf(more, sizeof(more), " reset");
	} else if (nodes_change(s, row, c, &delta) == NODES_CHANGED && delta) {
		char change[OUTPUT_NUMBER], each[OUTPUT_NUMBER];

		delta_text(c, delta, change);
		rate_text(c, rate.rate, false, each);
		if (rate.kind == NODES_RATE)
			snprintf(more, sizeof(more), "%.30s %.20s%s", change,
				 each,
				 c->unit == TALLY_UNIT_NS ? " CPUs" : "/s");
		else
			snprintf(more, sizeof(more), "%s", change);
	}
	snprintf(line, sizeof(line), "%s %s%s", c->name, text, more);
	nodes_put_word(words, "  ", line);
}

/* "distances 0:10 1:21" */
static void put_distance(const struct nodes_stat *s, struct nodes_words *words,
			 const struct nodes_row *row,
			 const struct nodes_column *c, bool first)
{
	char word[32];

	if (first)
		nodes_put_word(words, "  ", "distances");
	snprintf(word, sizeof(word), "%d:%jd", c->to,
		 (intmax_t)nodes_value(s, row, c));
	nodes_put_word(words, " ", word);
}

static bool is_left_out(const struct nodes_stat *s, const struct nodes_row *row,
			const struct nodes_column *c)
{
	int64_t value = nodes_value(s, row, c);

	return value == TALLY_UNKNOWN || (s->o->skip_zeros && !value);
}

static void put_group(const struct nodes_stat *s, const struct nodes_row *row,
		      int group, unsigned int width)
{
	struct nodes_words words = {.indent = 15, .width = width};
	bool begun = false, distances = false;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (c->group != group || is_left_out(s, row, c))
			continue;
		if (!begun) {
			printf("%4d  %-9s", row->id, nodes_group(group));
			words.column = words.indent;
			begun = true;
		}
		if (c->to >= 0) {
			put_distance(s, &words, row, c, !distances);
			distances = true;
		} else {
			put_figure(s, &words, row, c);
		}
	}
	if (begun)
		putchar('\n');
	else if (group < TALLY_NR_SOURCES && row->err[group] &&
		 row->err[group] != -ENODATA)
		printf("%4d  %-9s  -\n", row->id, nodes_group(group));
}

int nodes_long(struct nodes_stat *s)
{
	unsigned int width = output_width(stdout);
	bool estimate = false;

	if (s->nr_looks > 1)
		printf("\nafter %.3f s\n", s->seconds);
	printf("%4s  %-9s  %s\n", "node", "group", "figures");
	for (unsigned int i = 0; i < s->nr_shown; i++)
		for (int g = 0; g < NODES_NR_GROUPS; g++)
			put_group(s, &s->now->rows[s->shown[i]], g, width);
	for (unsigned int i = 0; i < s->nr_columns; i++)
		estimate |= s->columns[i].estimate;
	if (s->nr_rest)
		printf("\nof %u nodes those with the largest mean share of "
		       "these figures\n",
		       s->nr_shown + s->nr_rest);
	if (estimate)
		printf("%s~ an estimate\n", s->nr_rest ? "" : "\n");
	return 0;
}
