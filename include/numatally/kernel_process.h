/* SPDX-License-Identifier: MIT */
/*
 * kernel_process: the processes of a machine, with the memory of each on every
 * node, and sums over those of a user or of a cgroup.
 *
 * What a page counts as, how a large process is sampled and what the bounds of
 * a figure mean is told in <numatally/kernel.h>: this is the same, a row for
 * each process. Two things are split there that are one here:
 *
 * - own and common memory. Own is what this process alone has mapped; common
 *   is what others have mapped too, be they listed here or not. The kernel says
 *   this of a mapping only where nobody shares any page of it; elsewhere it is
 *   asked of the pages (/proc/PID/pagemap): all of a mapping of less than
 *   4 MiB, some of a larger one, taken to be the same share on every node. In a
 *   captured tree it is not known: then the bounds are nothing and all.
 * - A sum over processes counts a page once. Who has which is only known of
 *   ranges, so that a sum has bounds where ranges of common memory overlap.
 *   A row counts what a process has mapped twice twice, as its RSS does.
 */
#ifndef NUMATALLY_KERNEL_PROCESS_H
#define NUMATALLY_KERNEL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>
#include <numatally/kernel.h>
#include <numatally/topo.h>

TALLY_BEGIN

/* Which processes: those that pids or commands name (all, where neither does),
 * and that are the user's and in the cgroup, where these are given. All zero:
 * every process. What it points to is copied. */
struct tally_process_filter {
	const pid_t *pids; /* each has a row, be there a process or not */
	unsigned int nr_pids;
	/* Whose name or command line has one of these in it (its arguments
	 * with a space between them). The caller's own process is not found by
	 * that. */
	const char *const *commands;
	unsigned int nr_commands;
	bool by_uid;
	uid_t uid; /* effective */
	/* In this cgroup or below it: "/system.slice". NULL: in any. */
	const char *cgroup;
};

/* A process, or several, on one node. */
struct tally_process_node {
	int node; /* sysfs's number; -1: of no node in particular */
	struct tally_mem_figure memory[TALLY_NR_MEM];
	struct tally_mem_figure own[TALLY_NR_MEM];
	struct tally_mem_figure common[TALLY_NR_MEM];
	struct tally_mem_figure total; /* over kinds */
	struct tally_mem_figure total_own;
	struct tally_mem_figure total_common;
	/* Threads that ran last on a CPU of this node, and the CPU time that
	 * they took since they began, wherever that was. */
	unsigned int nr_threads;
	int64_t cpu_ns;
};

struct tally_process_row {
	pid_t pid; /* this and start_ticks name it */
	pid_t ppid;
	uint64_t start_ticks;
	uid_t uid;  /* effective */
	char state; /* R, S, D, Z, T, …; 0: not known */
	char name[64];
	const char *cgroup; /* its path in the hierarchy that has the memory
			       controller, as /proc/PID/cgroup has it; "": not
			       known */
	/*
	 * 0, or why memory is not known by node:
	 * -ESRCH	it has ended (only where it was asked for by number;
	 *		others that end are left out)
	 * -EACCES, -EPERM
	 *		refused: its totals are in unknown
	 * other	what reading said
	 */
	int err;
	unsigned int nr_threads;
	int64_t cpu_ns;	    /* user and system, since its start, in ticks */
	int64_t rss_bytes;  /* the kernel's own figure, now */
	int64_t swap_bytes; /* VmSwap: of no node */
	int64_t memory_ns;  /* CLOCK_MONOTONIC, when all that follows was read;
			       else it is as of the last reading */
	bool has_memory;    /* false: a kernel's thread, a zombie, or err */
	bool sampled;	    /* from a sample of pages */
	/* Nodes with memory or threads, ascending. */
	const struct tally_process_node *nodes;
	unsigned int nr_nodes;
	struct tally_process_node all; /* all nodes, and the next */
	struct tally_process_node unknown;
	/* An estimate, since threads move: what is on nodes where a thread of
	 * it ran last, and what is not. */
	struct tally_mem_figure local;
	struct tally_mem_figure remote;
};

enum tally_process_by {
	TALLY_BY_ALL, /* one sum */
	TALLY_BY_USER,
	TALLY_BY_CGROUP,
	TALLY_NR_BY,
};

