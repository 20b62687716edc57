/* SPDX-License-Identifier: MIT */
/*
 * kernel_memory: the memory of processes, per node.
 *
 * Every resident page is of one of four kinds:
 *
 * anonymous	Private pages without a file: heap, stacks, private anonymous
 *		mappings, and pages of a private file mapping that the process
 *		wrote to. Transparent huge pages count here: numa_maps does not
 *		tell them apart.
 * shared	Pages of shmem: shared anonymous mappings, memfd, System V
 *		shared memory, /dev/shm and every other tmpfs.
 * file		Mapped pages of any other file. Page cache that no process maps
 *		is not counted.
 * huge		Pages of hugetlbfs, private or shared.
 *
 * Swapped-out pages and the zero page are of no kind.
 *
 * Costs (Zen 5, Linux 6.18, virtual machine): a process of 40 mappings takes
 * 0.11 ms. numa_maps takes 0.6 us a mapping (2 us where libraries are mapped)
 * and 42 ns a page, and holds the process's mmap_lock for a whole mapping;
 * 4 GiB of 4 KiB pages take 44 ms. A large process is sampled instead:
 * move_pages(2) takes 0.19 us a page and holds the lock for 16 pages at most. A
 * sample of 2,048 pages takes 0.9 ms however large the process is; the error of
 * a kind on a node is at most 2.2 % of the process's memory.
 */
#ifndef NUMATALLY_KERNEL_MEMORY_H
#define NUMATALLY_KERNEL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/kernel_tree.h>

TALLY_BEGIN

enum tally_mem_kind {
	TALLY_MEM_ANONYMOUS,
	TALLY_MEM_FILE,
	TALLY_MEM_SHARED,
	TALLY_MEM_HUGE,
	TALLY_NR_MEM,
};

/* "anonymous", "file", "shared", "huge". */
TALLY_API const char *tally_kernel_mem_name(enum tally_mem_kind kind);

/* ---- numa_maps ----------------------------------------------------------- */

/* Node numbers from here on make a line malformed (Linux stops at 1024). */
#define TALLY_MEM_MAX_NODES 4096

struct tally_node_pages {
	int node;
	uint64_t nr_pages;
};

/* A line of numa_maps: a mapping and its resident pages. */
struct tally_mapping {
	uint64_t start;		  /* address */
	enum tally_mem_kind kind; /* of pages that are not in nr_anonymous. A
				     tmpfs mounted at another path than /dev/shm
				     looks like a file here */
	uint64_t page_bytes;	  /* the size of a page counted here */
	uint64_t nr_pages;	  /* the sum over nodes */
	uint64_t nr_anonymous;	  /* of nr_pages; not known per node */
	uint64_t nr_mappers;	  /* of the page that most processes map; 1: no
				     page is shared */
	bool heap;		  /* the heap that brk(2) moves */
	bool stack;		  /* of the first thread; before Linux 4.5 of
				     any thread */
	const char *path;	  /* unescaped, perhaps cut off; NULL: none */
	const struct tally_node_pages *nodes; /* nodes with pages, as listed */
	unsigned int nr_nodes;
};

/* A parser of /proc/PID/numa_maps, which the caller feeds in pieces that may be
 * cut anywhere. One thread at a time may use it; only create allocates. */
struct tally_numa_maps;

/* Create a parser. The caller destroys *@parser. -ENOMEM: no memory. */
TALLY_API TALLY_NODISCARD int
tally_kernel_numa_maps_create(struct tally_numa_maps **parser);
TALLY_API void tally_kernel_numa_maps_destroy(struct tally_numa_maps *parser);

/*
 * Parse the text between *@text and @end up to the end of a line, and move
 * *@text behind it. Returns the line's mapping, which belongs to the parser
 * until the next call; NULL: the piece is used up, and the parser waits for
 * more. The function skips and counts lines that make no sense.
 *
 *	while ((n = read(fd, buf, sizeof(buf))) > 0)
 *		for (at = buf;
 *		     (m = tally_kernel_numa_maps_next(p, &at, buf + n));)
 *			...
 */
TALLY_API const struct tally_mapping *
tally_kernel_numa_maps_next(struct tally_numa_maps *parser, const char **text,
			    const char *end);

