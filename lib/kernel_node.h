/* SPDX-License-Identifier: MIT */
/*
 * What the parts of kernel_node share.
 *
 *  tally_nodes ── rows[] ── node_row: values[] ─┐ by index
 *      │                       files            │
 *      ├── figures[] ───────────────────────────┘
 *      ├── cpus: what each CPU counted, and its node
 *      └── lines: the one buffer that files are read through
 *
 * kernel_node_text.c takes lines apart, kernel_node_file.c reads them,
 * kernel_node_figure.c knows the figures, kernel_node_cpu.c, _huge.c and
 * _zone.c their sources; kernel_node.c has the rest.
 */
#ifndef KERNEL_NODE_H
#define KERNEL_NODE_H

#include <numatally/kernel_node.h>

#include "topo_sysfs.h"

/* Figures that a hostile tree can make us keep. */
#define NODE_FIGURES  8192

#define NODE_DIR      "sys/devices/system/node"
#define NODE_CPU_COLS 10

/* ---- lines of a file ---------------------------------------------------- */

struct node_lines {
	int fd;
	int64_t offset;
	size_t at;
	size_t len;
	bool end;
	char buf[65536];
};

/* A file that is read again and again. */
struct node_file {
	int fd;	 /* -1: not open */
	int dir; /* that its path is below; borrowed */
	char *path;
};

/* ---- tokens of a line --------------------------------------------------- */

struct node_token {
	const char *name;
	size_t len;
	int64_t value;
	bool kib;
};

/*
 * All take one line without its end. -EINVAL: it is not such a line, -ERANGE:
 * its number is above INT64_MAX, and the rest of the token is right. Blank
 * lines have a name of length 0.
 */

/* "Node 3 MemFree:  17 kB"; node -1: "MemFree:  17 kB". */
int node_text_meminfo(const char *line, int node, struct node_token *token);
/* "numa_hit 17" */
int node_text_pair(const char *line, struct node_token *token);
/* "17" */
int node_text_number(const char *line, int64_t *value);
/* "cpu3 1 2 …" in ticks, at most NODE_CPU_COLS of them; how many. */
int node_text_cpu(const char *line, int *cpu, int64_t ticks[NODE_CPU_COLS]);

/* A zone of /proc/zoneinfo, line by line; pages. */
struct node_zone {
	int node; /* -1: not in a zone */
	bool managed_known;
	bool ended; /* per-CPU pages follow, whose names are alike */
	int64_t boost;
	int64_t low;
	int64_t high;
	int64_t present;
	int64_t managed;
	int64_t protection;
};

/* 1: the line begins another zone, which *zone now is. 0, or -EINVAL. */
int node_text_zone(const char *line, struct node_zone *zone);

/* ---- rows --------------------------------------------------------------- */

enum { NODE_HUGE_NR, NODE_HUGE_FREE, NODE_HUGE_SURPLUS, NODE_HUGE_FILES };

struct node_huge {
	int64_t kib;
	struct node_file files[NODE_HUGE_FILES];
};

struct node_row {
	struct tally_node_figures shown; /* values: what is below */
	int64_t *values;
	struct node_file files[TALLY_SOURCE_VMSTAT + 1];
	struct node_huge *huge;
	unsigned int nr_huge;
	int huge_err;
	bool has_zones;
	int64_t low_pages;
	int64_t reserve_pages;
	int cpus_err;
};

struct node_cpus {
	unsigned int max; /* of the arrays */
	int *nodes;	  /* -1: none */
	int64_t (*ns)[NODE_CPU_COLS];
	unsigned int cols; /* that the kernel has */
	int figures[NODE_CPU_COLS];
	struct topo_set seen;
};

struct tally_nodes {
	int root;
	int base; /* NODE_DIR, or without NUMA the root */
	bool live;
	bool numa;
	bool absent;	    /* a node is listed that has no directory */
	bool zones_due;	    /* nodes came or went */
	unsigned int asked; /* sources, as the caller has it */
	unsigned int had;   /* sources that were there once */
	int64_t time_ns;
	int64_t zones_ns; /* when watermarks were read */
	int zones_err;
	unsigned int nr_kept; /* files that stay open, and how many may */
	unsigned int max_kept;

	int64_t page_bytes; /* 0: not known; so are these: */
	int64_t pmd_bytes;
	int64_t huge_bytes;
	int64_t tick_ns;

	struct tally_figure *figures;
	unsigned int nr_figures;
	unsigned int max_figures; /* of the array and of every row's values */
	int hint;		  /* the figure that was found last */
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

/* ---- files -------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) int
node_file_init(struct node_file *file, int dir, const char *path, ...);
void node_file_free(struct tally_nodes *n, struct node_file *file);

/* Begins to read a file through n->lines; done with it, node_file_done(). What
 * was there and is gone is looked for anew. -errno */
int node_file_start(struct tally_nodes *n, struct node_file *file);
void node_file_done(struct tally_nodes *n, struct node_file *file);

/* 1, and the next line, ended by a null byte in place of its own; 0: there is
 * none. -EINVAL: it has no end, or a null byte; what there is of it is
 * *line. Else -errno. */
int node_lines_next(struct node_lines *lines, char **line);

/* A file of one number. */
int node_file_number(struct tally_nodes *n, struct node_file *file,
		     int64_t *value);

/* ---- figures ------------------------------------------------------------ */

/* The figure's place, which it gets where it has none. -EFBIG, -ENOMEM */
int node_figure(struct tally_nodes *n, enum tally_source source,
		const struct node_token *token);
int node_figure_find(const struct tally_nodes *n, enum tally_source source,
		     const char *name, size_t len);

/* The value as the figure has it: KiB become bytes. -ERANGE */
int node_figure_value(const struct tally_nodes *n, int figure,
		      const struct node_token *token, int64_t *value);

/* What page size a captured machine has, told from its files. */
void node_sizes_find(struct tally_nodes *n);

/* The row knows nothing from this source. */
void node_row_forget(const struct tally_nodes *n, struct node_row *row,
		     enum tally_source source);

/* ---- sources ------------------------------------------------------------ */

/* They leave errors of rows in the rows. Only -ENOMEM is returned. */
int node_huge_open(struct tally_nodes *n, struct node_row *row);
void node_huge_close(struct tally_nodes *n, struct node_row *row);
int node_huge_read(struct tally_nodes *n, struct node_row *row);
int node_cpus_read(struct tally_nodes *n, bool nodes_changed);
void node_cpus_free(struct tally_nodes *n);
int node_zones_read(struct tally_nodes *n);

#endif
