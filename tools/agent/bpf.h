/* SPDX-License-Identifier: MIT */
/* CPU time by cgroup and CPU, as a BPF program counts it. */
#ifndef AGENT_BPF_H
#define AGENT_BPF_H

#include <stdint.h>

#include "agent/sums.h"

struct agent_bpf;

/*
 * Load and attach the program, for the cgroups of a hierarchy: of version 1 or
 * 2, and with this number in /proc/self/cgroup. -ENOSYS: numatally was built
 * without; others as bpf(2): -EPERM, the caller lacks CAP_BPF and CAP_PERFMON.
 */
int agent_bpf_open(int version, int hierarchy, struct agent_bpf **bpf);
void agent_bpf_close(struct agent_bpf *bpf);

/* Read the sums of all cgroups that a task has left since, and call @take with
 * each: sums[] has an element for each possible CPU. @take returns 0, or an error
 * that ends the reading. */
int agent_bpf_read(struct agent_bpf *bpf,
		   int (*take)(void *data, uint64_t id,
			       const struct agent_sum *sums, unsigned int nr),
		   void *data);
/* Read those of a cgroup that is gone, for the last time. -ENOENT: none. */
int agent_bpf_forget(struct agent_bpf *bpf, uint64_t id,
		     const struct agent_sum **sums, unsigned int *nr);

/* Call @take with what happened to cgroups since the last call. Return 0; 1: some
 * events found no room; or -errno. */
int agent_bpf_events(struct agent_bpf *bpf,
		     void (*take)(void *data, const struct agent_event *event),
		     void *data);

#endif
