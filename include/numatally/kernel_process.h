/* SPDX-License-Identifier: MIT */
/*
 * kernel_process: the processes of a machine with the memory of each on every
 * node, and sums over the processes of a user or of a cgroup.
 *
 * <numatally/kernel_memory.h> explains the kinds of pages, the sampling of
 * large processes, and the bounds of a figure. Here memory is also divided:
 *
 * - Own memory is what this process alone has mapped; common memory is what
 *   others, listed or not, have mapped too. The kernel tells this of a whole
 *   mapping only if no page of it is shared. Of other mappings the pages are
 *   asked (/proc/PID/pagemap): all pages if the mapping has less than 4 MiB,
 *   else some, whose share is assumed on every node. In a captured tree this is
 *   not known: the bounds are then 0 and the total.
 * - A sum over processes counts each page once. Only ranges tell which pages
 *   processes have in common: a sum has bounds if ranges of common memory
 *   overlap. A row counts memory that its process maps twice twice, as RSS
 *   does.
 */
#ifndef NUMATALLY_KERNEL_PROCESS_H
#define NUMATALLY_KERNEL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>
#include <numatally/kernel_memory.h>
#include <numatally/kernel_node.h>
#include <numatally/topo.h>

TALLY_BEGIN

/* Selects processes: those that pids or commands name (all, if neither is
 * given), and of these the user's and the cgroup's, if given. All members but
 * size 0: every process. The library copies what the members point to. */
struct tally_process_filter {
	size_t size; /* the caller sets sizeof(struct tally_process_filter) */
	/* Each has a row, even if there is no such process. The number of a
	 * thread stands for its process. */
	const pid_t *pids;
	unsigned int nr_pids;
	/* Substrings of the name or of the command line (arguments separated
	 * by a space). They never match the calling process. */
	const char *const *commands;
	unsigned int nr_commands;
	bool by_uid;
	uid_t uid; /* effective */
	/* This cgroup and all below it: "/system.slice". NULL: any. */
	const char *cgroup;
};

/* A process, or several, on one node. */
struct tally_process_node {
	int node; /* sysfs's number; -1: of no node in particular */
	/* Of a process whose kinds are not known (before Linux 4.5), each may
	 * be 0 or all; total has the sum. */
	struct tally_mem_figure memory[TALLY_NR_MEM];
	struct tally_mem_figure own[TALLY_NR_MEM];
	struct tally_mem_figure common[TALLY_NR_MEM];
	struct tally_mem_figure total; /* over kinds */
	struct tally_mem_figure total_own;
	struct tally_mem_figure total_common;
	/* Threads that ran last on a CPU of this node, and all the CPU time
	 * that they ever took, on any node. */
	unsigned int nr_threads;
	int64_t cpu_ns;
};

struct tally_process_row {
	pid_t pid; /* pid and start_ticks name the process */
	pid_t ppid;
	uint64_t start_ticks;
	uid_t uid;  /* effective; (uid_t)-1: not known */
	char state; /* R, S, D, Z, T, …; 0: not known */
	char name[64];
	const char *cgroup; /* its path in the hierarchy with the memory
			       controller, as in /proc/PID/cgroup; "": not
			       known, or it ended and version 1 has it in none */
	/*
	 * 0, or why memory is not known by node:
	 * -ESRCH	it ended. Only a process that the filter names by number
	 *		has such a row; others are left out
	 * -EACCES, -EPERM
	 *		refused: its totals are in unknown
	 * -EBADMSG	a line makes no sense; what the others tell is known
	 * -ENOENT	a captured process without stat: what its other files
	 *		tell is known, and state is 0
	 * -ENODATA	a captured process of which no file tells the memory
	 * other	as reading its files
	 */
	int err;
	unsigned int nr_threads;
	int64_t cpu_ns;	    /* user and system, since its start, in ticks */
	int64_t rss_bytes;  /* the kernel's own figure, now; TALLY_UNKNOWN: of a
			       captured machine with pages of unknown size, or
			       without stat */
	int64_t swap_bytes; /* VmSwap: of no node; or TALLY_UNKNOWN */
	int64_t memory_ns;  /* the clock of the options, when the members below,
			       uid, cgroup and swap_bytes were read */
	bool has_memory;    /* false: a kernel thread, a zombie, or err */
	bool sampled;	    /* from a sample of pages */
	/* Nodes with memory or threads, ascending. */
	const struct tally_process_node *nodes;
	unsigned int nr_nodes;
	struct tally_process_node all; /* all nodes, and unknown */
	struct tally_process_node unknown;
	/* Memory on nodes where one of its threads ran last, and on others: an
	 * estimate, since threads move. Both have 0 bytes if the node of no
	 * thread is known; the bounds then are 0 and all of it. */
	struct tally_mem_figure local;
	struct tally_mem_figure remote;
};

