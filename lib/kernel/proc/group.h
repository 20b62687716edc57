/* SPDX-License-Identifier: MIT */
/*
 * Names of cgroups, as /proc/PID/cgroup has them: "/a/b". The cgroups that hold
 * the root of the reader's cgroup namespace are "/..", "/../.." and so on, what
 * else is in these is "/../x". So a cgroup has one name, and "/.." holds "/".
 */
#ifndef KERNEL_PROC_GROUP_H
#define KERNEL_PROC_GROUP_H

#include <stdbool.h>
#include <stddef.h>

struct group_name {
	unsigned int nr_up; /* how often "/.." is at its start */
	const char *rest;   /* "/a/b", without a slash at its end */
	size_t len;	    /* of rest */
};

struct group_name group_name_of(const char *path);

/* Whether a cgroup is this one or below it. */
bool group_name_holds(const struct group_name *of, const struct group_name *in);

/* Find the path in the text of a /proc/PID/cgroup: in the hierarchy that has the
 * controller, or in that of version 2 (""). NULL: there is no such line. */
const char *group_name_find(const char *text, const char *controller,
			    size_t *len);

#endif
