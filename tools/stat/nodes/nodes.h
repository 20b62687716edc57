/* SPDX-License-Identifier: MIT */
/*
 * numatally stat by node, in our own formats.
 *
 * A column is a figure of the kernel, or of the topology. A look is one reading
 * of all nodes; two looks take turns, so that changes are known and nothing is
 * allocated between them.
 */
#ifndef TOOL_STAT_NODES_NODES_H
#define TOOL_STAT_NODES_NODES_H

#include <numatally/kernel_node.h>
#include <numatally/topo.h>

#include "common/output.h"
#include "stat/stat.h"

/* Groups of columns: enum tally_source, and this. */
#define NODES_TOPOLOGY	((int)TALLY_NR_SOURCES)
#define NODES_NR_GROUPS (NODES_TOPOLOGY + 1)

/* Units of columns: enum tally_unit, and this. */
#define NODES_UNIT_NONE (-1)

struct nodes_column {
	int group;
	int figure; /* -1: of the topology */
	int to;	    /* distance to this node; -1: the tier */
	int unit;
	int64_t page_bytes; /* 0: unknown, or not in pages */
	bool counter;
	bool estimate;
	bool distinct; /* pages of another size than the group's others */
	char name[80];
};

struct nodes_row {
	int id;
	int err[TALLY_NR_SOURCES];
	int before; /* its index in the look before, or -1 */
	const struct tally_node *known; /* in the topology, or NULL */
	double share;			/* mean share of figures, 0 to 1 */
};

struct nodes_look {
	int64_t time_ns; /* monotonic */
	int64_t real_ns; /* since the epoch; TALLY_UNKNOWN: captured */
	struct nodes_row *rows;
	unsigned int nr;
	size_t room;
	int64_t *values; /* [row][figure] */
	size_t room_values;
	unsigned int nr_figures;
};

struct nodes_stat {
	const struct stat_options *o;
	struct tally_node_stats *nodes;
	struct tally_topo *topo; /* NULL: not wanted, or unreadable */
	struct nodes_column *columns;
	unsigned int nr_columns;
	size_t room_columns;
	unsigned int nr_figures; /* the figures columns were chosen from */
	struct nodes_look looks[2];
	struct nodes_look *now;
	struct nodes_look *before; /* NULL: now is the first */
	double seconds;		   /* between these two, or 0 */
	unsigned int *shown;	   /* indexes of rows of now, in order */
	unsigned int nr_shown;
	size_t room_shown;
	unsigned int nr_rest; /* rows that --top leaves out */
	uint64_t nr_looks;
	bool known; /* the nodes differ from the look before */
	bool failed;
};

/* The change of a figure since the look before. */
enum nodes_change {
	NODES_UNCHANGED, /* there is no value to compare with */
	NODES_CHANGED,	 /* by *delta */
	NODES_RESET,	 /* a counter went backwards */
};

/* The sources that the options need. */
unsigned int nodes_sources(const struct stat_options *o);
bool nodes_wants_topology(const struct stat_options *o);

/* Choose the columns and rows to show, and their order. Return 0 or -ENOMEM. */
int nodes_choose_columns(struct nodes_stat *s);
int nodes_choose_rows(struct nodes_stat *s);

/* Whether --nodes selects the node, or is not given. */
bool nodes_is_asked_for(const struct stat_options *o, int id);

/* The value of a column in a row, or TALLY_UNKNOWN. */
int64_t nodes_value(const struct nodes_stat *s, const struct nodes_row *row,
		    const struct nodes_column *c);
enum nodes_change nodes_change(const struct nodes_stat *s,
			       const struct nodes_row *row,
			       const struct nodes_column *c, int64_t *delta);

/* "meminfo", … "topology" */
const char *nodes_group(int group);
/* "bytes", "pages", "events", "ns", "objects", or "" */
const char *nodes_unit(int unit);

/* The content of a cell in tables and lines. */
enum nodes_kind {
	NODES_NOTHING, /* unknown */
	NODES_VALUE,   /* an amount, or a count since boot */
	NODES_RATE,    /* a counter's growth per second */
	NODES_BACK,    /* a counter was reset */
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

/* The text of a cell. @brief: large numbers in three or four digits. */
void nodes_cell_text(const struct nodes_column *c,
		     const struct nodes_cell *cell, bool brief,
		     char text[OUTPUT_NUMBER]);

/* Writes words on lines of @width columns, which begin at @indent except the
 * first. */
struct nodes_words {
	unsigned int indent;
	unsigned int width;
	unsigned int column; /* of the next word */
};

void nodes_put_word(struct nodes_words *words, const char *before,
		    const char *word);

/* Write a look. Return 0, or -ENOMEM with no message. */
int nodes_json(struct nodes_stat *s);
int nodes_csv(struct nodes_stat *s);
int nodes_long(struct nodes_stat *s);
int nodes_table(struct nodes_stat *s);

#endif
