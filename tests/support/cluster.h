/* SPDX-License-Identifier: MIT */
/* A topology of many described machines. */
#ifndef TEST_SUPPORT_CLUSTER_H
#define TEST_SUPPORT_CLUSTER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <numatally/topo.h>

#define CLUSTER_NODES 64u /* on a machine, at most */

/* The number of a node in a ledger over a cluster. */
static inline int cluster_node(unsigned int machine, int id)
{
	return (int)(machine << 16) + id;
}

/*
 * Make a topology of machines "m0", "m1", ... with nodes 0, 1, ..., of which the
 * first has CPU 0. The first machine is replaced by that of @here, as "here",
 * unless it is NULL. Errors as tally_topo_create().
 */
static inline int cluster_create(const struct tally_topo *here,
				 unsigned int nr_machines,
				 unsigned int nr_nodes,
				 struct tally_topo **topo)
{
	static const int cpu;
	struct tally_node nodes[CLUSTER_NODES] = {{0}};
	struct tally_machine *machines =
		calloc((size_t)nr_machines + 1, sizeof(*machines));
	char(*names)[16] = calloc((size_t)nr_machines + 1, sizeof(*names));
	int err = -ENOMEM;

	for (unsigned int i = 0; i < nr_nodes; i++)
		nodes[i] = (struct tally_node){
			.size = sizeof(nodes[i]),
			.id = (int)i,
			.tier = -1,
			.memory_bytes = -1,
			.cpus = i ? NULL : &cpu,
			.nr_cpus = !i,
		};
	for (unsigned int i = 0; machines && names && i < nr_machines; i++) {
		snprintf(names[i], sizeof(names[i]), "m%u", i);
		machines[i] = (struct tally_machine){
			.size = sizeof(machines[i]),
			.name = names[i],
			.nodes = nodes,
			.nr_nodes = nr_nodes,
		};
	}
	if (machines && names && here) {
		machines[0] = *tally_topo_machine(here, 0);
		machines[0].name = "here";
	}
	if (machines && names)
		err = tally_topo_create(machines, nr_machines, topo);
	free(machines);
	free(names);
	return err;
}

#endif
