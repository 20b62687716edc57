/* SPDX-License-Identifier: MIT */
/* Counts of the threads of a process and its descendants, from /proc. */
#ifndef KERNEL_EVENTS_SAMPLE_H
#define KERNEL_EVENTS_SAMPLE_H

#include <sys/types.h>

#include <numatally/kernel_events.h>

struct task_sampler;

/* Open a sampler. What pid did so far does not count. */
int task_sampler_open(const struct tally_topo *topo, pid_t pid,
		      struct tally_tree *tree, struct task_sampler **sampler);
void task_sampler_close(struct task_sampler *sampler);

/*
 * Read every thread in the tree, and add what it did since the last read to the
 * row of the node where it is: rows has one for each node of the topology, and
 * one for no known node.
 */
int task_sampler_read(struct task_sampler *sampler,
		      struct tally_event_counts *rows);

/* What pid did before the open. */
void task_sampler_before(const struct task_sampler *sampler,
			 struct tally_event_counts *counts);

/* What the threads alive at the last read have done so far. */
void task_sampler_living(const struct task_sampler *sampler,
			 struct tally_event_counts *counts);

#endif
