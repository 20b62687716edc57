/* SPDX-License-Identifier: MIT */
/* Processes, and how fast they take CPU time; the rows that come of them. */
#ifndef TOP_DATA_ROWS_H
#define TOP_DATA_ROWS_H

#include <stdbool.h>

#include <numatally/kernel_group.h>
#include <numatally/kernel_process.h>
#include <numatally/topo.h>

#include "top_model.h"

/* How the CPU time of a process is spread over nodes. */
struct top_share {
	int node;
	int64_t cpu_ns; /* of the threads that are there */
	double share;	/* of what the process takes now */
};

/* What a process had taken, of each of the handle's rows. */
struct top_taken {
	pid_t pid;
	uint64_t start_ticks;
	int64_t cpu_ns;
	int64_t memory_ns; /* when the shares were read */
	double cpus;	   /* that it keeps busy; below 0: not known */
	size_t first;	   /* of its shares */
	unsigned int nr;
};

struct top_user {
	uid_t uid;
	char name[64];
};

struct top_rows {
	struct tally_processes *processes;
	struct tally_groups *groups; /* NULL: there is no memory controller */
	int err;		     /* of the last reading, of processes */
	bool live;		     /* this machine: its users are known */
	struct top_taken *taken;     /* ascending by pid, as the rows */
	unsigned int nr_taken;
	struct top_share *shares;
	int64_t time_ns;
	struct top_user *users;
	size_t nr_users;
};

int top_rows_open(struct top_rows *rows, const char *root,
		  const struct tally_topo *topo);
void top_rows_close(struct top_rows *rows);

/* -ENOMEM; else what can't be read is told by top_rows_fill(). */
int top_rows_read(struct top_rows *rows);

/* Adds rows to a model that has its nodes. -ENOMEM */
int top_rows_fill(struct top_rows *rows, enum top_by by,
		  struct top_model *model);

/* Its parts: */

/* How fast the processes of the handle's last reading take CPU time. -ENOMEM */
int top_rows_account(struct top_rows *rows);

/* Adds the CPUs that a process, by its index, keeps busy to a row and its
 * parts. */
void top_rows_add_cpus(const struct top_rows *rows, unsigned int process,
		       struct top_model *model, struct top_row *row);

int64_t top_remote_ppm(int64_t local, int64_t remote);

/* Whether the kernel tells of cgroups' memory by node; adds a row for each. */
bool top_rows_have_groups(const struct top_rows *rows);
int top_rows_fill_groups(struct top_rows *rows, struct top_model *model);

#endif
