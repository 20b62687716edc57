/* SPDX-License-Identifier: MIT */
/* What the parts of the table by process, cgroup or user share. */
#ifndef STAT_USAGE_TABLE_H
#define STAT_USAGE_TABLE_H

#include "stat_usage.h"

#define USAGE_CELL 24

enum usage_what {
	NUMBER, /* the process's */
	USER,
	PROCESSES,
	THREADS,
	NODE,
	OTHERS, /* nodes that didn't fit */
	NO_NODE,
	ALL,
	CHANGE, /* of all */
	PRIVATE,
	COMMON,
	ANONYMOUS,
	FILES,
	SHMEM,
	KERNEL,
	SWAP,
	LOCAL,
	CPU, /* since the look before */
};

struct usage_column {
	enum usage_what what;
	unsigned int rank; /* the lower, the sooner it is there */
	int node;
	bool shown;
	bool left; /* aligned */
	unsigned int width;
	int64_t weight; /* of nodes: which come first */
	char head[USAGE_CELL];
	char (*cells)[USAGE_CELL]; /* by line */
};

struct usage_table {
	struct usage *u;
	unsigned int terminal;
	struct usage_column *columns;
	unsigned int nr;
	unsigned int nr_lines; /* rows, and all */
	bool all;
	bool inexact;
	bool local;
};

/* What a column has to say of a row. */
void usage_cell(struct usage_table *t, const struct usage_row *row,
		const struct usage_column *c, char text[USAGE_CELL]);

/* An amount, marked where it is an estimate. */
void usage_cell_figure(struct usage_table *t, const struct tally_mem_figure *f,
		       char text[USAGE_CELL]);

#endif
