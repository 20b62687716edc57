/* SPDX-License-Identifier: MIT */
#ifndef TOOL_STAT_NODES_TABLE_H
#define TOOL_STAT_NODES_TABLE_H

#include "stat/nodes/nodes.h"

#define NODES_HEADING_LINES 6

/* Holds the name of a figure. */
#define NODES_LABEL 96

struct nodes_heading {
	unsigned int nr;
	unsigned int width;
	char words[NODES_HEADING_LINES][32];
};

struct nodes_table_cell {
	struct nodes_cell is;
	char text[OUTPUT_NUMBER];
	unsigned int width;
};

struct nodes_table {
	const struct nodes_stat *s;
	unsigned int terminal;
	bool down; /* nodes go down */
	bool rest; /* a line for nodes that --top leaves out */
	bool all;
	bool noted;			/* a note was printed below */
	unsigned int nr_lines;		/* nodes, and the sums */
	struct nodes_table_cell *cells; /* [column][line] */
	struct nodes_heading *headings; /* of columns */
	unsigned int *widths;		/* of columns' cells; 0: hidden */
	unsigned int *line_widths;	/* of lines' cells */
};

/* Fill the cells, and choose what goes down and which columns are hidden. */
void nodes_shape(struct nodes_table *t);

struct nodes_table_cell *nodes_cell_at(const struct nodes_table *t,
				       unsigned int column, unsigned int line);

/* Whether a column is left out for want of room: distances alone. */
bool nodes_is_too_much(const struct nodes_table *t,
		       const struct nodes_column *c);

/* Whether a column is hidden, and if so, whether it is zero everywhere; else it
 * is not known anywhere. */
bool nodes_is_hidden(const struct nodes_table *t, unsigned int column,
		     bool *zero);

/* The name of a figure. Returns @text. */
const char *nodes_label(const struct nodes_column *c, char text[NODES_LABEL]);

/* The same with the unit of rates: "numa_hit /s". */
void nodes_figure_name(const struct nodes_table *t,
		       const struct nodes_column *c, char text[NODES_LABEL]);

/* The width of the widest of these. */
unsigned int nodes_name_width(const struct nodes_table *t);

#endif
