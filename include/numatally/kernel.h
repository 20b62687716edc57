/* SPDX-License-Identifier: MIT */
/*
 * kernel: what Linux already counts per node, process and cgroup.
 */
#ifndef NUMATALLY_KERNEL_H
#define NUMATALLY_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>
#include <numatally/topo.h>

TALLY_BEGIN

/* ---- events of a command and its descendants, per node -------------------- */

enum tally_event {
	TALLY_EVENT_CPU_NS, /* time on a CPU */
	TALLY_EVENT_PAGE_FAULTS,
	TALLY_EVENT_CONTEXT_SWITCHES,
	TALLY_EVENT_MIGRATIONS, /* counted where the task arrives */
	TALLY_NR_EVENTS
};

/*
 * How events are had.
 *
 * INHERIT: perf events on the process, one set per CPU, or one in all where
 *	all CPUs are of one node, which every descendant inherits: exact, but
 *	for programs that Linux takes them from (see
 *	tally_kernel_events_settle()). Each fork clones them all.
 * CGROUP: perf events on a cgroup that the process was put into, one set per
 *	CPU whatever it forks: exact for what stays in that cgroup, except
 *	while a CPU comes or goes: CPU time that was missed then is known from
 *	the cgroup's own clock, and is of no node.
 * SAMPLE: what /proc tells of each thread, and where it was last seen: an
 *	estimate.
 */
enum tally_events_way {
	TALLY_EVENTS_INHERIT,
	TALLY_EVENTS_CGROUP,
	TALLY_EVENTS_SAMPLE,
};

struct tally_events;
struct tally_tree; /* below */

/* One row: what was counted on one node, by enum tally_event. */
struct tally_event_counts {
	int64_t count[TALLY_NR_EVENTS];
};

/*
 * Prepares to count the events of process pid, which must not have any thread
 * or child yet, and of all its descendants to come. Nothing counts before its
 * next execve(2) (INHERIT, SAMPLE: about then) or tally_kernel_events_start()
 * (CGROUP). cgroup_fd is the directory of its cgroup, a version 2 one
 * (CGROUP), else ignored; it is borrowed during the call only. tree has the
 * process and its descendants; NULL: nothing can be sampled. Topology and tree
 * are borrowed until the close.
 * The caller owns *events.
 *
 * It takes TALLY_NR_EVENTS file descriptors for each CPU, and as many more, or
 * less.
 *
 * INHERIT may be granted in part: where only what happens in user mode may be
 * counted (perf_event_paranoid 2 for who has no CAP_PERFMON), the CPU time is
 * exact, and the other events are estimates.
 *
 * -EACCES, -EPERM, -ENOSYS	the kernel refuses; SAMPLE is always left
 * -EMFILE, -ENFILE	too few file descriptors
 * -ESRCH	no such process
 * -ENOMEM	no memory
 */
TALLY_API int tally_kernel_events_open(const struct tally_topo *topo,
				       enum tally_events_way way, pid_t pid,
				       struct tally_tree *tree, int cgroup_fd,
				       struct tally_events **events);
TALLY_API void tally_kernel_events_close(struct tally_events *events);

/* How many events INHERIT takes, which each fork clones: about 2 us each on a
 * virtual machine (Zen 5, Linux 6.18), where a fork takes 130 us. */
TALLY_API unsigned int
tally_kernel_events_nr_inherited(const struct tally_topo *topo);

/* Begins to count (CGROUP); else does nothing. 0 or -errno. */
TALLY_API int tally_kernel_events_start(struct tally_events *events);

/* A bit 1 << e for each enum tally_event e that is an estimate. */
TALLY_API unsigned int
tally_kernel_events_estimates(const struct tally_events *events);

/*
 * Reads what was counted so far: rows[i] for the node with index i of the
 * topology, and rows[tally_topo_nr_nodes()] for what is known to have happened
 * on no known node, such as on a CPU that came after the start. Counts never
 * fall. Not to be called by several threads at once.
 *
 * SAMPLE, and estimates of INHERIT: refreshes the tree and looks at every
 * thread in it, so costs about 50 us each; what a thread did since the last
 * call is put down to the node that it is on now; of a thread that ended since,
 * it is lost until tally_kernel_events_settle().
 *
 * -errno	what reading said; *rows has what could be read, all the same
 */
TALLY_API int tally_kernel_events_read(struct tally_events *events,
				       struct tally_event_counts *rows);

