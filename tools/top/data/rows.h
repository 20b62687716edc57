/* SPDX-License-Identifier: MIT */
/* Processes and their CPU usage, and rows made of them. */
#ifndef TOOL_TOP_DATA_ROWS_H
#define TOOL_TOP_DATA_ROWS_H

#include <stdbool.h>

#include <numatally/kernel_group.h>
#include <numatally/kernel_process.h>
#include <numatally/topo.h>

#include "common/user.h"
#include "top/model/model.h"

/* The share of a process's CPU time on a node. */
struct top_share {
	int node;
	int64_t cpu_ns; /* of threads that are there now */
	double share;	/* of its time since the last reading */
};

/* The CPU time of a process at the last reading. */
struct top_taken {
	pid_t pid;
	uint64_t start_ticks;
	int64_t cpu_ns;
	int64_t memory_ns; /* time when the shares were read */
	double cpus;	   /* CPUs kept busy; negative: unknown */
	size_t first;	   /* index of its shares */
	unsigned int nr;
};

struct top_user {
	uid_t uid;
	char name[USER_NAME];
};

/* A thread at the last reading of threads. */
struct top_thread {
	pid_t pid, tid;
	uint64_t start_ticks;
	unsigned int process; /* the index of its process */
	int cpu;	      /* on which it ran last; -1: unknown */
	int64_t cpu_ns;
	double cpus; /* CPUs kept busy; negative: unknown */
	int err;     /* of reading it */
	char name[64];
};

struct top_rows {
	const char *root;
	const struct tally_topo *topo;
	bool wants_commands;
	struct tally_process_stats *processes; /* NULL: a capture without proc */
	struct tally_groups *groups;	       /* NULL: no memory controller */
	int err;		 /* of the last reading of processes */
	struct top_taken *taken; /* by PID, like the rows */
	unsigned int nr_taken;
	struct top_share *shares;
	int64_t time_ns;
	struct top_user *users;
	size_t nr_users, room_users;
	struct top_thread *threads; /* by pid, then by tid */
	size_t nr_threads, room_threads;
	int64_t threads_ns;    /* when they were read */
	int64_t threads_of_ns; /* the reading of processes that they are of */
};

int top_rows_open(struct top_rows *rows, const char *root,
		  const struct tally_topo *topo);
void top_rows_close(struct top_rows *rows);

/* Read all processes and cgroups. Returns 0 or -ENOMEM; top_rows_fill() reports
 * other errors. */
int top_rows_read(struct top_rows *rows);

/* Add rows to a model that has its nodes. Returns 0 or -ENOMEM. */
int top_rows_fill(struct top_rows *rows, enum top_by by,
		  struct top_model *model);

/* ---- the parts of these ---------------------------------------------------- */

/* Compute the CPU usage of processes since the last call. Returns 0 or -ENOMEM. */
int top_rows_account(struct top_rows *rows);

/* Add the CPU usage of the process with this index to a row and its parts. */
void top_rows_add_cpus(const struct top_rows *rows, unsigned int process,
		       struct top_model *model, struct top_row *row);

/* Add a row for each thread, which reads them once for each reading. Returns 0 or
 * -ENOMEM. */
int top_rows_fill_threads(struct top_rows *rows, struct top_model *model);

/* The name of a user; NULL: no memory. */
const char *top_rows_user(struct top_rows *rows, uid_t uid);

/* Add the command line to a row, if it is wanted. Returns 0 or -ENOMEM. */
int top_rows_add_command(const struct top_rows *rows, pid_t pid,
			 struct top_model *model, struct top_row *row);
/* Set the memory of a row, or of its part, from what processes have; @unknown is of
 * no known node, and may be there, too. */
void top_rows_fill_memory(struct top_row *row,
			  const struct tally_process_node *all);
void top_rows_fill_part(struct top_part *part,
			const struct tally_process_node *node,
			const struct tally_process_node *unknown);
/* The entry of a node; NULL: there is none. */
const struct tally_process_node *
top_rows_node(const struct tally_process_node *nodes, unsigned int nr,
	      int node);
/* The remote share in parts per million; TOP_UNKNOWN if too little is known. */
int64_t top_rows_remote(const struct tally_mem_figure *local,
			const struct tally_mem_figure *remote,
			const struct tally_mem_figure *whole);

/* Whether cgroups have memory.numa_stat; add a row for each. */
bool top_rows_have_groups(const struct top_rows *rows);
int top_rows_fill_groups(struct top_rows *rows, struct top_model *model);

#endif