struct tally_process_sum {
	uid_t uid;	    /* BY_USER; else 0 */
	const char *cgroup; /* BY_CGROUP; else "" */
	int err;	    /* 0, or the first of its rows' */
	unsigned int nr_processes;
	unsigned int nr_failed; /* rows with an err */
	unsigned int nr_threads;
	int64_t cpu_ns;
	int64_t swap_bytes;
	const struct tally_process_node *nodes; /* ascending */
	unsigned int nr_nodes;
	struct tally_process_node all;
	struct tally_process_node unknown;
	struct tally_mem_figure local; /* the sum of those of the rows */
	struct tally_mem_figure remote;
};

/* A handle belongs to one thread at a time. */
struct tally_processes;

/*
 * root: a captured tree's directory; NULL: this machine. topo says which CPU
 * is on which node, and must live as long as the handle, or until
 * tally_kernel_processes_set_topo(); NULL: threads are of no known node.
 * filter NULL: every process. options, NULL for the defaults: budget_ppm,
 * burst_ns, large_bytes, nr_pages, seed and clock are as for
 * tally_kernel_mem_create(); the intervals mean nothing here. The caller owns
 * *processes.
 *
 * -EINVAL	budget_ppm > 1,000,000, or something negative
 * -ENOENT	no procfs
 * -ENOMEM	no memory
 * other	as open(2) says
 */
TALLY_API int
tally_kernel_processes_open(const char *root, const struct tally_topo *topo,
			    const struct tally_process_filter *filter,
			    const struct tally_mem_options *options,
			    struct tally_processes **processes);
TALLY_API void tally_kernel_processes_close(struct tally_processes *processes);

/* Where CPUs or nodes came or went. */
TALLY_API void
tally_kernel_processes_set_topo(struct tally_processes *processes,
				const struct tally_topo *topo);

/*
 * Reads who is there now. A process that is new is read whole. Of the others,
 * pid to rss_bytes are read anew, and the rest (user, cgroup, swap, memory and
 * threads by node) within the budget: first that of processes whose RSS or
 * threads changed, then of those read longest ago. memory_ns says when. A
 * budget_ppm of 1,000,000 reads everything each time.
 *
 * What a first reading costs is owed as well; but no more than ten seconds of
 * the budget are ever owed, or saved up for the next reading. Where nothing is
 * new and nothing has grown, it allocates nothing.
 *
 * 0		every row was read
 * -ENOMEM	no memory; rows may be missing, or not be read
 * other	the err of the first row that has one, or /proc can't be listed
 */
TALLY_API int tally_kernel_processes_read(struct tally_processes *processes);

/* Of the last reading, until the next: rows ascending by pid. */
TALLY_API unsigned int
tally_kernel_processes_nr(const struct tally_processes *processes);
TALLY_API const struct tally_process_row *
tally_kernel_processes_row(const struct tally_processes *processes,
			   unsigned int index);

/* The index of a process's row, or -ENOENT. */
TALLY_API int
tally_kernel_processes_find(const struct tally_processes *processes, pid_t pid);

/* By the clock of the options: when the last reading ended, what it took, and
 * what all took. */
TALLY_API int64_t
tally_kernel_processes_time_ns(const struct tally_processes *processes);
TALLY_API int64_t
tally_kernel_processes_last_cost_ns(const struct tally_processes *processes);
TALLY_API int64_t
tally_kernel_processes_cost_ns(const struct tally_processes *processes);

/*
 * Adds up the rows of the last reading, each page once in each sum; sums live
 * until the next call of this or of read. They are ascending by uid, or by
 * cgroup in the order of strcmp(). Costs about 0.2 us for each range of common
 * memory, of which a process has some dozens.
 *
 * -ENOMEM	no memory; there are no sums
 */
TALLY_API int tally_kernel_processes_sum(struct tally_processes *processes,
					 enum tally_process_by by);
TALLY_API unsigned int
tally_kernel_processes_nr_sums(const struct tally_processes *processes);
TALLY_API const struct tally_process_sum *
tally_kernel_processes_sum_at(const struct tally_processes *processes,
			      unsigned int index);

TALLY_END

#endif
