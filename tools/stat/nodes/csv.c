// SPDX-License-Identifier: MIT
/*
 * A row for each figure of each node:
 *
 *	time,node,source,figure,unit,page_bytes,counter,estimate,value,
 *		delta,per_second,reset
 *
 * Unknown and inapplicable fields are empty. The header is written once, the
 * topology whenever the set of nodes changes.
 */
#include "config.h"

#include "stat/csv.h"
#include "stat/nodes/nodes.h"

static void put_change(const struct nodes_stat *s, const struct nodes_row *row,
		       const struct nodes_column *c)
{
	int64_t delta;

	switch (nodes_change(s, row, c, &delta)) {
	case NODES_CHANGED:
		putc_unlocked(',', stdout);
		stat_csv_integer(delta);
		putc_unlocked(',', stdout);
		if (c->counter && s->seconds > 0)
			stat_csv_decimal((double)delta / s->seconds);
		fputs(",0", stdout);
		break;
	case NODES_RESET:
		fputs(",,,1", stdout);
		break;
	default:
		fputs(",,,0", stdout);
		break;
	}
}

static void put_figure(const struct nodes_stat *s, const struct nodes_row *row,
		       const struct nodes_column *c)
{
	int64_t value = nodes_value(s, row, c);

	stat_csv_time(s->now->real_ns);
	putc_unlocked(',', stdout);
	stat_csv_integer(row->id);
	putc_unlocked(',', stdout);
	fputs_unlocked(nodes_group(c->group), stdout);
	putc_unlocked(',', stdout);
	stat_csv_name(c->name);
	putc_unlocked(',', stdout);
	fputs_unlocked(nodes_unit(c->unit), stdout);
	putc_unlocked(',', stdout);
	if (c->page_bytes)
		stat_csv_integer(c->page_bytes);
	fputs_unlocked(c->counter ? ",1" : ",0", stdout);
	fputs_unlocked(c->estimate ? ",1," : ",0,", stdout);
	if (value != TALLY_UNKNOWN)
		stat_csv_integer(value);
	put_change(s, row, c);
	putc_unlocked('\n', stdout);
}

int nodes_csv(struct nodes_stat *s)
{
	if (s->nr_looks == 1)
		fputs("time,node,source,figure,unit,page_bytes,counter,"
		      "estimate,value,delta,per_second,reset\n",
		      stdout);
	for (unsigned int i = 0; i < s->nr_shown; i++) {
		const struct nodes_row *row = &s->now->rows[s->shown[i]];

		for (unsigned int c = 0; c < s->nr_columns; c++) {
			const struct nodes_column *column = &s->columns[c];
			int64_t value = nodes_value(s, row, column);

			if (column->group == NODES_TOPOLOGY && !s->known)
				continue;
			if (!s->o->skip_zeros || value)
				put_figure(s, row, column);
		}
	}
	return 0;
}
