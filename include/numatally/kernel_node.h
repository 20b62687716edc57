/* SPDX-License-Identifier: MIT */
/*
 * kernel_node: what Linux itself counts per node, in figures.
 *
 * A figure is a line of one of the node's files, under the name that the kernel
 * gives it. Figures are found in the files, so that those of a kernel that is
 * newer than this library are there too, wherever it keeps them: pgdemote_* and
 * pgpromote_* for one were the machine's before they were a node's, and are
 * figures from then on only.
 *
 * source	file					unit
 * MEMINFO	nodeN/meminfo				bytes; HugePages_*:
 *							pages of the default
 *							huge page's size
 * NUMASTAT	nodeN/numastat				events
 * VMSTAT	nodeN/vmstat				see below
 * HUGEPAGES	nodeN/hugepages/hugepages-SIZEkB/	pages of that size
 * CPU		/proc/stat, of the node's CPUs		ns
 * ESTIMATE	what follows from /proc/zoneinfo	bytes
 *
 * The units of VMSTAT follow from the names. "nr_*" are pages; those of them
 * that count huge pages (nr_anon_transparent_hugepages, nr_shmem_hugepages,
 * nr_shmem_pmdmapped, nr_file_hugepages, nr_file_pmdmapped) are pages of the
 * size of a PMD. "pg*" are pages that were moved, reclaimed and so on, unless
 * they end in "fault", and so are "workingset_*". nr_kernel_stack is in KiB in
 * the file, in bytes here (before Linux 4.8: stacks, OBJECTS). Everything else
 * is events.
 *
 * Without NUMA in the kernel (no nodes in sys/devices/system/node), there is
 *one node, 0, of what /proc/meminfo, /proc/vmstat and sys/kernel/mm/hugepages
 *say of the machine; NUMASTAT has nothing then.
 *
 * Files are kept open and read again. A reading that finds the nodes, CPUs and
 * figures that the one before found opens nothing and allocates nothing, but
 * for files beyond half of RLIMIT_NOFILE, which are opened each time, and the
 * nodes' directory where sysfs has no list of those that are online.
 *
 * A handle may be used by one thread at a time; different ones are independent.
 */
#ifndef NUMATALLY_KERNEL_NODE_H
#define NUMATALLY_KERNEL_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

enum tally_source {
	TALLY_SOURCE_MEMINFO,
	TALLY_SOURCE_NUMASTAT,
	TALLY_SOURCE_VMSTAT,
	TALLY_SOURCE_HUGEPAGES,
	TALLY_SOURCE_CPU,
	TALLY_SOURCE_ESTIMATE,
	TALLY_NR_SOURCES,
	/* Of cgroups, not of nodes: <numatally/kernel_group.h> */
	TALLY_SOURCE_CGROUP = TALLY_NR_SOURCES
};

/* Bits 1 << source, for all of them. */
#define TALLY_SOURCES_ALL ((1u << TALLY_NR_SOURCES) - 1)

enum tally_unit {
	TALLY_UNIT_BYTES,
	TALLY_UNIT_PAGES,
	TALLY_UNIT_EVENTS,
	TALLY_UNIT_NS,
	TALLY_UNIT_OBJECTS, /* of the kernel's, of no size that it tells */
};

/* A value that the node's file doesn't have, or that could not be read. */
#define TALLY_UNKNOWN INT64_MIN

struct tally_figure {
	const char *name; /* as the kernel spells it: "MemFree", "numa_hit";
			     HUGEPAGES: "hugepages-2048kB nr", "… free",
			     "… surplus"; CPU: "user", "nice", "system",
			     "idle", "iowait", "irq", "softirq", "steal",
			     "guest" (which user has too), "guest_nice" (which
			     nice has too); ESTIMATE: "MemAvailable" */
	enum tally_source source;
	enum tally_unit unit;
	int64_t page_bytes; /* of one page where the unit is PAGES; 0: not
			       known (a captured machine's), or another unit */
	bool counter;	    /* only grows, until somebody resets it: numa_* by
			       vm.numa_stat, and the time that a CPU waited for
			       I/O can fall by itself; else what is there now */
	bool estimate;
};

