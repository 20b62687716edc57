/* SPDX-License-Identifier: MIT */
/*
 * kernel_events: CPU time, page faults, context switches and migrations of a
 * command and all its descendants, per node.
 */
#ifndef NUMATALLY_KERNEL_EVENTS_H
#define NUMATALLY_KERNEL_EVENTS_H

#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>
#include <numatally/topo.h>

TALLY_BEGIN

enum tally_event {
	TALLY_EVENT_CPU_NS, /* time on a CPU */
	TALLY_EVENT_PAGE_FAULTS,
	TALLY_EVENT_CONTEXT_SWITCHES,
	TALLY_EVENT_MIGRATIONS, /* counted on the node where the task arrives */
	TALLY_NR_EVENTS
};

/*
 * How to count.
 *
 * INHERIT: perf events on the process, inherited by every descendant. One set
 *	per CPU; one in all where all CPUs are of one node. Exact, but for
 *	programs that Linux takes the events from, and for CPU time at switches
 *	and exits: see tally_kernel_events_reconcile(). Each fork clones every
 *	event.
 * CGROUP: perf events on the cgroup that the caller put the process into, one
 *	set per CPU however often the process forks. Exact for processes that
 *	stay in that cgroup. While a CPU comes or goes events are missed: the
 *	cgroup's own clock tells the CPU time, which is then of no node.
 * SAMPLE: /proc tells what each thread has done, and where it ran last: an
 *	estimate.
 * INHERIT_TIME: as INHERIT, but of CPU time alone: a quarter of the events. The
 *	other counts are estimates, as those of SAMPLE.
 */
enum tally_events_way {
	TALLY_EVENTS_INHERIT,
	TALLY_EVENTS_CGROUP,
	TALLY_EVENTS_SAMPLE,
	TALLY_EVENTS_INHERIT_TIME,
};

/* A counter of events. One thread at a time may use it. */
struct tally_events;
struct tally_tree; /* <numatally/kernel_tree.h> */

/* One row: the counts of one node, by enum tally_event. */
struct tally_event_counts {
	int64_t count[TALLY_NR_EVENTS];
};

/*
 * Prepare to count the events of process @pid and of all its descendants to
 * come. The process must have one thread and no child yet. CGROUP begins to count
 * at tally_kernel_events_start(), the others at about its next execve(2).
 *
 * @cgroup_fd: CGROUP: the directory of the process's cgroup, of version 2,
 *	borrowed during the call; else ignored.
 * @tree: contains the process and its descendants; NULL: nothing is sampled.
 *
 * @topo and @tree must live until the close. The caller closes *@events. It
 * holds up to 2 * TALLY_NR_EVENTS file descriptors per CPU.
 *
 * Linux may grant inherited events for user mode alone (perf_event_paranoid 2
 * without CAP_PERFMON): CPU time is then exact, and other events are estimates.
 *
 * -EACCES, -EPERM, -ENOSYS
 *		the kernel refuses; SAMPLE is always allowed
 * -EMFILE, -ENFILE
 *		too few file descriptors: raise RLIMIT_NOFILE, or use SAMPLE
 * -ESRCH	no such process
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int tally_kernel_events_open(
	const struct tally_topo *topo, enum tally_events_way way, pid_t pid,
	struct tally_tree *tree, int cgroup_fd, struct tally_events **events);
TALLY_API void tally_kernel_events_close(struct tally_events *events);

/* The number of events that INHERIT or INHERIT_TIME opens and that each fork
 * clones; 0: of another way. One takes about 2 us of a fork of 130 us (Zen 5, Linux
 * 6.18, virtual machine). */
TALLY_API unsigned int
tally_kernel_events_nr_inherited(const struct tally_topo *topo,
				 enum tally_events_way way);

/* Begin to count (CGROUP); do nothing otherwise. 0, or the -errno of
 * perf_event_open(2)'s ioctl: nothing may be counted. */
TALLY_API TALLY_NODISCARD int
tally_kernel_events_start(struct tally_events *events);

/* A bit 1 << e for each enum tally_event e that is an estimate; after
 * tally_kernel_events_reconcile() CPU time and migrations can be, too. */
TALLY_API unsigned int
tally_kernel_events_estimates(const struct tally_events *events);

/*
 * Read what was counted so far into the rows. Counts never fall.
 *
 * SAMPLE, and estimates of the others: the call refreshes the tree and reads every
 * thread in it, about 50 us each. What a thread did since the last call goes to
 * the node where it runs now. What it did before it ended is missing until
 * tally_kernel_events_reconcile().
 *
 * -errno	reading a part failed; the rows have every other part
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_events_read(struct tally_events *events);

/*
 * The rows of the last read: one for each node, in the order of the topology,
 * and a last one for events of no known node, as of a CPU that came after the
 * start. A row belongs to @events, until the next read. The function asserts
 * that @index < nr.
 */
TALLY_API unsigned int
tally_kernel_events_nr(const struct tally_events *events);
TALLY_API const struct tally_event_counts *
tally_kernel_events_row(const struct tally_events *events, unsigned int index);

/*
 * Tell the totals of the process and all its descendants, as getrusage(2) or
 * wait4(2) know them: @totals[e] for the first @nr enum tally_event e; negative
 * if not known. At most @nr_ended processes have ended; negative: not known.
 * Each takes a voluntary context switch, which getrusage(2) counts, too. Later
 * reads contain what this call adds:
 *
 * - Estimates are raised to the total. What they lack is spread over the nodes
 *   in proportion to what was counted.
 * - CPU time becomes that of the totals. Perf events lack 0.8 us of each context
 *   switch, and 40 to 60 us of each process, more in a virtual machine whose host
 *   is busy: that is spread by context switches, and makes CPU time an estimate
 *   where it is more than 1 % and there are several nodes.
 * - Other exact counts stay, unless perf events were lost. They were where a CPU
 *   of a cgroup came or went, and where CPU time lacks more than the above, one
 *   part in TALLY_EVENTS_LACK_PART of its total and TALLY_EVENTS_LACK_NS, and
 *   page faults, if known, lack as many as a program makes at its start: Linux
 *   takes inherited events from a task that executes a program that is setuid
 *   or setgid or that the task may not read, and from all that the task starts.
 *   What was lost is of no node; on a machine of one node, of that. Migrations
 *   are then an estimate, since no total has them.
 */
#define TALLY_EVENTS_LACK_PART 50
#define TALLY_EVENTS_LACK_NS   20000000

TALLY_API void tally_kernel_events_reconcile(struct tally_events *events,
					     const int64_t *totals,
					     unsigned int nr, int64_t nr_ended);

/* The CPU time of which events were lost, as the last call above found. */
TALLY_API int64_t tally_kernel_events_lost_ns(const struct tally_events *events);

TALLY_END

#endif
