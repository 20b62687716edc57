/* SPDX-License-Identifier: MIT */
/* A cgroup of the command's own, below ours, to count its events in. */
#ifndef RUN_CGROUP_H
#define RUN_CGROUP_H

#include <limits.h>
#include <sys/types.h>

struct run_cgroup {
	int fd; /* of its directory; -1: there is none */
	char path[PATH_MAX];
};

/* Makes one, in the version 2 hierarchy, and puts process pid into it. 0 or
 * -errno; -ENOENT where no such hierarchy is mounted. */
int run_cgroup_create(pid_t pid, struct run_cgroup *cgroup);

/* Removes it. -EBUSY: processes live in it still, and it stays. */
int run_cgroup_destroy(struct run_cgroup *cgroup);

#endif
