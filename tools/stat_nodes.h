/* SPDX-License-Identifier: MIT */
/*
 * numatally stat by node: what is read, what of it is shown, and how.
 *
 * A column is a figure of the kernel's, or something that the topology has. A
 * look is the nodes at one moment; two of them take turns, so that what changed
 * is known and nothing is allocated from one to the next.
 */
#ifndef STAT_NODES_H
#define STAT_NODES_H

#include <numatally/kernel_node.h>
#include <numatally/topo.h>

#include "output.h"
#include "stat.h"

/* Groups of columns: the sources, and this. */
#define NODES_TOPOLOGY	((int)TALLY_NR_SOURCES)
#define NODES_NR_GROUPS (NODES_TOPOLOGY + 1)

/* Units of columns: enum tally_unit, and this. */
#define NODES_UNIT_NONE (-1)

struct nodes_column {
	int group;
	int figure; /* -1: of the topology: */
	int to;	    /* the distance to this node; -1: the tier */
	int unit;
	int64_t page_bytes; /* 0: not known, or not in pages */
	bool counter;
	bool estimate;
	bool distinct; /* pages that are not of the size of the group's others */
	char name[80];
};

struct nodes_row {
	int id;
	int err[TALLY_NR_SOURCES];
	int before; /* its place in the look before, or -1 */
	const struct tally_node *known; /* in the topology, or NULL */
	double share;			/* how much it matters, 0 to 1 */
};

struct nodes_look {
	int64_t time_ns; /* CLOCK_MONOTONIC */
	struct nodes_row *rows;
	unsigned int nr;
	unsigned int max;
	int64_t *values; /* [row][figure] */
	size_t max_values;
	unsigned int nr_figures;
};

struct nodes_stat {
	const struct stat_options *o;
	struct tally_nodes *nodes;
	struct tally_topo *topo; /* NULL: not asked for, or not to be had */
	struct nodes_column *columns;
	unsigned int nr_columns;
	unsigned int max_columns;
	unsigned int nr_figures; /* that columns were chosen from */
	struct nodes_look looks[2];
	struct nodes_look *now;
	struct nodes_look *before; /* NULL: this is the first */
	double seconds;		   /* since then; 0: the first */
	unsigned int *shown;	   /* rows of now, in the order to be shown */
	unsigned int nr_shown;
	unsigned int max_shown;
	unsigned int nr_rest; /* rows that --top leaves out */
	uint64_t nr_looks;
	bool known; /* the topology is another one than in the look before */
	bool failed;
};

/* What became of a figure since the look before. */
enum nodes_change {
	NODES_UNCHANGED, /* there is nothing to compare with */
	NODES_CHANGED,	 /* by *delta */
	NODES_RESET,	 /* a counter went backwards */
};

/* Sources that are worth reading for what is asked. */
unsigned int nodes_sources(const struct stat_options *o);
bool nodes_wants_topology(const struct stat_options *o);

/* Which figures and nodes there are to show, in which order. -ENOMEM */
int nodes_choose_columns(struct nodes_stat *s);
int nodes_choose_rows(struct nodes_stat *s);

/* Whether --nodes has it, or has nothing. */
bool nodes_is_asked_for(const struct stat_options *o, int id);

/* TALLY_UNKNOWN where it is not. */
int64_t nodes_value(const struct nodes_stat *s, const struct nodes_row *row,
		    const struct nodes_column *c);
enum nodes_change nodes_change(const struct nodes_stat *s,
			       const struct nodes_row *row,
			       const struct nodes_column *c, int64_t *delta);

/* "meminfo", … "topology" */
const char *nodes_group(int group);
/* "bytes", "pages", "events", "ns", "objects"; "" where there is none */
const char *nodes_unit(int unit);

/* What a table or a line says of a figure. */
enum nodes_kind {
	NODES_NOTHING, /* it is not known */
	NODES_VALUE,   /* what is there, or was counted so far */
	NODES_RATE,    /* what was counted meanwhile, per second */
	NODES_BACK,    /* it was reset */
};

struct nodes_cell {
	enum nodes_kind kind;
	int64_t value;
	double rate;
};

struct nodes_cell nodes_cell(const struct nodes_stat *s,
			     const struct nodes_row *row,
			     const struct nodes_column *c);
bool nodes_cell_is_zero(const struct nodes_cell *cell);

/* As people read it; brief: large numbers in three or four digits. */
void nodes_cell_text(const struct nodes_column *c,
		     const struct nodes_cell *cell, bool brief,
		     char text[OUTPUT_NUMBER]);

/* For programs; much faster than printf(). Rates are to the thousandth. */
void nodes_put_integer(int64_t value);
void nodes_put_rate(double rate);

/* Writes words, folded to width columns; lines after the first begin at indent.
 */
struct nodes_words {
	unsigned int indent;
	unsigned int width;
	unsigned int column; /* where we are */
};

void nodes_put_word(struct nodes_words *words, const char *before,
		    const char *word);

/* Each writes a look. 0, or -errno where it is not yet said: -ENOMEM */
int nodes_json(struct nodes_stat *s);
int nodes_csv(struct nodes_stat *s);
int nodes_long(struct nodes_stat *s);
int nodes_table(struct nodes_stat *s);

#endif
