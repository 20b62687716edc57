/* SPDX-License-Identifier: MIT */
/* The table by process, cgroup or user. */
#ifndef TOOL_STAT_USAGE_TABLE_H
#define TOOL_STAT_USAGE_TABLE_H

#include "stat/usage/usage.h"

#define USAGE_CELL 24

enum usage_what {
	NUMBER, /* PID */
	USER,
	PROCESSES,
	THREADS,
	NODE,
	OTHERS, /* nodes without a column */
	NO_NODE,
	ALL,
	CHANGE, /* of memory on all nodes */
	PRIVATE,
	COMMON,
	ANONYMOUS,
	FILES,
	SHMEM,
	KERNEL,
	SWAP,
	LOCAL,
	CPU, /* since the reading before */
};

struct usage_column {
	enum usage_what what;
	unsigned int rank; /* low: important */
	int node;
	bool shown;
	bool left; /* aligned to the left */
	unsigned int width;
	int64_t weight; /* of nodes: large ones are shown first */
	char head[USAGE_CELL];
	char (*cells)[USAGE_CELL]; /* by line */
};

struct usage_table {
	struct usage *u;
	unsigned int terminal;
	struct usage_column *columns;
	unsigned int nr;
	unsigned int nr_lines; /* rows, and their sum */
	bool all;	       /* there is a sum */
	bool inexact;	       /* a note on estimates is needed */
	bool local;	       /* a note on local memory is needed */
	bool open;	       /* some figures are ranges */
	bool charges;	       /* some cgroup has an account */
};

/* The cell of a column in a row. */
void usage_cell(struct usage_table *t, const struct usage_row *row,
		const struct usage_column *c, char text[USAGE_CELL]);

/* An amount, a part of @whole, marked if it is an estimate. */
void usage_cell_figure(struct usage_table *t, const struct tally_mem_figure *f,
		       const struct tally_mem_figure *whole,
		       char text[USAGE_CELL]);

/* Print what the marks of the visible cells mean. */
void usage_notes(const struct usage_table *t);

/* Add to each figure. */
void usage_node_add(struct tally_process_node *to,
		    const struct tally_process_node *n);

#endif