/* End the text, and be ready for another. Returns the number of lines that made
 * no sense or lacked their end: 0 for what the kernel writes. */
TALLY_API uint64_t tally_kernel_numa_maps_finish(struct tally_numa_maps *parser);

/* ---- samples ------------------------------------------------------------- */

/*
 * An amount and its bounds. Both bounds equal it where it is exact; yet
 * processes run on while they are read one after another.
 *
 * Bounds have these reasons:
 *
 * - A sample of pages: Wilson's 95 % interval of a node's share of a kind. The
 *   bytes of the kind are the kernel's (RssAnon and so on in status), which lag
 *   behind by some dozen pages for each thread or CPU; the interval includes
 *   that. Of a kind of which the sample has no page, all may be anywhere.
 * - Totals alone, of a process whose numa_maps is refused: until Linux 6.16 they
 *   lag likewise, and all of them may be pages that are known of others.
 * - A private file mapping over several nodes: numa_maps tells how many of its
 *   pages are anonymous, not where. They are divided in proportion. These
 *   bounds are certain.
 * - Files and shared memory that several processes of the tree have mapped
 *   (same device and inode, overlapping offsets): the amount, and the lower
 *   bound, is the largest that one process has; the upper bound is the sum of
 *   all, or the length of the mapping. These bounds are certain.
 * - Private pages that a fork has not copied yet: likewise, by address. For a
 *   mapping of 4 MiB or more, 64 of its pages tell how much has been copied;
 *   that share is assumed on every node.
 *
 * In sums, errors of samples add up as independent ones do, certain bounds as
 * they are.
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
	/* The largest that a sample saw. Memory may have been larger between
	 * samples: a peak is a lower bound. */
	struct tally_mem_figure peak[TALLY_NR_MEM];
	struct tally_mem_figure peak_total;
};

/* What the samples so far found about a tree of processes. */
struct tally_mem_result {
	const struct tally_mem_node *nodes; /* seen so far, ascending */
	unsigned int nr_nodes;
	struct tally_mem_node all;     /* all nodes, and unknown */
	struct tally_mem_node unknown; /* bytes whose node can't be learnt */
	uint64_t nr_samples;
	int64_t cost_ns;      /* of all samples */
	int64_t last_cost_ns; /* of the last one */
	/* Processes with memory in the last sample, and how each was read: */
	unsigned int nr_processes;
	unsigned int nr_walked;	 /* all of numa_maps */
	unsigned int nr_sampled; /* a sample of pages */
	unsigned int nr_totals;	 /* a kernel without NUMA: all on node 0 */
	unsigned int nr_unknown; /* refused: its totals are in unknown */
	/* Since the start: */
	uint64_t nr_lost;      /* readings lost because the process ended */
	uint64_t nr_malformed; /* lines of numa_maps that made no sense */
	int refused;	       /* 0, or the first -errno with which the kernel
				  refused to tell the nodes of memory */
};

/* How to sample. A member that is 0 means its default. */
struct tally_mem_options {
	size_t size; /* the caller sets sizeof(struct tally_mem_options) */
	/* The share of wall time that sampling may take, in parts per million:
	 * 5,000 (0.5 %). And the time that it may take at once beyond that, in
	 * the beginning or after a pause, so that a short command gets several
	 * samples: 1 ms. */
	unsigned int budget_ppm;
	int64_t burst_ns;
	/* The shortest time between the end of a sample and the next: the
	 * first, which doubles up to the last. 1 ms, 500 ms. */
	int64_t first_interval_ns;
	int64_t last_interval_ns;
	/* A process with more resident memory is sampled, with nr_pages pages,
	 * unless the kernel hides some from move_pages(2). Walking it would
	 * hold up its page faults. 256 MiB, 2048 pages. */
	int64_t large_bytes;
	unsigned int nr_pages;
	uint64_t seed; /* of the choice of pages */
	/* Nanoseconds of a clock that never jumps: CLOCK_MONOTONIC. */
	int64_t (*clock)(void *arg);
	void *clock_arg;
};

/* A sampler of the memory of a tree of processes. One thread at a time may use
 * it. A sample allocates only if there is more than ever before. */
struct tally_mem;