/*
 * Tells the totals that are known by other means, for the process and all its
 * descendants: those of getrusage(2) or wait4(2). A negative one is not known.
 * What the estimates lack of them is spread over the nodes, as what was
 * counted is; later reads have it.
 *
 * Counts that are exact are left alone, unless perf events were lost: where a
 * CPU of a cgroup went or came, or where CPU time lacks more than one part in
 * TALLY_EVENTS_LACK_PART and TALLY_EVENTS_LACK_NS of its total. Linux takes
 * inherited events from a task that executes a program that is setuid, setgid
 * or that it may not read, and so from all the task starts. All that they lack
 * is then of no node.
 */
#define TALLY_EVENTS_LACK_PART 50
#define TALLY_EVENTS_LACK_NS   20000000

TALLY_API void
tally_kernel_events_settle(struct tally_events *events,
			   const struct tally_event_counts *totals);

/* ---- processes ------------------------------------------------------------ */

/*
 * Everything here reads procfs as it is at that moment. A process can end, and
 * another can get its number, between any two reads: what names a process is
 * its number together with its start time. A row whose process ended meanwhile
 * is an error of that row alone (-ESRCH), never of the whole.
 *
 * root, where not NULL, is the directory of a captured tree, whose proc/ is
 * read in place of /proc.
 */

/* What /proc/PID/stat and /proc/PID/task/TID/stat have to say. Times are in
 * the kernel's ticks there, and come out with that grain (10 ms mostly). */
struct tally_stat {
	pid_t pid;	      /* or the thread's number */
	pid_t ppid;	      /* 0: none */
	char state;	      /* R, S, D, Z, T, … */
	char name[64];	      /* cut off where longer; any byte but NUL */
	uint64_t start_ticks; /* since boot */
	int64_t user_ns;
	int64_t system_ns;
	int64_t minor_faults; /* of its own, not of children */
	int64_t major_faults;
	int64_t rss_bytes; /* of the process; the kernel's own estimate */
	int nr_threads;
	int cpu; /* on which it ran last; -1: not said */
};

/*
 * Parses the text of a stat file. The name may hold spaces, parentheses and
 * newlines. Thread-safe.
 *
 * -EBADMSG	it is not such a text, or is cut off before start time
 */
TALLY_API int tally_kernel_stat_parse(const char *text, size_t len,
				      struct tally_stat *stat);

/*
 * Reads the stat file of process pid, or, where tid > 0, of that thread of it.
 * Thread-safe.
 *
 * -ESRCH	there is no such process (or hidepid hides it), or not any more
 * -EBADMSG	as above
 * other	as open(2), read(2) say
 */
TALLY_API int tally_kernel_stat_read(const char *root, pid_t pid, pid_t tid,
				     struct tally_stat *stat);

/* A thread's own figures, the most exact that procfs has. */
struct tally_thread {
	struct tally_stat stat;
	int64_t cpu_ns;		  /* schedstat's, exact; where the kernel has no
				     such file, user_ns + system_ns */
	int64_t context_switches; /* voluntary and not; -1: not known */
};

/*
 * Calls each for every thread of the process. A thread that ends meanwhile is
 * left out. A value other than 0 from each ends it, and is returned.
 * Thread-safe.
 *
 * -ESRCH	there is no such process, or it ended before its first thread
 *		was read
 */
TALLY_API int tally_kernel_threads(const char *root, pid_t pid,
				   int (*each)(void *arg,
					       const struct tally_thread *t),
				   void *arg);

/* A process in a tree. pid and start_ticks name it. */
struct tally_process {
	pid_t pid;
	pid_t ppid;
	uint64_t start_ticks;
	int64_t rss_bytes;
	char state; /* Z: it ended, and nobody has waited for it yet */
};

/*
 * A process's descendants: its children, theirs, and so on. Who was seen in
 * the tree once stays in it until it ends, whoever became its parent. Who was
 * orphaned before it was ever seen is found only if it then became a child of
 * the tree: set PR_SET_CHILD_SUBREAPER, and nobody gets away.
 *
 * A tree belongs to one thread at a time. Refreshing allocates only where the
 * tree has grown.
 */
struct tally_tree;

/*
 * A tree of pid's descendants, and of pid itself where self is true; empty
 * until it is refreshed.
 *
 * -ESRCH	there is no such process
 * -ENOENT	there is no procfs
 * -ENOMEM	no memory
 */
TALLY_API int tally_kernel_tree_create(const char *root, pid_t pid, bool self,
				       struct tally_tree **tree);
TALLY_API void tally_kernel_tree_destroy(struct tally_tree *tree);

/*
 * Finds out who is in the tree now: from /proc/PID/task/TID/children, or,
 * where the kernel has none, from the parents in every /proc/PID/stat.
 *
 * -ENOMEM	no memory; the tree is as it was
 * other	/proc can't be listed; the tree is as it was
 */
TALLY_API int tally_kernel_tree_refresh(struct tally_tree *tree);

