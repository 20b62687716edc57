/* SPDX-License-Identifier: MIT */
/*
 * topo: the NUMA nodes and CPUs of a machine, or of several; their distances
 * and tiers.
 *
 * A topology is read from this machine, from a captured one, or from hwloc's
 * description of one; or the caller describes machines itself, as a cluster's
 * scheduler does. Numbers of nodes and CPUs are those of their machine; in a
 * ledger, nodes of all machines have other numbers (tally_topo_number()).
 *
 * Of this machine, sysfs lists the nodes, under its own numbers, which may be
 * sparse (0, 1, 33, 72). Every online node is listed, also one without CPUs or
 * without memory. hwloc adds the kind of a node's memory. A kernel without NUMA
 * has one node, 0, with all CPUs and all memory.
 *
 * A topology shows one moment and never changes. To follow nodes or CPUs that
 * come and go, open another one and compare.
 *
 * Thread-safe: any number of threads may read one topology until it is closed.
 */
#ifndef NUMATALLY_TOPO_H
#define NUMATALLY_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

struct tally_topo;

struct tally_node {
	size_t size;	      /* sizeof(struct tally_node); a caller that
				 describes a node sets it */
	unsigned int machine; /* its index; ignored in a description */
	int id;		      /* its number on its machine, as sysfs has it */
	int tier;	      /* 0 is the fastest; -1: not known */
	const char *memory;   /* "DRAM", "HBM", "NVM", "GPU", "CXL", "SPM"
				 (specific-purpose: the firmware sets it aside
				 for programs that ask for it); NULL: not
				 known */
	int64_t memory_bytes; /* MemTotal of the node; 0: none; -1: not known */
	const int *cpus;      /* its online CPUs, ascending; NULL: not known */
	unsigned int nr_cpus;
	const int *distances; /* to each node of its machine, in their order,
				 as in the firmware's SLIT (10: local); NULL:
				 not known */
};

/* The nodes that share memory. */
struct tally_machine {
	size_t size;	  /* sizeof(struct tally_machine), as of a node */
	const char *name; /* unlike any other machine's, of 1 to 255 bytes;
			     NULL: it has none, and is alone in its topology */
	const struct tally_node *nodes; /* ascending by number */
	unsigned int nr_nodes;
	bool here; /* it is this machine: ledgers keep counters of its nodes */
};

/*
 * Read the topology of this machine (@root NULL), or of the captured /sys and
 * /proc tree below @root. A value that a file lacks or garbles is not known
 * (-1, NULL). The machine is here, also a captured one, which stands for this
 * one. The caller closes *@topo.
 *
 * Tiers are the kernel's (memory_tiering), renumbered from 0. If it has none,
 * nodes are ranked by the bandwidth that their firmware states (HMAT); nodes
 * within a quarter of each other share a tier, and nodes without a figure have
 * none.
 *
 * Thread-safe. The function forks a child, which runs hwloc, and waits for it:
 * hwloc prints on stderr. Without the child, memory kinds are not known.
 *
 * -ENOENT	no such root, or no CPUs in its sys/devices/system/cpu, nor in
 *		proc/stat, proc/cpuinfo or a node's list
 * -ENOTDIR	root is not a directory
 * -ENOMEM	no memory
 * -EMFILE, -ENFILE
 *		too many open files
 * -EAGAIN	nodes or CPUs came or went during each of several readings: try
 *		again
 * other	as opening the directories
 */
TALLY_API TALLY_NODISCARD int tally_topo_open(const char *root,
					      struct tally_topo **topo);

/* The same without a child: kinds of memory, and tiers, are not known. It takes
 * a fraction of the time. */
TALLY_API TALLY_NODISCARD int tally_topo_open_plain(const char *root,
						    struct tally_topo **topo);
TALLY_API void tally_topo_close(struct tally_topo *topo);

