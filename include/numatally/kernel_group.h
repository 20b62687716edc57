/* SPDX-License-Identifier: MIT */
/*
 * kernel_group: the cgroups of a machine, and the memory.numa_stat of each.
 *
 * Version 2: a file for each cgroup but the root, in bytes, of its subtree:
 * "anon", "file", "shmem" (part of file), "slab_reclaimable" and so on. Version
 * 1: a file for each cgroup, in pages: "total", "file", "anon", "unevictable"
 * of the cgroup itself, and "hierarchical_…" of its subtree. Names are the
 * kernel's: one with other names yields other figures.
 *
 * The memory controller is in one hierarchy at a time, even if both versions
 * are mounted. The handle shows that one.
 */
#ifndef NUMATALLY_KERNEL_GROUP_H
#define NUMATALLY_KERNEL_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/kernel_node.h>

TALLY_BEGIN

struct tally_group_row {
	/* As in /proc/PID/cgroup: "/", "/a/b"; outside our cgroup namespace
	 * "/..", "/../x". In a captured tree whose cgroup.procs do not tell what
	 * is on the way to the namespace, that has such a name, too. */
	const char *path;
	unsigned int depth; /* 0: the first row, under which all others are */
	/*
	 * 0, or why figures are not known:
	 * -ENOENT	no memory.numa_stat: the parent does not delegate the
	 *		controller, or the root has none. The reading does not
	 *		count this as a failure.
	 * -EBADMSG	a line makes no sense: its figure is unknown, others
	 *		are known. Or the whole file does. A line with a name
	 *		that no known kernel has is skipped then
	 * other	as open(2) and read(2); or cgroups in it are missing,
	 *		since its directory could not be listed
	 */
	int err;
	/* By node and figure: values[n * nr_figures + f] for the n-th of
	 * tally_kernel_groups_nodes() and the f-th of
	 * tally_kernel_groups_figure(); TALLY_UNKNOWN where the file has none.
	 * NULL if none is known. */
	const int64_t *values;
};

/* One thread at a time may use a handle. */
struct tally_groups;

/*
 * Open the cgroups of this machine (@root NULL), or of the captured tree @root:
 * the cgroup @path and all below it; NULL: all that are visible. The hierarchy
 * is the one in proc/self/mountinfo; in a tree without that file it is in
 * sys/fs/cgroup or sys/fs/cgroup/memory.
 *
 * The handle keeps @max_fds files open to read them again; 0: a quarter of
 * RLIMIT_NOFILE, 1024 at most. Reading any other file opens it each time (about
 * 4 us more). At EMFILE the handle keeps fewer files open from then on.
 *
 * The caller closes *@groups.
 *
 * -ENOENT	no memory controller is mounted, or there is no such cgroup
 * -ENAMETOOLONG
 *		@root or @path is too long
 * -ENOMEM	no memory
 * other	as open(2)
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_groups_open(const char *root, const char *path,
			 unsigned int max_fds, struct tally_groups **groups);
TALLY_API void tally_kernel_groups_close(struct tally_groups *groups);

struct tally_group_mount {
	size_t size; /* the caller sets sizeof(struct tally_group_mount) */
	int version;
	int number;   /* in /proc/PID/cgroup; 0 for version 2 */
	char *point;  /* where it is mounted, below the root */
	char *prefix; /* the path of the cgroup that is mounted there; "" for
			 "/", or if our cgroup namespace begins below it */
};

/*
 * Find where a hierarchy is mounted: the one of version 1 with the controller
 * @v1, else that of version 2 if it has the controller @v2; NULL: none of that
 * version; "": @v2 is any. The caller frees the texts with free(3).
 *
 * -EINVAL	mount->size is not set
 * -ENOENT	none is mounted, or has a number
 * other	as of tally_kernel_groups_open()
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_groups_mount(const char *root, const char *v1, const char *v2,
			  struct tally_group_mount *mount);

/*
 * Find the cgroups, and read each. A cgroup that goes away meanwhile has no
 * row. The call allocates only for a new cgroup, node or figure.
 *
 * 0		every row was read, or has -ENOENT
 * -ENOMEM	no memory; rows may be missing or old
 * other	the err of the first row that failed; the others were read
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_groups_read(struct tally_groups *groups);

/* The version of the hierarchy, 1 or 2. */
TALLY_API int tally_kernel_groups_version(const struct tally_groups *groups);
/* CLOCK_MONOTONIC of the last reading, in ns. */
TALLY_API int64_t tally_kernel_groups_time_ns(const struct tally_groups *groups);

/* The rows of the last reading: each cgroup before those in it, siblings by
 * name. A row belongs to the handle, until the next reading. The function
 * asserts that @index < nr. */
TALLY_API unsigned int
tally_kernel_groups_nr(const struct tally_groups *groups);
TALLY_API const struct tally_group_row *
tally_kernel_groups_row(const struct tally_groups *groups, unsigned int index);
/* The index of the row of the cgroup @path, or -ENOENT. */
TALLY_API int tally_kernel_groups_find(const struct tally_groups *groups,
				       const char *path);

/* The nodes that any file has named so far, ascending by number. The array
 * belongs to the handle, until the next reading. */
TALLY_API const int *
tally_kernel_groups_nodes(const struct tally_groups *groups, unsigned int *nr);
/* The figures that any file has had so far; each keeps its index. source is
 * TALLY_SOURCE_CGROUP. Those of version 1 are in pages (page_bytes 0: of a
 * captured machine that does not tell), those of version 2 in bytes; its
 * "workingset_…" and "pg…" are counters of events. A figure belongs to the
 * handle, until the next reading. The function asserts that @index is below
 * nr_figures. */
TALLY_API unsigned int
tally_kernel_groups_nr_figures(const struct tally_groups *groups);
TALLY_API const struct tally_figure *
tally_kernel_groups_figure(const struct tally_groups *groups,
			   unsigned int index);
/* The index of the figure @name, or -ENOENT. */
TALLY_API int tally_kernel_groups_find_figure(const struct tally_groups *groups,
					      const char *name);

TALLY_END

#endif
