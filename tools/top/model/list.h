/* SPDX-License-Identifier: MIT */
/* The columns of rows, and rows in an order. */
#ifndef TOOL_TOP_LIST_H
#define TOOL_TOP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "top/model/model.h"

/* From left to right. */
enum top_column {
	TOP_ID, /* PID; the number of processes of a cgroup or user */
	TOP_USER,
	TOP_CPU,
	TOP_MEMORY,
	TOP_REMOTE_SHARE,
	TOP_ANONYMOUS,
	TOP_FILE,
	TOP_SHARED,
	TOP_HUGE,
	TOP_SWAP,
	TOP_WHERE, /* the nodes with most of its memory */
	TOP_NODE,  /* the part of one node; one column for each */
	TOP_NAME,
	TOP_NR_COLUMNS
};

/* What the columns of nodes show. */
enum top_view {
	TOP_VIEW_MEMORY,
	TOP_VIEW_ANONYMOUS,
	TOP_VIEW_FILE,
	TOP_VIEW_SHARED,
	TOP_VIEW_HUGE,
	TOP_VIEW_CPU,
	TOP_NR_VIEWS
};

/* Largest first, or names and PIDs smallest first; or reversed. */
struct top_sort {
	enum top_column column;
	int node; /* of TOP_NODE: sysfs's number */
	bool reverse;
};

/* Names, as in --sort and on the screen: "memory", "cpu". */
const char *top_column_name(enum top_column column);
const char *top_view_name(enum top_view view);

/* Whether rows of this kind have the column, and can be sorted by it. */
bool top_column_is_there(enum top_column column, enum top_by by);
bool top_column_sorts(enum top_column column, enum top_by by);

/* Parse a column's name, a node's number, or "node" and its number. Returns 0 or
 * -1. */
int top_sort_parse(const char *text, struct top_sort *sort);

/* A row's amount on the node with this index: bytes, or millionths of a CPU, or
 * TOP_UNKNOWN. */
int64_t top_view_amount(const struct top_model *model,
			const struct top_row *row, enum top_view view,
			unsigned int index);

struct top_list {
	struct top_entry {
		const struct top_row *row;
		int64_t amount;
		unsigned int depth; /* in a tree */
	} * entries;
	size_t nr, room;
};

/* Whether rows are processes or threads, with a number each. */
static inline bool top_has_ids(enum top_by by)
{
	return by == TOP_PROCESSES || by == TOP_THREADS;
}

/* Whether the row's name, command line, user or PID contains @filter, of any
 * case. */
bool top_row_matches(const struct top_model *model, const struct top_row *row,
		     const char *filter);

/* List the rows that match, in order. The rows stay the model's. Returns 0, or
 * -ENOMEM with the list as it was. */
int top_list_make(struct top_list *list, const struct top_model *model,
		  const struct top_sort *sort, enum top_view view,
		  const char *filter);
void top_list_free(struct top_list *list);

/* Move each process behind its parent, if that is in the list; processes of one
 * parent keep their order. Returns 0, or -ENOMEM with the list as it was. */
int top_list_tree(struct top_list *list);

#endif