/* The processes that the last refresh found, ascending by number. The array
 * belongs to the tree, until its next refresh. */
TALLY_API const struct tally_process *
tally_kernel_tree_processes(const struct tally_tree *tree, unsigned int *nr);

/* ---- memory of processes, per node ---------------------------------------- */

/*
 * Four kinds of memory; every resident page is of one of them.
 *
 * anonymous	Private pages without a file behind them: heap, stacks, private
 *		anonymous mappings, and what a process wrote into a private
 *		mapping of a file (copied on write). Transparent huge pages are
 *		here too: numa_maps doesn't tell them apart.
 * shared	Pages of shmem: shared anonymous mappings, memfd, System V
 *		shared memory, /dev/shm and every other tmpfs.
 * file		Pages of any other file that a process has mapped. The page
 *		cache that nobody has mapped isn't there.
 * huge		Pages of hugetlbfs, whether private or shared.
 *
 * Swapped-out pages are in none, nor is the zero page.
 *
 * What a sample costs was measured on a virtual machine (Zen 5, Linux 6.18):
 * 0.11 ms for a process of 40 mappings; numa_maps takes 0.6 us a mapping
 * (2 us where libraries are mapped) and 42 ns a page, holding the process's
 * mmap_lock for a whole mapping; a walk over 4 GiB of 4 KiB pages takes 44 ms.
 * move_pages() takes 0.19 us a page, holding the lock for 16 pages at most; a
 * sample of 2,048 pages takes 0.9 ms, however large the process is, and the
 * error of a kind on a node is at most 2.2 % of the process's memory.
 */
enum tally_mem_kind {
	TALLY_MEM_ANONYMOUS,
	TALLY_MEM_FILE,
	TALLY_MEM_SHARED,
	TALLY_MEM_HUGE,
	TALLY_NR_MEM,
};

/* "anonymous", "file", "shared", "huge". */
TALLY_API const char *tally_kernel_mem_name(enum tally_mem_kind kind);

/* One more than the highest number of a node that is believed (the kernel's
 * own limit is 1024). */
#define TALLY_MEM_MAX_NODES 4096

struct tally_node_pages {
	int node;
	uint64_t nr_pages;
};

/* A line of numa_maps: a mapping and its resident pages. */
struct tally_mapping {
	uint64_t start;		  /* its address */
	enum tally_mem_kind kind; /* of its pages, but for nr_anonymous; a
				    tmpfs under a name of its own is not known
				    here, and counts as file */
	uint64_t page_bytes;	  /* of one page counted here */
	uint64_t nr_pages;	  /* the sum over nodes */
	uint64_t nr_anonymous;	  /* how many of those are anonymous: for the
				     whole mapping, not per node */
	uint64_t nr_mappers;	  /* of the page that most processes map; 1: no
				     page is shared with anybody */
	bool heap;		  /* holds the heap that brk(2) moves */
	bool stack;		  /* of the first thread; before Linux 4.5 of
				     any thread */
	const char *path;	  /* unescaped, perhaps cut off; NULL: none */
	const struct tally_node_pages *nodes; /* with pages; in its order */
	unsigned int nr_nodes;
};

/* A parser of numa_maps that is fed pieces cut anywhere. */
struct tally_numa_maps;

/*
 * each is called for every whole line, with a mapping that lives for the call.
 * A parser belongs to one thread at a time; only creating it allocates.
 *
 * -ENOMEM	no memory
 */
TALLY_API int tally_kernel_numa_maps_create(
	void (*each)(void *arg, const struct tally_mapping *m), void *arg,
	struct tally_numa_maps **parser);
TALLY_API void tally_kernel_numa_maps_destroy(struct tally_numa_maps *parser);
TALLY_API void tally_kernel_numa_maps_feed(struct tally_numa_maps *parser,
					   const char *text, size_t len);

/*
 * Ends the text; the parser is then ready for another. Returns how many lines
 * were left out since they made no sense or were cut off at the end: 0 for
 * what the kernel writes.
 */
TALLY_API uint64_t tally_kernel_numa_maps_finish(struct tally_numa_maps *parser);

