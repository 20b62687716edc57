/* SPDX-License-Identifier: MIT */
/* What /proc tells of the threads of a process and its descendants. */
#ifndef KERNEL_SAMPLE_H
#define KERNEL_SAMPLE_H

#include <sys/types.h>

#include <numatally/kernel.h>

struct task_sampler;

/* What pid has done so far does not count. */
int task_sampler_open(const struct tally_topo *topo, pid_t pid,
		      struct tally_tree *tree, struct task_sampler **sampler);
void task_sampler_close(struct task_sampler *sampler);

/*
 * Looks at every thread in the tree, and adds what each did since the last
 * time to the row of the node that it is on: rows has one for each node of the
 * topology, and one for no known node.
 */
int task_sampler_read(struct task_sampler *sampler,
		      struct tally_event_counts *rows);

/* What pid had done before the open. */
void task_sampler_before(const struct task_sampler *sampler,
			 struct tally_event_counts *counts);

/* What the threads that lived at the last read have done so far. */
void task_sampler_living(const struct task_sampler *sampler,
			 struct tally_event_counts *counts);

#endif
