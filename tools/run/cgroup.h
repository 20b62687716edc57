/* SPDX-License-Identifier: MIT */
/* A cgroup for the command alone, below ours, in which its events are counted. */
#ifndef TOOL_RUN_CGROUP_H
#define TOOL_RUN_CGROUP_H

#include <limits.h>
#include <sys/types.h>

struct run_cgroup {
	int fd; /* of its directory; -1: none */
	char path[PATH_MAX];
};

/* Create one in the version 2 hierarchy, and put process @pid into it. 0 or
 * -errno; -ENOENT: that hierarchy is not mounted, or only a part of it
 * that does not have us at our path. */
int run_cgroup_create(pid_t pid, struct run_cgroup *cgroup);

/* Remove it. -EBUSY: it still has processes, and stays. */
int run_cgroup_destroy(struct run_cgroup *cgroup);

#endif
