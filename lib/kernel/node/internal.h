/* SPDX-License-Identifier: MIT */
/*
 * What the files of the figures of nodes share.
 *
 *  tally_node_stats ── rows[] ── node_row: files[], values[] ─┐ by index
 *      │                                                      │
 *      ├── figures[] ─────────────────────────────────────────┘
 *      ├── cpus: what each CPU counted, and its node
 *      └── lines: the one buffer that files are read through
 *
 * text.c parses lines, file.c reads them, figure.c knows the figures; cpu.c,
 * huge.c and zone.c are sources of figures. node.c has the rest.
 */
#ifndef KERNEL_NODE_INTERNAL_H
#define KERNEL_NODE_INTERNAL_H

#include <numatally/kernel_node.h>

#include "topo/sysfs.h"

/* The most figures that a hostile tree makes us keep. */
#define NODE_FIGURES  8192

#define NODE_CPU_COLS 10

/* ---- lines of a file ----------------------------------------------------- */

struct node_lines {
	int fd;
	int64_t offset;
	size_t at;
	size_t len;
	bool end;
	char buf[65536];
};

/* A file that is read repeatedly. */
struct node_file {
	int fd;	 /* -1: not open */
	int dir; /* the directory that its path is below; borrowed */
	char *path;
};

/* ---- tokens of a line ---------------------------------------------------- */

struct node_token {
	const char *name;
	size_t len;
	int64_t value;
	bool kib;
};

/*
 * These parse one line without its end. -EBADMSG: it is another kind of line,
 * with a name of length 0, or its number makes no sense. -ERANGE: its number is above INT64_MAX, and the rest of the token is right. A
 * blank line has a name of length 0.
 */

/* "Node 3 MemFree:  17 kB"; node -1: "MemFree:  17 kB". */
int node_text_meminfo(const char *line, int node, struct node_token *token);
/* "numa_hit 17" */
int node_text_pair(const char *line, struct node_token *token);
/* "17" */
int node_text_number(const char *line, int64_t *value);
/* "cpu3 1 2 …" in ticks. Returns how many, NODE_CPU_COLS at most. *cpu is -1 if
 * the line names none. */
int node_text_cpu(const char *line, int *cpu, int64_t ticks[NODE_CPU_COLS]);

/* A zone of /proc/zoneinfo, parsed line by line; in pages. */
struct node_zone {
	int node; /* -1: not in a zone */
	bool managed_known;
	bool ended; /* per-CPU pages follow, with names that look alike */
	int64_t boost;
	int64_t low;
	int64_t high;
	int64_t present;
	int64_t managed;
	int64_t protection;
};

/* Returns 1: the line begins another zone, which *zone is now. 0, or
 * -EBADMSG. */
int node_text_zone(const char *line, struct node_zone *zone);

/* ---- rows ---------------------------------------------------------------- */

enum { NODE_HUGE_NR, NODE_HUGE_FREE, NODE_HUGE_SURPLUS, NODE_HUGE_FILES };

struct node_huge {
	int64_t kib;
	struct node_file files[NODE_HUGE_FILES];
};

struct node_row {
	struct tally_node_figures shown; /* values: those below */
	int64_t *values;
	struct node_file files[TALLY_SOURCE_VMSTAT + 1];
	struct node_huge *huge;
	unsigned int nr_huge;
	int huge_err;
	bool has_zones;
	int64_t low_pages;
	int64_t reserve_pages;
	int cpus_err;
	unsigned int nr_cpus;	 /* of its list */
	unsigned int nr_counted; /* of these, with a line */
};

struct node_cpus {
	unsigned int max; /* of the arrays */
	int *nodes;	  /* -1: none */
	enum node_cpu_state {
		NODE_CPU_NEVER, /* it had no line so far */
		NODE_CPU_COUNTED,
		NODE_CPU_ODD,  /* its line makes no sense */
		NODE_CPU_OVER, /* its time is out of range */
	} *
		states;
	int64_t (*ns)[NODE_CPU_COLS];
	unsigned int cols; /* huge page sizes of the kernel */
	int figures[NODE_CPU_COLS];
	struct topo_set seen;
};

struct tally_node_stats {
	int root;
	int base; /* TOPO_NODE_DIR, or the root without NUMA */
	bool live;
	bool numa;
	bool absent;	    /* a listed node has no directory */
	bool zones_due;	    /* nodes came or went */
	unsigned int asked; /* sources that the caller asked for */
	unsigned int had;   /* sources that existed once */
	int64_t time_ns;
	int64_t zones_ns; /* when watermarks were read */
	int zones_err;
	unsigned int nr_kept; /* files that are kept open, and the most that
				 may be */
	unsigned int max_kept;

	int64_t page_bytes; /* 0: not known; likewise: */
	int64_t pmd_bytes;
	int64_t huge_bytes;
	int64_t tick_ns;

	struct tally_figure *figures;
	unsigned int nr_figures;
	unsigned int max_figures; /* of the array and of every row's values */
	int hint;		  /* the figure found last */
	bool zone_names;	  /* vmstat has nr_zone_*: Linux 4.8 */

	struct node_row **rows;
	unsigned int nr_rows;
	unsigned int max_rows;

	struct topo_tree *tree;
	struct topo_set listed;
	struct node_file online;
	struct node_file stat;
	struct node_file zoneinfo;
	struct node_cpus cpus;
	struct node_lines lines;
};

/* ---- files --------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) int
node_file_init(struct node_file *file, int dir, const char *path, ...);
void node_file_free(struct tally_node_stats *n, struct node_file *file);

/* Begin to read a file through n->lines; node_file_done() ends it. A file that
 * is gone is opened again by its path. -errno */
int node_file_start(struct tally_node_stats *n, struct node_file *file);
void node_file_done(struct tally_node_stats *n, struct node_file *file);

/* Set *line to the next line, with a null byte in place of its end. Returns 1;
 * 0: there is none; -EBADMSG: it has no end, or contains a null byte; -EFBIG: it
 * or the file is endless, and *line is its beginning; else -errno. The null bytes
 * at the end of a file are no line. */
int node_lines_next(struct node_lines *lines, char **line);

/* Read a file of one number. */
int node_file_number(struct tally_node_stats *n, struct node_file *file,
		     int64_t *value);

/* ---- figures ------------------------------------------------------------- */

/* Return the index of the figure, which is added if it is new. -EFBIG,
 * -ENOMEM */
int node_figure(struct tally_node_stats *n, enum tally_source source,
		const struct node_token *token);
int node_figure_find(const struct tally_node_stats *n, enum tally_source source,
		     const char *name, size_t len);

/* Set *value in the figure's unit: KiB become bytes. -ERANGE */
int node_figure_value(const struct tally_node_stats *n, int figure,
		      const struct node_token *token, int64_t *value);

/* Find the page sizes; a captured machine's from its files. */
void node_sizes_find(struct tally_node_stats *n);

/* Make all values of the source unknown. */
void node_row_forget(const struct tally_node_stats *n, struct node_row *row,
		     enum tally_source source);

/* ---- sources ------------------------------------------------------------- */

/* Read sources; errors go to the rows. Only -ENOMEM is returned. */
int node_huge_open(struct tally_node_stats *n, struct node_row *row);
void node_huge_close(struct tally_node_stats *n, struct node_row *row);
int node_huge_read(struct tally_node_stats *n, struct node_row *row);
int node_cpus_read(struct tally_node_stats *n, bool nodes_changed);
void node_cpus_free(struct tally_node_stats *n);
int node_zones_read(struct tally_node_stats *n);

#endif