enum tally_process_by {
	TALLY_BY_ALL, /* one sum */
	TALLY_BY_USER,
	TALLY_BY_CGROUP, /* each with the cgroups in it, and those that have
			    processes only there: "/", "/a", "/a/b". "/.."
			    holds "/", the root of our cgroup namespace */
	TALLY_NR_BY,
};

struct tally_process_sum {
	uid_t uid;	    /* BY_USER; else 0 */
	const char *cgroup; /* BY_CGROUP; else "" */
	int err;	    /* 0, or the first err of its rows */
	unsigned int nr_processes;
	unsigned int nr_failed; /* rows with an err */
	unsigned int nr_threads;
	int64_t cpu_ns;
	int64_t swap_bytes; /* TALLY_UNKNOWN if that of a row is */
	const struct tally_process_node *nodes; /* ascending */
	unsigned int nr_nodes;
	struct tally_process_node all;
	struct tally_process_node unknown;
	struct tally_mem_figure local; /* the sum over its rows */
	struct tally_mem_figure remote;
};

/* One thread at a time may use a handle. */
struct tally_process_stats;

/*
 * Prepare to read the processes of this machine (@root NULL), or of the
 * captured tree @root.
 *
 * @topo: the node of each CPU; it must live as long as the handle, or until
 *	tally_kernel_processes_set_topo(). NULL: threads are of no known node.
 * @filter: NULL: every process.
 * @options: as for tally_kernel_mem_create(), without the intervals. NULL: the
 *	defaults.
 *
 * The caller closes *@processes.
 *
 * -EINVAL	budget_ppm > 1,000,000, a negative member, or no size
 * -E2BIG	a structure has a member set that this library does not know
 * -ENOENT	no procfs
 * -ENOMEM	no memory
 * other	as open(2)
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_processes_open(const char *root, const struct tally_topo *topo,
			    const struct tally_process_filter *filter,
			    const struct tally_mem_options *options,
			    struct tally_process_stats **processes);
TALLY_API void
tally_kernel_processes_close(struct tally_process_stats *processes);

/* Replace the topology, after CPUs or nodes came or went. */
TALLY_API void
tally_kernel_processes_set_topo(struct tally_process_stats *processes,
				const struct tally_topo *topo);

/*
 * Read the processes. The call reads a new process whole. Of the others it
 * reads pid to rss_bytes, and the rest (user, cgroup, swap, memory and threads
 * by node) only within the budget: first for processes whose RSS or threads
 * changed, then for those read longest ago. memory_ns tells when. A budget_ppm
 * of 1,000,000 reads everything each time.
 *
 * The budget pays for the first reading too; the handle never owes, and never
 * saves up, more than ten seconds of it. The call allocates only if a process
 * is new or something grew.
 *
 * 0		every row was read
 * -ENOMEM	no memory; rows may be missing or old
 * other	the err of the first row that failed, or /proc can't be listed
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_processes_read(struct tally_process_stats *processes);

/* The rows of the last reading, ascending by pid. A row belongs to the handle,
 * until the next reading. The function asserts that @index < nr. */
TALLY_API unsigned int
tally_kernel_processes_nr(const struct tally_process_stats *processes);
TALLY_API const struct tally_process_row *
tally_kernel_processes_row(const struct tally_process_stats *processes,
			   unsigned int index);

/* The index of the row of process @pid, or -ENOENT. */
TALLY_API int
tally_kernel_processes_find(const struct tally_process_stats *processes,
			    pid_t pid);

/* Whether a process had commands[@command] of the filter at the last reading.
 * The function asserts that @command < nr_commands. */
TALLY_API bool
tally_kernel_processes_matched(const struct tally_process_stats *processes,
			       unsigned int command);

/* By the clock of the options, in ns: the end of the last reading, its cost,
 * and the cost of all readings. */
TALLY_API int64_t
tally_kernel_processes_time_ns(const struct tally_process_stats *processes);
TALLY_API int64_t tally_kernel_processes_last_cost_ns(
	const struct tally_process_stats *processes);
TALLY_API int64_t
tally_kernel_processes_cost_ns(const struct tally_process_stats *processes);

/*
 * Add up the rows of the last reading; each sum counts each page once. A range
 * of common memory costs about 0.2 us; a process has some dozens.
 *
 * -ENOMEM	no memory; there are no sums
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_processes_sum(struct tally_process_stats *processes,
			   enum tally_process_by by);

/* The sums, ascending by uid, or each cgroup before those in it. A sum
 * belongs to the handle, until the next sum or reading. The function asserts
 * that @index < nr_sums. */
TALLY_API unsigned int
tally_kernel_processes_nr_sums(const struct tally_process_stats *processes);
TALLY_API const struct tally_process_sum *
tally_kernel_processes_sum_at(const struct tally_process_stats *processes,
			      unsigned int index);

TALLY_END

#endif
