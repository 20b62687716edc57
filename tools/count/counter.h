/* SPDX-License-Identifier: MIT */
/*
 * CPU time, page faults, switches and migrations by CPU, as a BPF program counts
 * them: of each cgroup, or of a command and all its descendants.
 */
#ifndef TOOL_COUNT_COUNTER_H
#define TOOL_COUNT_COUNTER_H

#include <stdint.h>
#include <sys/types.h>

#include "count/sums.h"

struct counter;

/*
 * Load and attach the program, for the cgroups of a hierarchy: of version 1 or
 * 2, and with this number in /proc/self/cgroup. -ENOSYS: numatally was built
 * without; others as bpf(2): -EPERM, the caller lacks CAP_BPF and CAP_PERFMON.
 */
int counter_open_groups(int version, int hierarchy, struct counter **counter);

/*
 * The same for a process, and for all that it and its descendants start from now
 * on, whatever becomes of them. It must not run meanwhile, and have one thread.
 */
int counter_open_command(pid_t pid, struct counter **counter);

void counter_close(struct counter *counter);

/* ---- of a command ---------------------------------------------------------- */

/* Read its sums, which have an element for each possible CPU and stay until the
 * next call. Return 0; 1: some processes found no room, and are not counted; or
 * -errno. */
int counter_read(struct counter *counter, const struct counter_sum **sums,
		 unsigned int *nr);

/* ---- of cgroups ------------------------------------------------------------ */

/* Read the sums of all cgroups that a task has left since, and call @take with
 * each: sums[] has an element for each possible CPU. @take returns 0, or an error
 * that ends the reading. */
int counter_read_groups(struct counter *counter,
			int (*take)(void *data, uint64_t id,
				    const struct counter_sum *sums,
				    unsigned int nr),
			void *data);
/* Read those of a cgroup that is gone, for the last time. -ENOENT: none. */
int counter_forget_group(struct counter *counter, uint64_t id,
			 const struct counter_sum **sums, unsigned int *nr);

/* Call @take with what happened to cgroups since the last call. Return 0; 1: some
 * events found no room; or -errno. */
int counter_read_events(struct counter *counter,
			void (*take)(void *data,
				     const struct counter_event *event),
			void *data);

#endif
