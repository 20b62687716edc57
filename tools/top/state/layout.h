/* SPDX-License-Identifier: MIT */
/*
 * The layout of a screen of any size:
 *
 *	title
 *	heads of nodes
 *	all nodes
 *	the chosen node, if nodes are folded
 *	heads of cells, if nodes are folded
 *	nodes: one or several on a line
 *	heads of rows
 *	rows
 *	status
 *
 * A small screen has fewer of these.
 */
#ifndef TOOL_TOP_LAYOUT_H
#define TOOL_TOP_LAYOUT_H

#include <stdbool.h>

#include "top/model/list.h"
#include "top/model/model.h"

/* The fields of a node, from left to right. */
enum top_field_id {
	TOP_FIELD_NODE,
	TOP_FIELD_TIER,
	TOP_FIELD_MEMORY_BAR,
	TOP_FIELD_MEMORY_SHARE,
	TOP_FIELD_MEMORY,
	TOP_FIELD_CPU_BAR,
	TOP_FIELD_CPU_SHARE,
	TOP_FIELD_RATE, /* and one for each enum top_counter */
	TOP_NR_FIELDS = TOP_FIELD_RATE + TOP_NR_COUNTERS
};

struct top_field {
	enum top_field_id id;
	unsigned int x, width; /* x: from the left edge of the cell */
};

struct top_fields {
	struct top_field field[TOP_NR_FIELDS];
	unsigned int nr;
};

/* A column of rows. */
struct top_place {
	enum top_column column;
	unsigned int index; /* of the node, if it is TOP_NODE */
	unsigned int x, width;
};

/* One for each node, and the others. */
#define TOP_MAX_PLACES (1024 + TOP_NR_COLUMNS)

struct top_layout {
	unsigned int width, height;
	/* Lines; -1: not shown. */
	int title, node_head, all, chosen, cell_head, nodes, row_head, rows,
		status;
	unsigned int node_lines, cells; /* cells on a line */
	unsigned int cell_width;	/* without the space between two */
	unsigned int nr_cells;		/* on the screen */
	struct top_fields wide;		/* of nodes with a line of their own */
	struct top_fields cell;		/* of nodes in cells */
	unsigned int row_lines;
	struct top_place places[TOP_MAX_PLACES];
	unsigned int nr_places;
};

struct top_choice {
	enum top_by by;
	struct top_sort sort;
	bool long_names; /* command lines, or a tree */
	bool whole;	 /* as many lines as needed, whatever the height */
	size_t nr_rows;	 /* of the list, if whole */
	/* Not 0, and whole: as many columns as needed, up to the width; that of
	 * names. */
	unsigned int name_width;
};

void top_layout_make(struct top_layout *layout, unsigned int width,
		     unsigned int height, const struct top_model *model,
		     const struct top_choice *choice);

#endif
