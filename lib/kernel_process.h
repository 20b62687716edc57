/* SPDX-License-Identifier: MIT */
/* What the parts of the list of processes share. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/kernel_process.h>

#include "kernel_mem.h"

/* Amounts per node, and what is shown of them. */
struct process_nodes {
	struct mem_nodes table;
	struct tally_process_node *shown;
	unsigned int cap;
};

struct shown_nodes {
	const struct tally_process_node *nodes;
	unsigned int nr_nodes;
	struct tally_process_node all;
	struct tally_process_node unknown;
};

/* Shows those nodes that have something. -ENOMEM. */
int process_nodes_show(struct process_nodes *n, struct shown_nodes *shown);
void process_nodes_free(struct process_nodes *n);

struct process {
	struct tally_process_row row;
	struct tally_process is; /* as the reader wants it */
	int cpu;		 /* that the main thread ran on last */
	bool is_new;		 /* to be read whatever it costs */
	bool listed;		 /* a row of the last reading */
	bool changed;		 /* since its memory was read */
	bool gone;		 /* it ended while it was read */
	int64_t read_rss;	 /* when its memory was read */
	unsigned int read_threads;
	struct process_nodes nodes;
	struct mem_parts parts;
	char *cgroup; /* NULL: not read yet */
	size_t cgroup_cap;
};

struct process_list {
	struct process **p;
	unsigned int nr;
	unsigned int cap;
};

struct process_sum {
	struct tally_process_sum sum;
	struct process_nodes nodes;
};

struct tally_processes {
	const struct tally_topo *topo;
	struct tally_process_filter filter;
	pid_t *pids; /* the filter's, ascending, each once */
	char **commands;
	char *cgroup;
	struct tally_mem_options o;
	struct mem_reader reader;
	struct mem_budget budget;
	struct process_list rows;  /* ascending by pid */
	struct process_list next;  /* those of the reading under way */
	struct process_list order; /* in which they are read, or added up */
	struct process_list spare;
	int64_t time_ns;
	int64_t last_cost_ns;
	int64_t cost_ns;
	struct process_sum *sums;
	unsigned int nr_sums;
	unsigned int sums_cap;
	struct mem_parts parts; /* of a sum */
	char text[8192];
};

int process_list_add(struct process_list *l, struct process *p);

/* Whether the filter names it by number. */
bool process_asked_for(const struct tally_processes *l, pid_t pid);

/* Of a process's files: who it is, and how much of it is swapped out; where it
 * is; whether it is one of the filter's commands. */
int process_read_user(struct tally_processes *l, struct process *p);
int process_read_cgroup(struct tally_processes *l, struct process *p);
bool process_has_command(struct tally_processes *l, const struct process *p);

/* Reads its threads and memory. -ENOMEM; else its row says what went wrong. */
int process_read_memory(struct tally_processes *l, struct process *p);

void process_destroy(struct process *p);
void process_sums_free(struct tally_processes *l);

#endif
