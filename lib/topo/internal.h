/* SPDX-License-Identifier: MIT */
/*
 * A topology: its machines point into one array of nodes, and the nodes into
 * one array of CPUs and one of distances.
 *
 *	machines   | 0     | 1     |
 *	nodes      | 0 | 1 | 0 | 1 | 2 |
 *	cpus       | 0 1 2 3 | 0 1 2 |
 *	distances  2 rows of 2, 3 rows of 3; none of a node that has none
 */
#ifndef TOPO_INTERNAL_H
#define TOPO_INTERNAL_H

#include <numatally/topo.h>

struct tally_topo {
	struct tally_machine *machines;
	unsigned int nr_machines;
	struct tally_node *nodes;
	unsigned int nr_nodes;
	int *cpus;
	int *distances;
	char *names;
	/* Of the first machine: */
	unsigned int nr_cpus;
	int *cpu_nodes; /* -ENOENT: not known */
	bool *cpus_online;
	bool *cpus_shared; /* several nodes list them; NULL: none */
};

#endif
