/* SPDX-License-Identifier: MIT */
/* A made-up machine to keep ledgers over, and files to keep them in. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

#include <numatally/ledger.h>
#include <numatally/topo.h>

/*
 * Node 0 with CPU 0, node 5 with CPU 1, node 9 without a CPU, and 254 CPUs
 * that may be plugged in; whatever the machine is that the test runs on. Memory
 * of nodes that it lacks is unplaced.
 */
#define MACHINE_LANES 512 /* two for each CPU */
extern const int machine_nodes[3];

struct machine {
	char dir[64]; /* for the test's own files, on a tmpfs where it can be */
	char path[96];
	struct tally_topo *topo;
};

int machine_setup(void **state);
int machine_teardown(void **state);

/* From now on four CPUs, for tests that step through what is done for all. */
void machine_few_cpus(struct machine *m);

/* From now on nodes 0 to 7; CPUs 0 and 1 on the first two. */
void machine_eight_nodes(struct machine *m);

/* Two resources, the first a counter, the second a stock. */
extern const struct tally_resource machine_resources[2];

/* Makes the ledger m->path, of max_accounts (0: the default), or fails. */
struct tally_ledger *machine_ledger(struct machine *m, uint32_t max_accounts);

/* The account of a key, opened or failed. */
struct tally_account machine_account(struct tally_ledger *ledger,
				     const char *key);

/* The sum of one resource over everything. */
int64_t machine_total(struct tally_ledger *ledger, unsigned int resource);

#endif
