/* SPDX-License-Identifier: MIT */
/* Software perf events of a task or a cgroup: one group per CPU. */
#ifndef KERNEL_PERF_H
#define KERNEL_PERF_H

#include <stdbool.h>
#include <sys/types.h>

#include <numatally/kernel.h>

struct perf_set;

/*
 * A set on the task pid, which its children inherit, enabled by its next
 * execve(2); or, where cgroup_fd >= 0, on that cgroup, enabled by
 * perf_set_enable(). user_only counts nothing that happens in kernel mode,
 * which leaves the CPU time as it is.
 */
int perf_set_open(const struct tally_topo *topo, pid_t pid, int cgroup_fd,
		  bool user_only, struct perf_set **set);
void perf_set_close(struct perf_set *set);
int perf_set_enable(struct perf_set *set);

/* rows has one row for each node of the topology, and one for no node. On
 * failure, some counts are too small, and that of no node too large. */
int perf_set_read(struct perf_set *set, struct tally_event_counts *rows);

/* Whether a CPU went or came, so that a cgroup's events may have gaps. */
bool perf_set_has_gaps(const struct perf_set *set);

#endif
