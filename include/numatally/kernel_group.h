/* SPDX-License-Identifier: MIT */
/*
 * kernel_group: the cgroups of a machine, and what the memory controller says
 * of each on every node: memory.numa_stat.
 *
 * Version 2 has one file for each cgroup, in bytes, and of the whole subtree:
 * "anon", "file", "shmem" (part of file), "slab_reclaimable" … Version 1 has it
 * for the root too, in pages: "total", "file", "anon", "unevictable" of the
 * cgroup itself, and "hierarchical_…" of its subtree. Names are the kernel's; a
 * kernel with others has other figures here.
 *
 * A machine has the memory controller in one hierarchy at a time, whichever
 * versions are mounted; that one is shown.
 */
#ifndef NUMATALLY_KERNEL_GROUP_H
#define NUMATALLY_KERNEL_GROUP_H

#include <stdint.h>

#include <numatally/export.h>
#include <numatally/kernel_node.h>

TALLY_BEGIN

struct tally_group_row {
	const char *path;   /* as /proc/PID/cgroup has it: "/", "/a/b" */
	unsigned int depth; /* 0: the root, or what stands for it here */
	/*
	 * 0, or why there are no figures:
	 * -ENOENT	it has no memory.numa_stat: its parent does not give it
	 *		the controller, or it is a root that has none. No
	 *		failure of a reading.
	 * -EBADMSG	the file makes no sense
	 * other	as open(2) and read(2) say
	 */
	int err;
	/* By node and figure: values[n * nr_figures + f] for the n-th of
	 * tally_kernel_groups_nodes() and the f-th of
	 * tally_kernel_groups_figures(); TALLY_UNKNOWN where the file has none.
	 * NULL where err. */
	const int64_t *values;
};

/* A handle belongs to one thread at a time. */
struct tally_groups;

/*
 * root: a captured tree's directory; NULL: this machine. The hierarchy is
 * found in proc/self/mountinfo; a tree without that has it in sys/fs/cgroup or
 * sys/fs/cgroup/memory. path: this cgroup and those below it; NULL: all that
 * can be seen.
 *
 * max_fds: how many files are kept open to be read again, 0 for the default: a
 * quarter of RLIMIT_NOFILE, 1024 at most. The cgroups beyond that have theirs
 * opened for each reading (about 4 us more each), and so has every one after
 * open(2) said EMFILE.
 *
 * -ENOENT	no memory controller is mounted, or there is no such cgroup
 * -ENAMETOOLONG
 *		root or path is
 * -ENOMEM	no memory
 * other	as open(2) says
 */
TALLY_API int tally_kernel_groups_open(const char *root, const char *path,
				       unsigned int max_fds,
				       struct tally_groups **groups);
TALLY_API void tally_kernel_groups_close(struct tally_groups *groups);

/*
 * Looks which cgroups there are, and reads each. One that goes away meanwhile
 * is no row. Where there is no new cgroup, node or figure, it allocates
 * nothing.
 *
 * 0		every row was read, or has -ENOENT
 * -ENOMEM	no memory; rows may be missing, or not be read
 * other	the err of the first row that has another
 */
TALLY_API int tally_kernel_groups_read(struct tally_groups *groups);

/* 1 or 2. */
TALLY_API int tally_kernel_groups_version(const struct tally_groups *groups);
/* CLOCK_MONOTONIC of the last reading. */
TALLY_API int64_t tally_kernel_groups_time_ns(const struct tally_groups *groups);

/* Of the last reading, until the next: rows, each cgroup before those in it,
 * and these by name. */
TALLY_API unsigned int
tally_kernel_groups_nr(const struct tally_groups *groups);
TALLY_API const struct tally_group_row *
tally_kernel_groups_row(const struct tally_groups *groups, unsigned int index);
/* The index of a cgroup's row, or -ENOENT. */
TALLY_API int tally_kernel_groups_find(const struct tally_groups *groups,
				       const char *path);

/* The nodes that any file has named so far, ascending by number. */
TALLY_API const int *
tally_kernel_groups_nodes(const struct tally_groups *groups, unsigned int *nr);
/* The figures that any file has had so far: never reordered, only more.
 * source is TALLY_SOURCE_CGROUP; those of version 1 are pages, those of
 * version 2 bytes, but for its "workingset_…": events, counters. */
TALLY_API const struct tally_figure *
tally_kernel_groups_figures(const struct tally_groups *groups,
			    unsigned int *nr);
/* The index of the figure, or -ENOENT. */
TALLY_API int tally_kernel_groups_figure(const struct tally_groups *groups,
					 const char *name);

TALLY_END

#endif
