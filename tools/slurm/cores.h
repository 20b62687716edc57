/* SPDX-License-Identifier: MIT */
/*
 * Cores as Slurm counts them: from 0, package after package, in the order in
 * which hwloc finds them; whatever numbers their CPUs have.
 */
#ifndef NUMATALLY_SLURM_CORES_H
#define NUMATALLY_SLURM_CORES_H

#include <stdint.h>

#include <numatally/topo.h>

struct core {
	int cpu;     /* its first one */
	int package; /* the first CPU of it */
	int first;   /* CPU of its NUMA node */
	int index;   /* of the node in the topology */
};

struct cores {
	struct core *core;
	unsigned int nr;
};

/* Read the cores of @topo, whose captured tree is @root. -ENOMEM. The caller
 * frees cores->core. */
int cores_read(struct cores *cores, const char *root,
	       const struct tally_topo *topo);

/*
 * Add up how many of the cores in @list ("0-3,8") each node has, in
 * nr[nr_nodes of the topology], and return how many there are.
 *
 * -ERANGE	the list has a core that the machine lacks
 * -EINVAL	it is no list
 */
int cores_count(const struct cores *cores, const char *list, int64_t *nr);

#endif
