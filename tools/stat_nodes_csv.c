// SPDX-License-Identifier: MIT
/*
 * A row for each figure of each node (RFC 4180):
 *
 *	time_ns,node,source,figure,unit,page_bytes,counter,estimate,value,
 *		delta,per_second,reset
 *
 * What is not known, or doesn't apply, is empty. The header is written once.
 */
#include "config.h"

#include "stat_again.h"
#include "stat_nodes.h"

static void put_change(const struct nodes_stat *s, const struct nodes_row *row,
		       const struct nodes_column *c)
{
	int64_t delta;

	switch (nodes_change(s, row, c, &delta)) {
	case NODES_CHANGED:
		printf(",%jd,", (intmax_t)delta);
		if (c->counter && s->seconds > 0)
			printf("%.3f", (double)delta / s->seconds);
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

	printf("%jd,%d,%s,", (intmax_t)s->now->time_ns, row->id,
	       nodes_group(c->group));
	stat_csv_text(c->name);
	printf(",%s,", nodes_unit(c->unit));
	if (c->page_bytes)
		printf("%jd", (intmax_t)c->page_bytes);
	printf(",%d,%d,", c->counter, c->estimate);
	if (value != TALLY_UNKNOWN)
		printf("%jd", (intmax_t)value);
	put_change(s, row, c);
	fputs("\r\n", stdout);
}

int nodes_csv(struct nodes_stat *s)
{
	if (s->nr_looks == 1)
		fputs("time_ns,node,source,figure,unit,page_bytes,counter,"
		      "estimate,value,delta,per_second,reset\r\n",
		      stdout);
	for (unsigned int i = 0; i < s->nr_shown; i++) {
		const struct nodes_row *row = &s->now->rows[s->shown[i]];

		for (unsigned int c = 0; c < s->nr_columns; c++) {
			const struct nodes_column *column = &s->columns[c];
			int64_t value = nodes_value(s, row, column);

			/* Zero is said, but not where it is not asked for. */
			if (!s->o->skip_zeros || value)
				put_figure(s, row, column);
		}
	}
	return 0;
}
