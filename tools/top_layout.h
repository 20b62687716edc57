/* SPDX-License-Identifier: MIT */
/*
 * What goes where on a screen of any size:
 *
 *	title
 *	heads of nodes
 *	all nodes
 *	the chosen node, where nodes are folded
 *	heads of cells, where nodes are folded
 *	nodes: one a line, or several
 *	heads of rows
 *	rows
 *	status
 *
 * The smaller it is, the fewer of these there are.
 */
#ifndef TOP_LAYOUT_H
#define TOP_LAYOUT_H

#include <stdbool.h>

#include "top_list.h"
#include "top_model.h"

/* What is shown of a node, as it stands from left to right. */
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
	unsigned int index; /* of the node, of TOP_NODE */
	unsigned int x, width;
};

#define TOP_MAX_PLACES 128

struct top_layout {
	unsigned int width, height;
	/* Lines; -1: not shown. */
	int title, node_head, all, chosen, cell_head, nodes, row_head, rows,
		status;
	unsigned int node_lines, cells; /* cells in a line */
	unsigned int cell_width;	/* and a space between two */
	unsigned int nr_cells;		/* that there is room for */
	struct top_fields wide;		/* of what has a line to itself */
	struct top_fields cell;		/* of nodes */
	unsigned int row_lines;
	struct top_place places[TOP_MAX_PLACES];
	unsigned int nr_places;
};

struct top_choice {
	enum top_by by;
	struct top_sort sort;
	/* All lines are wanted: height means nothing, and is set. */
	bool whole;
	size_t nr_rows; /* in the list, where whole */
};

void top_layout_make(struct top_layout *layout, unsigned int width,
		     unsigned int height, const struct top_model *model,
		     const struct top_choice *choice);

#endif
