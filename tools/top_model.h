/* SPDX-License-Identifier: MIT */
/*
 * What numatally top shows of a machine at one moment: nodes, and what uses
 * them. Made anew for each frame by tools/top_data.c, and by tests by hand;
 * it knows no file and no terminal.
 */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/kernel.h>

/* An amount that nobody knows. */
#define TOP_UNKNOWN INT64_MIN

enum top_by { TOP_PROCESSES, TOP_CGROUPS, TOP_USERS, TOP_NR_BY };

/* How fast a counter grows. */
struct top_rate {
	enum {
		TOP_RATE_UNKNOWN, /* there is no such counter */
		TOP_RATE_FIRST,	  /* it was read once only */
		TOP_RATE_RESET,	  /* it went backwards */
		TOP_RATE_KNOWN,
	} state;
	double per_s;
};

enum top_counter {
	TOP_MISS,     /* pages that should have come from another node */
	TOP_REMOTE,   /* pages for a CPU of another node */
	TOP_PROMOTED, /* pages */
	TOP_DEMOTED,
	TOP_NR_COUNTERS
};

struct top_node {
	int node; /* sysfs's number */
	int err;  /* its memory could not be read */
	int tier; /* -1: not known */
	int64_t total_bytes, used_bytes;
	int64_t nr_cpus; /* 0: none */
	/* Of its CPUs' time, in parts per million. */
	int64_t cpu_ppm;
	struct top_rate rates[TOP_NR_COUNTERS];
};

/* What a row has on one node. */
struct top_part {
	unsigned int index; /* of the node in the model */
	bool estimate;	    /* the memory is */
	int64_t bytes;
	int64_t kinds[TALLY_NR_MEM];
	double cpus; /* that it kept busy: 0.5 is half of one; below 0: not
			known */
};

struct top_row {
	int64_t id;	      /* pid, or uid */
	uint64_t start_ticks; /* of a process */
	int64_t nr_processes; /* of a cgroup, or a user */
	int err;	      /* its memory could not be read */
	bool estimate;	      /* its memory is an estimate */
	size_t name, user;    /* places of texts; any byte but NUL */
	double cpus;	      /* as above */
	int64_t bytes;
	int64_t kinds[TALLY_NR_MEM];
	int64_t swap_bytes;
	/* Of its memory, what is on nodes where none of its threads ran last,
	 * in parts per million. */
	int64_t remote_ppm;
	size_t part; /* the first of them, ascending by node */
	unsigned int nr_parts;
};

struct top_model {
	int64_t time_ns;     /* of the reading, CLOCK_MONOTONIC */
	int64_t clock_s;     /* the time of day; 0: a captured machine's */
	int64_t interval_ns; /* since the one before; 0: none */
	enum top_by by;
	struct top_node *nodes; /* ascending by number */
	unsigned int nr_nodes, room_nodes;
	struct top_row *rows;
	size_t nr_rows, room_rows;
	struct top_part *parts;
	size_t nr_parts, room_parts;
	char *texts;
	size_t nr_texts, room_texts;
	size_t nr_lacking; /* rows whose memory nobody may read */
	int rows_err;	   /* why there are no rows */
};

/* Empties the model, and keeps its memory. */
void top_model_clear(struct top_model *model);
void top_model_free(struct top_model *model);

/* Add one, zeroed but that unknown is unknown; NULL, -1: no memory. A pointer
 * holds until the next of its kind is added. */
struct top_node *top_model_add_node(struct top_model *model, int node);
struct top_row *top_model_add_row(struct top_model *model);
/* To the row that was added last. */
struct top_part *top_model_add_part(struct top_model *model,
				    unsigned int index);
int top_model_add_text(struct top_model *model, const char *text,
		       size_t *place);

const char *top_model_text(const struct top_model *model, size_t place);

/* The index of the node with this number; -1: there is none. */
int top_model_index(const struct top_model *model, int node);

/* What the row has on the node with this index; NULL: nothing. */
const struct top_part *top_model_part(const struct top_model *model,
				      const struct top_row *row,
				      unsigned int index);

/* All nodes as one, its number being -1. */
void top_model_sum(const struct top_model *model, struct top_node *all);

/* How fast a counter grew from before to now. */
struct top_rate top_rate(int64_t before, int64_t now, int64_t ns);

/* The sum of two rates: of those that are known, but not where one was reset.
 */
struct top_rate top_rate_add(struct top_rate a, struct top_rate b);

/* The part of their time that CPUs were busy, in parts per million, from what
 * the kernel counts: TOP_UNKNOWN where that went backwards. */
int64_t top_busy_ppm(int64_t busy_before, int64_t busy_now, int64_t idle_before,
		     int64_t idle_now);

#endif