/*
 * A node. err[source] is 0 or why there is nothing of that source (values are
 * unknown then):
 *
 * -ENODATA	the kernel doesn't have it on any node: no failure. Nor are
 *		huge pages that a node alone doesn't have
 * -ERANGE	the file has a number that is none of 63 bits: the value is
 *		unknown, all others of the source are there
 * -EINVAL	the file is none of its kind, or is cut off
 * -EFBIG	it is too long, or there would be over 8,192 figures
 * other	what opening and reading said: -ENODEV, -ENOENT: the node is
 *		going away
 */
struct tally_node_figures {
	int node; /* sysfs's number */
	int err[TALLY_NR_SOURCES];
	const int64_t *values; /* by figure */
};

struct tally_nodes;

/*
 * Prepares to read the figures of the sources that have a bit 1 << source. root
 * NULL is this machine, else the directory of a captured tree. There are no
 * nodes and figures before the first reading. The caller owns *nodes.
 *
 * -ENOENT	no such root; or it has neither nodes in sys/devices/system/node
 *		nor proc/meminfo
 * -ENOTDIR	root is not a directory
 * -ENOMEM	no memory
 * other	what opening the directories said
 */
TALLY_API int tally_kernel_nodes_open(const char *root, unsigned int sources,
				      struct tally_nodes **nodes);
TALLY_API void tally_kernel_nodes_close(struct tally_nodes *nodes);

/*
 * Reads all nodes that there are now. The whole is no picture of one moment:
 * each file is, and they are read one after another.
 *
 * What a CPU counted stays with its node while the CPU is offline. The node's
 * CPUs are looked up when CPUs or nodes came or went.
 *
 * MemAvailable is the node's share of what si_mem_available() (mm/show_mem.c)
 * calculates for the machine,
 *
 *	free - reserve + file - min(file / 2, low)
 *		+ reclaimable - min(reclaimable / 2, low)
 *
 * and no less than 0, where file is Active(file) + Inactive(file), reclaimable
 * is KReclaimable (SReclaimable before Linux 4.20), low is the sum of the
 * node's zones' low watermarks, and reserve that of min(managed, high
 * watermark + the largest lowmem reserve), as in
 * calculate_totalreserve_pages() (mm/page_alloc.c). Watermarks are read when
 * nodes come or go, or after 10 s. Without NUMA, the sum of nodes is the
 * kernel's own MemAvailable.
 *
 * -errno	the first row's error that is a failure, or why it isn't known
 *		what nodes there are now; every other row, and those of the
 *		reading before, are there all the same
 * -ENOMEM	no memory: rows may lack everything
 */
TALLY_API int tally_kernel_nodes_read(struct tally_nodes *nodes);

/* CLOCK_MONOTONIC when the last reading began. */
TALLY_API int64_t tally_kernel_nodes_time_ns(const struct tally_nodes *nodes);

/* The nodes of the last reading, ascending by number; index counts from 0, and
 * index < nr is asserted. A row belongs to the handle, and is there until the
 * next reading. */
TALLY_API unsigned int tally_kernel_nodes_nr(const struct tally_nodes *nodes);
TALLY_API const struct tally_node_figures *
tally_kernel_nodes_row(const struct tally_nodes *nodes, unsigned int index);

/*
 * All figures that were found so far, in the order in which they were; each
 * keeps its place for as long as the handle lives, also where no node has it
 * any more. The array belongs to the handle, and is there until the next
 * reading; names, until the close.
 */
TALLY_API const struct tally_figure *
tally_kernel_nodes_figures(const struct tally_nodes *nodes, unsigned int *nr);

/* The place of a figure, or -ENOENT. */
TALLY_API int tally_kernel_nodes_figure(const struct tally_nodes *nodes,
					enum tally_source source,
					const char *name);

TALLY_END

#endif
