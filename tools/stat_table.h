/* SPDX-License-Identifier: MIT */
/*
 * A table as numastat prints it: rows of figures, a column for each node and
 * one for their total, folded where it is wider than the line.
 *
 *	 corner   | heads[0]  heads[1]  …        row of heads
 *	 -------- | --------  --------           rule, unless it is bare
 *	 labels[0]| cells[0]  cells[1]           rows, in the order of order[]
 *	 labels[1]| …
 *	 -------- | --------  --------           where the last row is a total
 *	 Total    | …
 *
 * Columns are as wide as numastat's, and wider only where something in them
 * would be cut off or would touch what is left of it.
 */
#ifndef STAT_TABLE_H
#define STAT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct stat_cell {
	int64_t value;
	bool known;
};

/* How a value is written. */
enum stat_form {
	STAT_COUNT,	/* as it is */
	STAT_MIB,	/* of bytes, with two decimal places */
	STAT_MIB_WHOLE, /* of bytes, rounded */
};

struct stat_table {
	unsigned int nr_rows;
	unsigned int nr_cols;
	char **labels; /* by row */
	char **heads;  /* by column */
	struct stat_cell *cells;
	unsigned int *order; /* which row is where */
	/* The caller's to set; at first all is 0. */
	enum stat_form form;
	const char *corner; /* NULL: neither that nor a rule below it */
	bool bare;	    /* no rule */
	bool total;	    /* the last row is one */
	bool compress;
	bool skip_zeros;
	unsigned int label_min, label_max; /* but for compress */
};

/* Rows without labels and heads, and cells that are not known. */
void stat_table_init(struct stat_table *t, unsigned int nr_rows,
		     unsigned int nr_cols);
void stat_table_free(struct stat_table *t);

/* The table copies the text. A label is printable; a head is ASCII. */
void stat_table_label(struct stat_table *t, unsigned int row, const char *text);
void stat_table_head(struct stat_table *t, unsigned int col, const char *text);

struct stat_cell *stat_table_cell(struct stat_table *t, unsigned int row,
				  unsigned int col);

/* Adds to a cell, which is known then. What is too large stays the largest
 * that there is. */
void stat_table_add(struct stat_table *t, unsigned int row, unsigned int col,
		    int64_t value);

/*
 * Orders the first nr rows by a column, the largest first. Equal ones go where
 * numastat puts them, which is neither where they were nor at random, but
 * follows from the order before. Those after them, up to nr_all, are merged
 * into these, each before the first smaller one.
 */
void stat_table_sort(struct stat_table *t, unsigned int nr, unsigned int nr_all,
		     unsigned int col);

/* Prints it for lines of this width. */
void stat_table_print(const struct stat_table *t, unsigned int width);

#endif