/*
 * Read the topology of a machine from hwloc's XML at @path (as lstopo writes
 * it), or from hwloc's synthetic description in @text ("numa:2 core:4 pu:2";
 * hwloc's manual has the grammar). The machine's name is the host's name in the
 * XML, and it is not here. A CPU belongs to the narrowest node around it, of
 * those to the one with the lowest number. The caller closes *@topo.
 *
 * Thread-safe. The function forks a child, which runs hwloc, and waits for it.
 *
 * -EBADMSG	hwloc cannot read the XML, or what it reads makes no machine
 * -EINVAL	hwloc cannot read the description, or it makes no machine
 * -EFBIG	the XML has over 64 MiB
 * -ETIMEDOUT	hwloc took 10 s of CPU time, or gave no answer for 60 s:
 *		describe a smaller machine, or try again when CPUs are free
 * -ENOMEM	no memory
 * other	as open(2), read(2) and fork(2); -EISDIR and -ENXIO where @path
 *		is no regular file
 */
TALLY_API TALLY_NODISCARD int tally_topo_open_xml(const char *path,
						  struct tally_topo **topo);
TALLY_API TALLY_NODISCARD int
tally_topo_open_synthetic(const char *text, struct tally_topo **topo);

/*
 * Make the topology of the @nr_machines @machines that the caller describes.
 * The function copies them. All machines have one size, and so have all nodes
 * of one machine. The first may be here: as tally_topo_open() describes it, with
 * a name if it is not alone. The caller closes *@topo.
 *
 * -EINVAL	there is no machine; a machine has no node or no CPU, its name
 *		is missing, empty or too long; one that is not the first is here;
 *		a machine's nodes, or a node's CPUs, do not ascend or have
 *		numbers outside 0 to 65535; two nodes share a CPU; a distance is
 *		not positive, memory_bytes or tier is below -1, memory is none
 *		of the words above; or a size is not set
 * -EEXIST	two machines have one name
 * -E2BIG	a member is set that this library does not know
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_topo_create(const struct tally_machine *machines,
		  unsigned int nr_machines, struct tally_topo **topo);

/* The machines, in the order of their description. A machine belongs to the
 * topology. The function asserts that @index < nr_machines. */
TALLY_API unsigned int tally_topo_nr_machines(const struct tally_topo *topo);
TALLY_API const struct tally_machine *
tally_topo_machine(const struct tally_topo *topo, unsigned int index);

/* The nodes of all machines, machine after machine; those of a machine ascend
 * by number. A node belongs to the topology. The function asserts that
 * @index < nr_nodes. */
TALLY_API unsigned int tally_topo_nr_nodes(const struct tally_topo *topo);
TALLY_API const struct tally_node *
tally_topo_node(const struct tally_topo *topo, unsigned int index);

/* The index of the node with the number @node on the first machine, or on the
 * machine at index @machine; -ENOENT: there is none. */
TALLY_API int tally_topo_index(const struct tally_topo *topo, int node);
TALLY_API int tally_topo_index_on(const struct tally_topo *topo,
				  unsigned int machine, int node);

/* The number of the node at @index in a ledger: on the first machine its own
 * number, on the n-th (n - 1) * 65536 more, so that the numbers ascend as the
 * nodes do. The function asserts that @index < nr_nodes. -ERANGE: there are over
 * 32,768 machines. */
TALLY_API int tally_topo_number(const struct tally_topo *topo,
				unsigned int index);

/* The CPUs of the first machine. Their number is one more than the highest
 * possible one; it includes CPUs that are offline or not plugged in. */
TALLY_API unsigned int tally_topo_nr_cpus(const struct tally_topo *topo);

/* The number of the CPU's node, which is one of the topology's; -ENOENT: none,
 * or not known. An offline CPU has a node while sysfs links it to one. */
TALLY_API int tally_topo_cpu_node(const struct tally_topo *topo, int cpu);
TALLY_API bool tally_topo_cpu_online(const struct tally_topo *topo, int cpu);

/* Whether several nodes list the CPU, as those of numa=fake do, and some
 * firmware's. It is on the one that sysfs links it to, else on the first. */
TALLY_API bool tally_topo_cpu_shared(const struct tally_topo *topo, int cpu);

/* Whether sysfs, of this machine or of the captured tree below @root, shows no
 * nodes although the kernel may have several: a container hides them, or the
 * capture lacks them. A topology then has node 0 alone, with everything. */
TALLY_API bool tally_topo_hidden(const char *root);

TALLY_END

#endif
