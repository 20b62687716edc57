/* SPDX-License-Identifier: MIT */
/* The stat files of processes and threads. */
#ifndef KERNEL_PROC_STAT_H
#define KERNEL_PROC_STAT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel_tree.h>

/*
 * Parse the text of a stat file. The name may hold spaces, parentheses and
 * newlines. Later kernels append fields.
 *
 * -EBADMSG	not such a text, or cut off before the start time
 */
int kernel_stat_parse(const char *text, size_t len, struct tally_stat *stat);

/* tally_kernel_stat_read() below an open proc directory. */
int kernel_stat_read(int proc, pid_t pid, pid_t tid, struct tally_stat *stat);

/* What a thread itself used: the most exact that procfs has. */
struct kernel_thread {
	struct tally_stat stat;
	int64_t cpu_ns; /* exact, from schedstat; user_ns + system_ns if the
			   kernel has no such file */
	int64_t context_switches; /* voluntary and not; -1: not known */
};

/*
 * Call each() for every thread of the process. Threads that end meanwhile are
 * left out. If each() returns a value other than 0, the function returns it.
 *
 * -ESRCH	no such process, or it ended before its first thread was read
 */
int kernel_threads(const char *root, pid_t pid,
		   int (*each)(void *arg, const struct kernel_thread *t),
		   void *arg);

#endif
