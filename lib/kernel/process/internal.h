/* SPDX-License-Identifier: MIT */
/* What the files of the list of processes share. */
#ifndef KERNEL_PROCESS_INTERNAL_H
#define KERNEL_PROCESS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/kernel_process.h>

#include "kernel/memory/read.h"

/* Amounts per node, and what a row shows of them. */
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

/* Add all of n to to. */
void process_node_add(struct mem_node *to, const struct mem_node *n);
/* Show the nodes that have something. -ENOMEM. */
int process_nodes_show(struct process_nodes *n, struct shown_nodes *shown);
void process_nodes_free(struct process_nodes *n);

struct process_entry {
	struct tally_process_row row;
	struct tally_process is; /* for the reader */
	int cpu;		 /* on which the main thread ran last */
	bool is_new;		 /* read it whatever it costs */
	bool listed;		 /* a row of the last reading */
	bool changed;		 /* since its memory was read */
	bool gone;		 /* it ended during the reading */
	bool odd;		 /* a line of its status makes no sense */
	int stat_err;		 /* of reading its stat */
	bool is_parents;    /* its memory, between vfork(2) and execve(2) */
	unsigned int range; /* the last sum that has it */
	int64_t read_rss;   /* when its memory was read */
	unsigned int read_threads;
	struct process_nodes nodes;
	struct mem_parts parts;
	char *cgroup; /* NULL: not read yet */
	unsigned int cgroup_cap;
};

struct process_list {
	struct process_entry **p;
	unsigned int nr;
	unsigned int cap;
};

struct process_sum {
	struct tally_process_sum sum;
	char *cgroup; /* its name, of sums by cgroup */
	unsigned int cgroup_cap;
	struct process_nodes nodes;
};

struct tally_process_stats {
	const struct tally_topo *topo;
	struct tally_process_filter filter;
	pid_t *pids; /* the filter's, ascending, each once */
	char **commands;
	bool *matched; /* by command: a process of the reading has it */
	char *cgroup;
	struct tally_mem_options o;
	struct mem_reader reader;
	struct mem_budget budget;
	struct process_list rows;  /* ascending by pid */
	struct process_list next;  /* of the reading under way */
	struct process_list order; /* by need, or by sum */
	struct process_list spare;
	int64_t time_ns;
	int64_t last_cost_ns;
	int64_t cost_ns;
	struct process_sum *sums;
	unsigned int nr_sums;
	unsigned int sums_cap;
	unsigned int range;	/* the number of the last sum */
	struct mem_parts parts; /* of a sum */
	char text[65536];
};

static inline bool process_has_ended(const struct process_entry *p)
{
	return p->row.state == 'Z' || p->row.state == 'X';
}

int process_list_add(struct process_list *l, struct process_entry *p);
/* Free the list; if so asked, its processes too. */
void process_list_free(struct process_list *l, bool processes);
/* Return the index of pid in a sorted list, or where to insert it. */
unsigned int process_list_find(const struct process_list *l, pid_t pid);
/* Sort the list by number, and drop duplicates. */
void process_list_sort(struct process_list *l);
int process_by_pid(const void *a, const void *b);
void process_destroy(struct process_entry *p);

/* Whether the filter names it by number. */
bool process_asked_for(const struct tally_process_stats *l, pid_t pid);

/* Read from the process's files: its user and how much of it is swapped out;
 * its cgroup; whether its name or command line has one of the filter's. */
/* The process of the thread with this number; pid if that is not known. */
pid_t process_of(struct tally_process_stats *l, pid_t pid);

int process_read_user(struct tally_process_stats *l, struct process_entry *p);
int process_read_cgroup(struct tally_process_stats *l, struct process_entry *p);
bool process_has_command(struct tally_process_stats *l,
			 const struct process_entry *p);

/* Read its threads and memory. -ENOMEM; other errors go to its row. */
int process_read_memory(struct tally_process_stats *l, struct process_entry *p);

void process_sums_free(struct tally_process_stats *l);

#endif
