/* SPDX-License-Identifier: MIT */
/*
 * kernel_node: what Linux itself counts per node, in figures.
 *
 * A figure is one line of one of the node's files, under the kernel's name. The
 * handle finds figures in the files: a newer kernel yields more of them, from
 * the release on that keeps them per node (pgdemote_* and pgpromote_*, for
 * example, were the machine's before they were a node's).
 *
 * source	file					unit
 * MEMINFO	nodeN/meminfo				bytes; HugePages_*:
 *							pages of the default
 *							huge page's size
 * NUMASTAT	nodeN/numastat				events
 * VMSTAT	nodeN/vmstat				see below
 * HUGEPAGES	nodeN/hugepages/hugepages-SIZEkB/	pages of that size
 * CPU		/proc/stat, of the node's CPUs		ns
 * ESTIMATE	derived from /proc/zoneinfo		bytes
 *
 * The names of VMSTAT tell their units. "nr_*" are pages. Those that count huge
 * pages (nr_anon_transparent_hugepages, nr_shmem_hugepages, nr_shmem_pmdmapped,
 * nr_file_hugepages, nr_file_pmdmapped) are pages of the size of a PMD. "pg*"
 * and "workingset_*" are pages that were moved, reclaimed and so on, unless
 * they end in "fault". nr_kernel_stack is KiB in the file, and bytes here
 * (before Linux 4.8: stacks, OBJECTS). Everything else is events.
 *
 * A kernel without NUMA (no nodes in sys/devices/system/node) has one node, 0,
 * with the figures of /proc/meminfo, /proc/vmstat and sys/kernel/mm/hugepages.
 * NUMASTAT then has none.
 *
 * The handle keeps files open to read them again. A reading that finds the
 * nodes, CPUs and figures of the one before opens and allocates nothing, with
 * two exceptions: files beyond half of RLIMIT_NOFILE are opened each time, and
 * so is the directory of nodes if sysfs has no list of online ones.
 *
 * One thread at a time may use a handle; different handles are independent.
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
	TALLY_UNIT_OBJECTS, /* of the kernel's, of unknown size */
};

/* A value that the node's file lacks, or that could not be read. */
#define TALLY_UNKNOWN INT64_MIN

struct tally_figure {
	const char *name; /* as the kernel spells it: "MemFree", "numa_hit";
			     HUGEPAGES: "hugepages-2048kB nr", "… free",
			     "… surplus"; CPU: "user", "nice", "system",
			     "idle", "iowait", "irq", "softirq", "steal",
			     "guest" (part of user), "guest_nice" (part of
			     nice); ESTIMATE: "MemAvailable" */
	enum tally_source source;
	enum tally_unit unit;
	int64_t page_bytes; /* the size of a page, if the unit is PAGES; 0: not
			       known (of a captured machine), or another unit */
	bool counter;	    /* true: it only grows, except that vm.numa_stat
			       resets numa_* and that iowait can fall by
			       itself. false: it goes up and down */
	bool estimate;
};

/*
 * A node. err[source] is 0, or why values of the source are not known:
 *
 * -ENODATA	no node has this source. No failure of a reading; nor is it
 *		one if a single node lacks huge pages, or if /proc/stat has no
 *		line for any of its CPUs
 * -ERANGE	the file has a number of more than 63 bits: that value is
 *		unknown, and all others of the source are known
 * -EBADMSG	a line makes no sense, or the file is of another kind: the
 *		value of that line is unknown (CPU: all values of the node),
 *		and all others of the source are known
 * -EFBIG	there are over 8,192 figures; none of the source is known
 * other	as opening and reading it; -ENODEV, -ENOENT: the node goes away
 */
struct tally_node_figures {
	int node; /* sysfs's number */
	int err[TALLY_NR_SOURCES];
	const int64_t *values; /* by figure */
};

struct tally_node_stats;

/*
 * Prepare to read the sources whose bits 1 << source are in @sources, of this
 * machine (@root NULL) or of the captured tree @root. The handle has no rows
 * and figures before the first reading. The caller closes *@nodes.
 *
 * -ENOENT	no such root; or it has neither sys/devices/system/node nor
 *		proc/meminfo
 * -ENOTDIR	@root is not a directory
 * -ENOMEM	no memory
 * other	as opening the directories
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_nodes_open(const char *root, unsigned int sources,
			struct tally_node_stats **nodes);
TALLY_API void tally_kernel_nodes_close(struct tally_node_stats *nodes);

/*
 * Read all present nodes. Each file shows one moment; the files are read one
 * after another.
 *
 * What a CPU counted stays with its node while the CPU is offline. The handle
 * looks up the CPUs of the nodes when CPUs or nodes come or go.
 *
 * MemAvailable is the node's share of what si_mem_available() (mm/show_mem.c)
 * computes for the machine, and at least 0:
 *
 *	free - reserve + file - min(file / 2, low)
 *		+ reclaimable - min(reclaimable / 2, low)
 *
 *	file		Active(file) + Inactive(file)
 *	reclaimable	KReclaimable; SReclaimable before Linux 4.20
 *	low		the sum of the low watermarks of the node's zones
 *	reserve		the sum of min(managed, high watermark + the largest
 *			lowmem reserve) over them, as in
 *			calculate_totalreserve_pages() (mm/page_alloc.c)
 *
 * Watermarks are read when nodes come or go, and every 10 s. Without NUMA, the
 * sum over nodes is the kernel's own MemAvailable.
 *
 * -ENOMEM	no memory; rows may lack everything
 * -errno	the error of the first row that failed, or why the nodes can't
 *		be listed; every other row was read
 */
TALLY_API TALLY_NODISCARD int
tally_kernel_nodes_read(struct tally_node_stats *nodes);

/* CLOCK_MONOTONIC at the begin of the last reading, in ns. */
TALLY_API int64_t
tally_kernel_nodes_time_ns(const struct tally_node_stats *nodes);

/* The nodes of the last reading, ascending by number. A row belongs to the
 * handle, until the next reading. The function asserts that @index < nr. */
TALLY_API unsigned int
tally_kernel_nodes_nr(const struct tally_node_stats *nodes);
TALLY_API const struct tally_node_figures *
tally_kernel_nodes_row(const struct tally_node_stats *nodes,
		       unsigned int index);

/* The figures found so far. Each keeps its index as long as the handle lives,
 * even if no node has it any more. A figure belongs to the handle until the
 * next reading; its name, until the close. The function asserts that @index is
 * below nr_figures. */
TALLY_API unsigned int
tally_kernel_nodes_nr_figures(const struct tally_node_stats *nodes);
TALLY_API const struct tally_figure *
tally_kernel_nodes_figure(const struct tally_node_stats *nodes,
			  unsigned int index);

/* The index of the figure @name of @source, or -ENOENT. */
TALLY_API int
tally_kernel_nodes_find_figure(const struct tally_node_stats *nodes,
			       enum tally_source source, const char *name);

TALLY_END

#endif
