/* SPDX-License-Identifier: MIT */
/* The columns of rows, and rows in an order. */
#ifndef TOP_LIST_H
#define TOP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "top_model.h"

/* As they stand from left to right. */
enum top_column {
	TOP_ID, /* pid; of cgroups and users the number of processes */
	TOP_USER,
	TOP_CPU,
	TOP_MEMORY,
	TOP_REMOTE_SHARE,
	TOP_ANONYMOUS,
	TOP_FILE,
	TOP_SHARED,
	TOP_HUGE,
	TOP_SWAP,
	TOP_WHERE, /* the nodes that have most of its memory */
	TOP_NODE,  /* one node's part; there are as many as nodes */
	TOP_NAME,
	TOP_NR_COLUMNS
};

/* What columns of nodes are about. */
enum top_view {
	TOP_VIEW_MEMORY,
	TOP_VIEW_ANONYMOUS,
	TOP_VIEW_FILE,
	TOP_VIEW_SHARED,
	TOP_VIEW_HUGE,
	TOP_VIEW_CPU,
	TOP_NR_VIEWS
};

/* Largest first, but names and pids smallest first; or the other way round. */
struct top_sort {
	enum top_column column;
	int node; /* of TOP_NODE: sysfs's number */
	bool reverse;
};

/* "memory", "cpu", ...: what --sort calls a column, and people too. */
const char *top_column_name(enum top_column column);
const char *top_view_name(enum top_view view);

/* Whether rows of this kind have that column, and can be sorted by it. */
bool top_column_is_there(enum top_column column, enum top_by by);
bool top_column_sorts(enum top_column column, enum top_by by);

/* The column that is called so: a name, a node's number, or "node" before it.
 * -1: none is. */
int top_sort_parse(const char *text, struct top_sort *sort);

/* What a row has of a view on the node with this index: bytes, or CPUs in
 * millionths; TOP_UNKNOWN. */
int64_t top_view_amount(const struct top_model *model,
			const struct top_row *row, enum top_view view,
			unsigned int index);

struct top_list {
	struct top_entry {
		const struct top_row *row;
		int64_t amount;
	} * entries;
	size_t nr, room;
};

/* Whether the filter is empty, or in the row's name, user or number, in
 * whatever case. */
bool top_row_matches(const struct top_model *model, const struct top_row *row,
		     const char *filter);

/* Lists the rows that match, in order; they belong to the model. -1: no
 * memory, the list is as it was. */
int top_list_make(struct top_list *list, const struct top_model *model,
		  const struct top_sort *sort, enum top_view view,
		  const char *filter);
void top_list_free(struct top_list *list);

#endif
