/* SPDX-License-Identifier: MIT */
/* The hierarchy of cgroups that CPU time is kept for. */
#ifndef AGENT_HIERARCHY_H
#define AGENT_HIERARCHY_H

#include <stdint.h>

#include <numatally/kernel_group.h>

/* Find it: the one with cpuacct (version 1), else version 2; or of @version
 * alone, if that is not 0. -ENOENT: none is mounted. */
int hierarchy_find(int version, struct tally_group_mount *h);
void hierarchy_free(struct tally_group_mount *h);

/* Call @take with each cgroup, its parent before it. @take returns 0, or an error
 * that ends the walk. */
int hierarchy_walk(const struct tally_group_mount *h,
		   int (*take)(void *data, uint64_t id, const char *path),
		   void *data);

/* Read cpuacct.usage_percpu of the cgroup @path, of version 1, into ns[0 .. nr).
 * Return the number of CPUs, or -errno. */
int hierarchy_usage(const struct tally_group_mount *h, const char *path,
		    int64_t *ns, unsigned int nr);

/* Read the CPU time of the cgroup @path, of version 2, with all that is in it. 0 or
 * -errno. */
int hierarchy_total(const struct tally_group_mount *h, const char *path,
		    int64_t *ns);

/* Call @take with the CPU on which each thread of the cgroup @path, of version 2, ran
 * last. */
void hierarchy_threads(const struct tally_group_mount *h, const char *path,
		       void (*take)(void *data, int cpu), void *data);

/* Open its directory. Return the descriptor, or -errno. */
int hierarchy_directory(const struct tally_group_mount *h, const char *path);

#endif
