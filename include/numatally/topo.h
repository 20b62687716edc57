/* SPDX-License-Identifier: MIT */
/*
 * topo: the NUMA nodes and CPUs of a machine, their distances and tiers.
 *
 * Nodes are inventoried from sysfs, under the numbers that sysfs gives them
 * (sparse: 0, 1, 33, 72): every online node is listed, with no CPU or with no
 * memory too. hwloc adds what kind of memory a node has. A kernel without
 * NUMA has one node, 0, with every CPU and all memory.
 *
 * A topology is a picture of one moment, immutable once open: any number of
 * threads may read it. Where nodes or CPUs come and go, open another one and
 * compare.
 */
#ifndef NUMATALLY_TOPO_H
#define NUMATALLY_TOPO_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

struct tally_topo;

struct tally_node {
	int id;		      /* sysfs's number */
	int tier;	      /* 0 is the fastest; -1: not known */
	const char *memory;   /* "DRAM", "HBM", "NVM", "GPU", "CXL", "SPM"
				 (specific-purpose: set aside by the firmware
				 for those who ask for it) or NULL: not known */
	int64_t memory_bytes; /* MemTotal of the node; 0: none; -1: not known */
	const int *cpus;      /* its online CPUs, ascending */
	unsigned int nr_cpus;
	const int *distances; /* to each node of the topology, by index, as
				 the firmware's SLIT has it (10: local);
				 NULL: not known */
};

/*
 * Reads the machine's topology, or, where root is not NULL, that of the
 * captured /sys and /proc tree below it. The caller owns *topo. What a file
 * does not say, or says in garbage, is not known (-1, NULL), and a node is
 * listed only if it is there before and after everything was read.
 *
 * Tiers are the kernel's (memory_tiering), numbered anew from 0; where it has
 * none, nodes are ranked by the bandwidth that their firmware states (HMAT),
 * alike being within a quarter; nodes without a figure then have no tier.
 *
 * Safe to call from any thread. A captured tree is shown to hwloc by a child
 * process, which is created and waited for meanwhile.
 *
 * -ENOENT	no such root; it has no sys/devices/system/cpu, or no CPUs there
 * -ENOTDIR	root is not a directory
 * -ENOMEM	no memory
 * -EMFILE	too many open files, and -ENFILE
 * -EAGAIN	nodes or CPUs kept coming and going while we read
 * other	what opening the directories said
 */
TALLY_API int tally_topo_open(const char *root, struct tally_topo **topo);
TALLY_API void tally_topo_close(struct tally_topo *topo);

/* All that follow read the picture only: any number of threads may call them
 * until it is closed. */

/* The nodes, ascending by number; index counts from 0. The node belongs to the
 * topology. index < nr_nodes is asserted. */
TALLY_API unsigned int tally_topo_nr_nodes(const struct tally_topo *topo);
TALLY_API const struct tally_node *
tally_topo_node(const struct tally_topo *topo, unsigned int index);

/* The index of the node with this number, or -ENOENT. */
TALLY_API int tally_topo_index(const struct tally_topo *topo, int node);

/* One more than the highest CPU number that the kernel calls possible: CPUs
 * that are offline now, or not plugged in, are counted. */
TALLY_API unsigned int tally_topo_nr_cpus(const struct tally_topo *topo);

/* The number of the node that the CPU belongs to, one of the topology's, or
 * -ENOENT where it belongs to none of these, or it is not known. An offline
 * CPU has a node where sysfs still links it to one. */
TALLY_API int tally_topo_cpu_node(const struct tally_topo *topo, int cpu);
TALLY_API bool tally_topo_cpu_online(const struct tally_topo *topo, int cpu);

TALLY_END

#endif
