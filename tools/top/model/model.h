/* SPDX-License-Identifier: MIT */
/*
 * A machine at one moment: its nodes, and the rows that use them. top_data_fill()
 * makes one for each frame, and tests make them by hand. It touches no file and
 * no terminal.
 */
#ifndef TOOL_TOP_MODEL_H
#define TOOL_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/kernel_memory.h>

/* An amount that is not known. */
#define TOP_UNKNOWN INT64_MIN

enum top_by { TOP_PROCESSES, TOP_CGROUPS, TOP_USERS, TOP_THREADS, TOP_NR_BY };

/* No offset of a text. */
#define TOP_NO_TEXT SIZE_MAX

/* The rate of a counter. */
struct top_rate {
	enum {
		TOP_RATE_UNKNOWN, /* no such counter */
		TOP_RATE_FIRST,	  /* only one reading so far */
		TOP_RATE_RESET,	  /* it went backwards */
		TOP_RATE_KNOWN,
	} state;
	double per_s;
};

enum top_counter {
	TOP_MISS,     /* pages that another node should have supplied */
	TOP_REMOTE,   /* pages for a CPU of another node */
	TOP_PROMOTED, /* pages */
	TOP_DEMOTED,
	TOP_NR_COUNTERS
};

struct top_node {
	int node; /* sysfs's number */
	int err;  /* of reading its memory */
	int tier; /* -1: unknown */
	int64_t total_bytes, used_bytes;
	int64_t nr_cpus; /* 0: none */
	int64_t cpu_ppm; /* busy share of its CPUs' time */
	struct top_rate rates[TOP_NR_COUNTERS];
};

/* A row's use of one node. */
struct top_part {
	unsigned int index; /* of the node in the model */
	bool estimate;	    /* of the memory */
	int64_t bytes;
	int64_t kinds[TALLY_NR_MEM];
	double cpus; /* CPUs kept busy; negative: unknown */
};

struct top_row {
	int64_t id;	      /* pid, tid, or uid */
	int64_t parent;	      /* pid of a process's parent, of a thread */
	uint64_t start_ticks; /* of a process */
	bool no_stat; /* of a captured process: what stat tells is unknown */
	int64_t nr_processes; /* of a cgroup, or a user; TOP_UNKNOWN */
	int err;	      /* of reading its memory */
	bool estimate;	      /* of its memory */
	size_t name, user;    /* offsets of texts, of any bytes but NUL */
	size_t command; /* the command line; TOP_NO_TEXT: none, or not read */
	double cpus;	/* CPUs kept busy; negative: unknown */
	int64_t bytes;
	int64_t kinds[TALLY_NR_MEM];
	int64_t swap_bytes;
	int64_t remote_ppm; /* share on nodes where no thread ran last */
	size_t part;	    /* the first of its parts, by node */
	unsigned int nr_parts;
};

struct top_model {
	int64_t time_ns;     /* of the reading, monotonic */
	int64_t clock_s;     /* time of day; 0: of a captured machine */
	int64_t interval_ns; /* since the reading before; 0: none */
	double load[3];	     /* of 1, 5, 15 minutes; negative: unknown */
	int64_t swap_bytes, swap_used_bytes;
	enum top_by by;
	struct top_node *nodes; /* by number */
	unsigned int nr_nodes;
	size_t room_nodes;
	struct top_row *rows;
	size_t nr_rows, room_rows;
	struct top_part *parts;
	size_t nr_parts, room_parts;
	char *texts;
	size_t nr_texts, room_texts;
	size_t nr_lacking; /* rows with an error */
	int rows_err; /* the reason that there are no rows; -ENOENT: a capture
			 without processes */
};

/* Empty the model, and keep its memory. */
void top_model_clear(struct top_model *model);
void top_model_free(struct top_model *model);

/* Add one, with zeros, and TOP_UNKNOWN for amounts. NULL, or -ENOMEM: no memory.
 * The pointer is valid until the next one of its kind is added. */
struct top_node *top_model_add_node(struct top_model *model, int node);
struct top_row *top_model_add_row(struct top_model *model);
/* Add a part to the last row. */
struct top_part *top_model_add_part(struct top_model *model,
				    unsigned int index);
int top_model_add_text(struct top_model *model, const char *text,
		       size_t *place);

/* The words for rows_err; NULL: none. */
const char *top_model_rows_error(const struct top_model *model);

const char *top_model_text(const struct top_model *model, size_t place);

/* The index of the node with this number, or -1. */
int top_model_index(const struct top_model *model, int node);

/* The row's use of the node with this index, or NULL. */
const struct top_part *top_model_part(const struct top_model *model,
				      const struct top_row *row,
				      unsigned int index);

/* The sum of all nodes, as node -1. */
void top_model_sum(const struct top_model *model, struct top_node *all);

/* The rate of a counter from two readings, @ns apart. */
struct top_rate top_rate(int64_t before, int64_t now, int64_t ns);

/* The sum of two rates: reset if one is, else of those that are known. */
struct top_rate top_rate_add(struct top_rate a, struct top_rate b);

/* The busy share of CPUs' time in parts per million, from two readings;
 * TOP_UNKNOWN if the busy time went backwards. */
int64_t top_busy_ppm(int64_t busy_before, int64_t busy_now, int64_t idle_before,
		     int64_t idle_now);

/* The remote share of memory in parts per million; TOP_UNKNOWN of no memory. */
int64_t top_remote_ppm(int64_t local, int64_t remote);

#endif
