/* SPDX-License-Identifier: MIT */
/* Cgroups by their names, as /proc/PID/cgroup has them: "/a" holds "/a/b", and
 * "/.." holds "/", the root of our cgroup namespace. */
#ifndef TOOL_COMMON_GROUP_H
#define TOOL_COMMON_GROUP_H

#include <stdbool.h>

#include <numatally/kernel_process.h>

/* Whether a cgroup is this one, or in it; "" is no cgroup. */
bool group_is_in(const char *name, const char *of);

/* The sum of the processes of the cgroup and those in it; NULL: it has none. */
const struct tally_process_sum *
group_sum(const struct tally_process_stats *processes, const char *name);

/* Whether reading failed for each of the sum's processes. */
bool group_sum_failed(const struct tally_process_sum *sum);

/* Whether the sum's memory is known: not where it failed, and no process has a
 * total. */
bool group_sum_knows(const struct tally_process_sum *sum);

#endif
