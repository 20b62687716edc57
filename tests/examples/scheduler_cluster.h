/* SPDX-License-Identifier: MIT */
/* The cluster that the example of a scheduler has, and its jobs: what a real one
 * learns from its operators and users. */
#ifndef SCHEDULER_CLUSTER_H
#define SCHEDULER_CLUSTER_H

#include <stdio.h>

#include <numatally.h>

enum { CORES, MEMORY, NR };
enum { MACHINES = 3, NODES = 2, MOST_JOBS = 4096 };
#define GIB (INT64_C(1) << 30)

/* Every eighth job is urgent. */
static inline int32_t cluster_priority(uint64_t job)
{
	return job % 8 == 7;
}

static inline void cluster_amounts(uint64_t job,
				   struct tally_amount amounts[NR])
{
	int64_t n = (int64_t)job;

	amounts[0] = (struct tally_amount){CORES, 1 + n % 4};
	amounts[1] = (struct tally_amount){MEMORY, (1 + n * 7 % 8) * GIB};
}

/* Machines m1, m2, ... with nodes 0 and 1. */
static inline int cluster_topo(struct tally_topo **topo)
{
	static const char *const names[MACHINES] = {"m1", "m2", "m3"};
	static const int cpus[NODES] = {0, 1};
	struct tally_machine machines[MACHINES];
	struct tally_node nodes[NODES];

	for (int n = 0; n < NODES; n++)
		nodes[n] = (struct tally_node){
			.size = sizeof(nodes[n]),
			.id = n,
			.tier = -1,
			.memory_bytes = -1,
			.cpus = &cpus[n],
			.nr_cpus = 1,
		};
	for (int m = 0; m < MACHINES; m++)
		machines[m] = (struct tally_machine){
			.size = sizeof(machines[m]),
			.name = names[m],
			.nodes = nodes,
			.nr_nodes = NODES,
		};
	return tally_topo_create(machines, MACHINES, topo);
}

/* The first process makes the ledger; the others find it. */
static inline int cluster_open(const char *path, const struct tally_topo *topo,
			       struct tally_ledger **ledger)
{
	static const struct tally_resource resources[NR] = {
		{"cores", "", TALLY_RESERVABLE},
		{"memory", "bytes", TALLY_RESERVABLE},
	};
	struct tally_capacity capacities[MACHINES * NODES * NR];
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = MOST_JOBS,
		.capacities = capacities,
		.nr_capacities = MACHINES * NODES * NR,
	};

	for (unsigned int i = 0; i < MACHINES * NODES; i++)
		for (unsigned int r = 0; r < NR; r++)
			capacities[i * NR + r] = (struct tally_capacity){
				tally_topo_number(topo, i), r,
				r == CORES ? 8 : 16 * GIB};
	return tally_ledger_open_or_create(path, topo, resources, NR, &options,
					   ledger, NULL);
}

/* An account for each job; those that are there stay as they are. */
static inline int cluster_submit(struct tally_ledger *ledger, long nr)
{
	struct tally_account unused;
	char key[32];
	int err = 0;

	for (long i = 0; !err && i < nr; i++) {
		snprintf(key, sizeof(key), "job-%ld", i);
		err = tally_account_open(tally_ledger_accounts(ledger), key,
					 &unused);
	}
	return err;
}

#endif
