/* SPDX-License-Identifier: MIT */
/*
 * A table in numastat's format: rows of figures, a column for each node and one
 * for the total, folded into sections that fit the line.
 *
 *	 corner   | heads[0]  heads[1]  …        row of heads
 *	 -------- | --------  --------           rule, unless it is bare
 *	 labels[0]| cells[0]  cells[1]           rows, in the order of order[]
 *	 labels[1]| …
 *	 -------- | --------  --------           if the last row is a total
 *	 Total    | …
 *
 * Columns are as wide as numastat's, and wider only if a text would be cut off
 * or would touch the one before it.
 */
#ifndef TOOL_STAT_NUMASTAT_TABLE_H
#define TOOL_STAT_NUMASTAT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct stat_cell {
	int64_t value;
	bool known;
	bool doubtful; /* not known, or not all of it: "-" */
};

/* The format of values. */
enum stat_form {
	STAT_COUNT,	/* a number */
	STAT_MIB,	/* of bytes, with two decimal places */
	STAT_MIB_WHOLE, /* of bytes, rounded */
};

struct stat_table {
	unsigned int nr_rows;
	unsigned int nr_cols;
	char **labels; /* by row */
	char **heads;  /* by column */
	struct stat_cell *cells;
	unsigned int *order; /* rows from top to bottom */
	/* The caller sets these; they begin as 0. */
	enum stat_form form;
	const char *corner; /* NULL: none, and no rule below it */
	bool bare;	    /* no rule */
	bool total;	    /* the last row is a total */
	bool compress;
	bool skip_zeros;
	unsigned int label_min, label_max; /* without compress */
};

/* Make a table without labels and heads, of unknown values. */
void stat_table_init(struct stat_table *t, unsigned int nr_rows,
		     unsigned int nr_cols);
void stat_table_free(struct stat_table *t);

/* Copy @text. A label must be printable, a head ASCII. */
void stat_table_label(struct stat_table *t, unsigned int row, const char *text);
void stat_table_head(struct stat_table *t, unsigned int col, const char *text);

struct stat_cell *stat_table_cell(struct stat_table *t, unsigned int row,
				  unsigned int col);

/* Add to a cell, which is then known. A sum that overflows saturates. */
void stat_table_add(struct stat_table *t, unsigned int row, unsigned int col,
		    int64_t value);

/*
 * Sort the first @nr rows by a column, the largest first. Equal rows go where
 * numastat's selection sort puts them, which depends on the order before. Insert
 * the rows behind them, up to @nr_all, each before the first smaller one.
 */
void stat_table_sort(struct stat_table *t, unsigned int nr, unsigned int nr_all,
		     unsigned int col);

/* Print the table on lines of @width columns. */
void stat_table_print(const struct stat_table *t, unsigned int width);

#endif
