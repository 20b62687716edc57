/* SPDX-License-Identifier: MIT */
/*
 * Between the plugin and what it does in slurmd and slurmstepd, which is a file of
 * its own: srun loads the plugin too, each program loads it twice, and libnumatally
 * with what it needs takes milliseconds to load.
 */
#ifndef NUMATALLY_SLURM_NODE_H
#define NUMATALLY_SLURM_NODE_H

#include <slurm/spank.h>

#include "slurm/wish.h"

/* Beside the plugin. */
#define NODE_FILE  "slurm_node.so"
#define NODE_CALLS "numatally_slurm_node"

typedef int node_call(spank_t sp, int ac, char **av);

struct node_calls {
	void (*start_slurmd)(int ac, char **av);
	/* It is read until the step ends. */
	void (*take_wish)(const struct wish *wish);
	node_call *begin;      /* slurm_spank_init_post_opt() */
	node_call *begin_user; /* slurm_spank_user_init() */
	node_call *bind_task;  /* slurm_spank_task_init() */
	node_call *count_task; /* slurm_spank_task_post_fork() */
	node_call *end_task;   /* slurm_spank_task_exit() */
	node_call *end_step;   /* slurm_spank_exit() */
	node_call *end_job;    /* slurm_spank_job_epilog() */
};

#endif