/*
 * Create a sampler of this machine, or of the captured tree @root. @options may
 * be NULL: the defaults. The caller destroys *@mem.
 *
 * -EINVAL	budget_ppm > 1,000,000, a negative member, or no size
 * -E2BIG	@options has a member set that this library does not know
 * -ENOENT	no procfs
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_mem_create(const char *root,
			const struct tally_mem_options *options,
			struct tally_mem **mem);
TALLY_API void tally_kernel_mem_destroy(struct tally_mem *mem);

/*
 * Refresh the tree, and read the memory of every process in it, now. Reading
 * another's memory needs the permission PTRACE_MODE_READ of ptrace(2), which
 * processes of the same user mostly grant.
 *
 * -ENOMEM	no memory; the result is as it was
 * other	as tally_kernel_tree_refresh()
 */
TALLY_API TALLY_NODISCARD int tally_kernel_mem_sample(struct tally_mem *mem,
						      struct tally_tree *tree);

/* When the next sample is due, by the sampler's clock; before the first: at
 * once. The caller may sample earlier, and exceeds the budget. */
TALLY_API int64_t tally_kernel_mem_due(const struct tally_mem *mem);

/* The result belongs to the sampler, until the next sample. */
TALLY_API const struct tally_mem_result *
tally_kernel_mem_result(const struct tally_mem *mem);

/* ---- the most at once ---------------------------------------------------- */

/*
 * What a command and its descendants had at once, at most: between samples, and
 * in processes that ended before any sample, too. Samples alone tell no bound;
 * these come from the peaks that the kernel keeps of each process, and from
 * counts of page faults, which all growth needs.
 */
struct tally_peak_bounds {
	int64_t lower_bytes;
	int64_t upper_bytes;   /* -1: not known, as where a process ignores
				  SIGCHLD, or the kernel keeps no peaks */
	int64_t largest_bytes; /* of one process; what the command had before
				  its execve(2) is left out */
	int64_t kinds[TALLY_NR_MEM]; /* that one process was seen with; the
					kernel's totals lag behind */
	int64_t lower_kinds[TALLY_NR_MEM]; /* that it had, at least */
	uint64_t nr_seen; /* processes with memory, at all looks */
};

/* Follows the peak of a command. One thread at a time may use it. */
struct tally_peak;

/*
 * Begin with process @pid, which has one thread, no child, and no memory that
 * counts: it is about to call execve(2). The caller destroys *@peak.
 *
 * -ESRCH	no such process; or /proc is of another PID namespace
 * -ENOENT	no procfs
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_peak_create(pid_t pid, struct tally_peak **peak);
TALLY_API void tally_kernel_peak_destroy(struct tally_peak *peak);

/*
 * Look at every process of the tree, which the caller has refreshed just now:
 * about 50 us each. The more often, the nearer are the bounds; first after the
 * execve(2), and with @last after the end.
 *
 * -EAGAIN	a child of the caller has ended: wait for it, call
 *		tally_kernel_peak_ended(), and look again; never with @last
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_peak_look(struct tally_peak *peak, const struct tally_tree *tree,
		       bool last);

/* Whether processes can have a tenth more by now than they had at a sample. */
TALLY_API bool tally_kernel_peak_grew(const struct tally_peak *peak);

/* Whether much was done before the last look by processes that no look saw, or by
 * faults that say little: a fault maps one page, or many. More looks would make
 * bounds nearer. */
TALLY_API bool tally_kernel_peak_missed(const struct tally_peak *peak);

/* Tell of a sample that began after the last look: it makes bounds nearer where
 * processes share memory. */
TALLY_API void tally_kernel_peak_sampled(struct tally_peak *peak,
					 const struct tally_mem_result *result);

/*
 * Tell of a process for which the caller has waited: how many page faults of
 * both kinds were its own, as its stat file told before the wait; and ru_minflt
 * + ru_majflt and ru_maxrss, in bytes, of wait4(2).
 */
TALLY_API void tally_kernel_peak_ended(struct tally_peak *peak, pid_t pid,
				       int64_t faults, int64_t all_faults,
				       int64_t peak_bytes);

/* Get the bounds, after the last look. */
TALLY_API void tally_kernel_peak_bounds(struct tally_peak *peak,
					struct tally_peak_bounds *bounds);

TALLY_END

#endif
