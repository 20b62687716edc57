/* SPDX-License-Identifier: MIT */
/* Values in rows that have labels: what a ledger is exported as. */
#ifndef TOOL_EXPORT_TABLE_H
#define TOOL_EXPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the place of a value that there is not. */
#define EXPORT_ABSENT INT64_MIN

struct export_row {
	char *labels;	    /* name="value", and so on, escaped; may be empty */
	unsigned int bytes; /* of them */
	unsigned int node;  /* its index in the ledger */
	unsigned int nr;    /* columns */
	bool shown;
	/* What counters had when they began anew: it is added to the values.
	 * NULL: nothing. [column] */
	int64_t *base;
	/* [column], and behind these as many that are being read: they take the place
	 * of the first ones once all have been read. */
	int64_t values[];
};

struct export_table {
	struct export_row **rows;
	size_t nr, room;
};

/* Make a row of zeros; it takes @labels, from malloc(), and frees them also where
 * there is no memory for it: then it is NULL. They may be NULL, for no memory. */
struct export_row *export_row_new(char *labels, unsigned int node,
				  unsigned int nr_columns);
void export_row_free(struct export_row *row);

/* Make room for rows. -ENOMEM */
int export_table_reserve(struct export_table *table, size_t nr);

/* Add a row, which may be NULL, at the end: then, or without memory, -ENOMEM. The
 * table owns it, also after a failure. */
int export_table_add(struct export_table *table, struct export_row *row);
void export_table_clear(struct export_table *table);

/* What is being read. */
static inline int64_t *export_fresh(struct export_row *row)
{
	return row->values + row->nr;
}
void export_table_begin(struct export_table *table);  /* with zeros */
void export_table_commit(struct export_table *table); /* it takes its place */

/* Set the labels of a row; NULL, for no memory: -ENOMEM. */
int export_row_label(struct export_row *row, char *labels);

/* The base of a row, made of zeros where there is none. NULL: no memory. */
int64_t *export_row_base(struct export_row *row);

/* A value with its base. They wrap as counters do. */
static inline int64_t export_value(const struct export_row *row,
				   unsigned int column)
{
	int64_t value = row->values[column];

	if (row->base && value != EXPORT_ABSENT)
		value = (int64_t)((uint64_t)value +
				  (uint64_t)row->base[column]);
	return value;
}

/*
 * Escape bytes of any origin as the value of a label: quotes, backslashes and line
 * feeds, as the text formats want it. A byte that is not UTF-8 becomes U+FFFD and
 * two hexadecimal digits, and so do those of U+FFFD itself: different bytes stay
 * different. From malloc(); NULL: no memory.
 */
char *export_escape(const char *bytes);

#endif
