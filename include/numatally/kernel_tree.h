/* SPDX-License-Identifier: MIT */
/*
 * kernel_tree: a process and its descendants.
 *
 * All functions read procfs at the moment of the call. Between two reads a
 * process can end and another can get its number: number and start time
 * together name a process.
 *
 * root is the directory of a captured tree, whose proc/ is read in place of
 * /proc; NULL: this machine.
 */
#ifndef NUMATALLY_KERNEL_TREE_H
#define NUMATALLY_KERNEL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>

TALLY_BEGIN

/* /proc/PID/stat or /proc/PID/task/TID/stat. The kernel counts time there in
 * ticks, mostly of 10 ms. */
struct tally_stat {
	size_t size;	      /* the caller sets sizeof(struct tally_stat) */
	pid_t pid;	      /* or the thread's number */
	pid_t ppid;	      /* 0: none */
	char state;	      /* R, S, D, Z, T, … */
	char name[64];	      /* any bytes but NUL; cut off if longer */
	uint64_t start_ticks; /* since boot */
	int64_t user_ns;
	int64_t system_ns;
	int64_t minor_faults; /* of its own, not of children */
	int64_t major_faults;
	int64_t rss_bytes; /* of the process; the kernel's estimate */
	int nr_threads;
	int cpu;	      /* on which it ran last; -1: not known */
	int64_t child_faults; /* of children that it waited for, and of those
				 that these had waited for; of both kinds */
};

/*
 * Read the stat file of process @pid, or of its thread @tid where @tid > 0.
 * Thread-safe.
 *
 * -ESRCH	no such process: it ended, or hidepid hides it
 * -EBADMSG	the file is not a stat file
 * -EINVAL	stat->size is not set
 * other	as open(2) and read(2)
 */
TALLY_API TALLY_NODISCARD int tally_kernel_stat_read(const char *root,
						     pid_t pid, pid_t tid,
						     struct tally_stat *stat);

struct tally_process {
	pid_t pid;
	pid_t ppid;
	uint64_t start_ticks;
	int64_t rss_bytes;
	char state; /* Z: it ended, and its parent has not waited for it */
	int nr_threads;
};

/*
 * The children of a process, their children, and so on. A process that a
 * refresh found stays in the tree until it ends, even if it gets another
 * parent. One that is orphaned before any refresh found it is found only if it
 * becomes a child of the tree: with PR_SET_CHILD_SUBREAPER none gets away.
 *
 * One thread at a time may use a tree. A refresh allocates only if the tree is
 * larger than ever before.
 */
struct tally_tree;

/*
 * Create a tree of the descendants of @pid; with @self, of @pid too. It is
 * empty until it is refreshed. The caller destroys *@tree.
 *
 * -ESRCH	no such process; or /proc is of another PID namespace, and has
 *		other numbers than the caller's system calls
 * -ENOENT	no procfs
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_tree_create(const char *root, pid_t pid, bool self,
			 struct tally_tree **tree);
TALLY_API void tally_kernel_tree_destroy(struct tally_tree *tree);

/*
 * Find the processes of the tree: from /proc/PID/task/TID/children, or, if the
 * kernel has no such files, from the parents in every /proc/PID/stat.
 *
 * -ENOMEM	no memory; the tree is as it was
 * other	/proc can't be listed; the tree is as it was
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_tree_refresh(struct tally_tree *tree);

/* The processes that the last refresh found, ascending by number. A row belongs
 * to the tree, until the next refresh. The function asserts that @index is
 * below nr. */
TALLY_API unsigned int tally_kernel_tree_nr(const struct tally_tree *tree);
TALLY_API const struct tally_process *
tally_kernel_tree_row(const struct tally_tree *tree, unsigned int index);

TALLY_END

#endif
