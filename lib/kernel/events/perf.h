/* SPDX-License-Identifier: MIT */
/* Software perf events of a task or a cgroup: one group per CPU. */
#ifndef KERNEL_EVENTS_PERF_H
#define KERNEL_EVENTS_PERF_H

#include <stdbool.h>
#include <sys/types.h>

#include <numatally/kernel_events.h>

struct perf_set;

/* What is missing of a context switch and of the end of a process, as measured;
 * and at most, in a virtual machine whose CPUs have to wait: 6 ms were seen for an
 * end. */
#define PERF_SWITCH_NS	    800
#define PERF_EXIT_NS	    60000
#define PERF_SWITCH_MOST_NS 100000
#define PERF_EXIT_MOST_NS   10000000

/* The page faults missing at the end of a process, as measured 0 to 1; and the
 * fewest of a program that is executed: 37 were seen, of a static one that does
 * nothing. The start of the command lacks up to 9. */
#define PERF_EXIT_FAULTS 1
#define PERF_EXEC_FAULTS 25

/*
 * Open a set on the task pid, which its children inherit, and which its next
 * execve(2) enables; or, if cgroup_fd >= 0, on that cgroup, enabled by
 * perf_set_enable(). nr_events: count the first ones of enum tally_event; a cgroup's
 * are all counted. user_only: count nothing in kernel mode, except that CPU time is
 * complete.
 */
int perf_set_open(const struct tally_topo *topo, pid_t pid, int cgroup_fd,
		  unsigned int nr_events, bool user_only,
		  struct perf_set **set);
void perf_set_close(struct perf_set *set);
int perf_set_enable(struct perf_set *set);

/* Read into rows: one for each node of the topology, and one for no node. On
 * failure some counts are too small, and those of no node too large. */
int perf_set_read(struct perf_set *set, struct tally_event_counts *rows);

/* Whether a CPU came or went, so that a cgroup's events may have gaps. */
bool perf_set_has_gaps(const struct perf_set *set);

#endif