/*
 * An amount, and what it may be in truth. Exact where both bounds equal it;
 * but processes are read one after the other, while they run.
 *
 * Bounds come from these:
 *
 * - A sample of pages: Wilson's 95 % interval of a node's share of a kind. The
 *   kind's bytes are the kernel's (RssAnon and so on of status), which can lag
 *   behind by some dozen pages for each thread or CPU: that is in the interval,
 *   too. Of a kind of which no page was drawn, all may be anywhere.
 * - A private mapping of a file over several nodes: numa_maps says how many of
 *   its pages are anonymous, but not where. They are attributed in proportion;
 *   the bounds are sure.
 * - Files and shared memory that several processes of the tree have mapped, as
 *   the same device, inode and overlapping offsets: the amount is what the
 *   process with most of it has, which is the lower bound too; the upper is
 *   the sum of all, or the length of the mapping. These are sure.
 * - Private pages that a fork has not copied yet: the same, by address. In a
 *   mapping of 4 MiB or more, how much has been copied is estimated from 64 of
 *   its pages, and taken to be the same share on every node.
 *
 * Errors of samples add up as independent ones do, sure bounds as they are.
 */
struct tally_mem_figure {
	int64_t bytes;
	int64_t lower_bytes;
	int64_t upper_bytes;
};

struct tally_mem_node {
	int node; /* sysfs's number; -1: of no node in particular */
	struct tally_mem_figure now[TALLY_NR_MEM];
	struct tally_mem_figure now_total;
	/* The largest that a sample saw: what was there between samples is not
	 * known, so that a peak is a lower bound. */
	struct tally_mem_figure peak[TALLY_NR_MEM];
	struct tally_mem_figure peak_total;
};

/* What the samples so far have found about a tree of processes. */
struct tally_mem_result {
	const struct tally_mem_node *nodes; /* seen so far, ascending */
	unsigned int nr_nodes;
	struct tally_mem_node all;     /* all nodes, and the next */
	struct tally_mem_node unknown; /* bytes whose node can't be learnt */
	uint64_t nr_samples;
	int64_t cost_ns;      /* of all samples */
	int64_t last_cost_ns; /* of the last one */
	/* Processes in the last sample: with memory, and of these … */
	unsigned int nr_processes;
	unsigned int nr_walked;	 /* read whole from numa_maps */
	unsigned int nr_sampled; /* of which a sample of pages was taken */
	unsigned int nr_totals;	 /* no NUMA: all on node 0 */
	unsigned int nr_unknown; /* refused; its totals are in unknown */
	/* Since the start: */
	uint64_t nr_lost;      /* readings lost, since the process ended */
	uint64_t nr_malformed; /* lines of numa_maps that made no sense */
	int refused;	       /* 0, or the first -errno with which the kernel
				  refused to say on which node memory is */
};

/* How to sample. An all-zero member means its default. */
struct tally_mem_options {
	/* Of wall time, in parts per million, that sampling may take; and what
	 * it may take at once beyond that, in the beginning or after a pause,
	 * so that a short command gets several samples. 5,000 (0.5 %), 1 ms. */
	unsigned int budget_ppm;
	int64_t burst_ns;
	/* Between the end of a sample and the next, if the budget allows: the
	 * first, doubling up to the last. 1 ms, 500 ms. */
	int64_t first_interval_ns;
	int64_t last_interval_ns;
	/* A process with more resident memory is not walked, which would hold
	 * up its page faults and mappings meanwhile, but sampled, with so many
	 * pages. 256 MiB, 2048 pages. */
	int64_t large_bytes;
	unsigned int nr_pages;
	uint64_t seed; /* of the choice of pages */
	/* Nanoseconds of a clock that doesn't jump. CLOCK_MONOTONIC. */
	int64_t (*clock)(void *arg);
	void *clock_arg;
};

/* A sampler of the memory of a tree of processes. It belongs to one thread at
 * a time; sampling allocates only where there is more than ever before. */
struct tally_mem;

/*
 * options may be NULL. The caller owns *mem.
 *
 * -EINVAL	budget_ppm > 1,000,000, or something negative
 * -ENOMEM	no memory
 */
TALLY_API int tally_kernel_mem_create(const char *root,
				      const struct tally_mem_options *options,
				      struct tally_mem **mem);
TALLY_API void tally_kernel_mem_destroy(struct tally_mem *mem);

/*
 * Refreshes the tree, and reads the memory of every process in it, now. Who
 * reads another's memory needs the permission that ptrace(2) calls
 * PTRACE_MODE_READ: for a program of the same user that is mostly so.
 *
 * -ENOMEM	no memory; the result is as it was
 * other	as tally_kernel_tree_refresh()
 */
TALLY_API int tally_kernel_mem_sample(struct tally_mem *mem,
				      struct tally_tree *tree);

/* When the next sample is due, by the sampler's clock: at once before the
 * first one. Sampling earlier is allowed, and goes over the budget. */
TALLY_API int64_t tally_kernel_mem_due(const struct tally_mem *mem);

/* The result belongs to the sampler, until its next sample. */
TALLY_API const struct tally_mem_result *
tally_kernel_mem_result(const struct tally_mem *mem);

TALLY_END

#endif
