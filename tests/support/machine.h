/* SPDX-License-Identifier: MIT */
/* A made-up machine to keep ledgers over, and files to keep them in. */
#ifndef TEST_SUPPORT_MACHINE_H
#define TEST_SUPPORT_MACHINE_H

#include <stdint.h>

#include <numatally/ledger.h>
#include <numatally/topo.h>

/*
 * Node 0 with CPU 0, node 5 with CPU 1, node 9 without a CPU, and 254 CPUs that
 * may be plugged in, on whatever machine the test runs. Memory of nodes that
 * this machine lacks is unplaced.
 */
#define MACHINE_LANES 512 /* two for each CPU */
extern const int machine_nodes[3];

struct machine {
	char dir[64]; /* for the test's own files; on a tmpfs if possible */
	char path[96];
	struct tally_topo *topo;
};

int machine_setup(void **state);
int machine_teardown(void **state);

/* A test case whose state is a struct machine. */
#define MACHINE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

/* Reduce it to four CPUs, for tests that step through what is done for each. */
void machine_few_cpus(struct machine *m);

/* Replace it by nodes 0 to 7, with CPUs 0 and 1 on the first two. */
void machine_eight_nodes(struct machine *m);

/* Two resources, the first a counter, the second a gauge. */
extern const struct tally_resource machine_resources[2];

/* The same, but the second is reservable. */
extern const struct tally_resource machine_reservables[2];

/* Create the ledger m->path for max_accounts (0: the default), or fail the
 * test; with machine_resources, or with machine_reservables. */
struct tally_ledger *machine_ledger(struct machine *m, uint32_t max_accounts);
struct tally_ledger *machine_limit_ledger(struct machine *m,
					  uint32_t max_accounts);

/* Open the account of a key, or fail the test. */
struct tally_account machine_account(struct tally_ledger *ledger,
				     const char *key);

/* The sum of one resource over everything. */
int64_t machine_total(struct tally_ledger *ledger, unsigned int resource);

/* The amount of an account's resource on a node, or on TALLY_VIEW_ALL. */
int64_t machine_amount(struct tally_ledger *ledger,
		       struct tally_account account, int node,
		       unsigned int resource);

/* Fail the test if any amount is not 0. */
void machine_is_empty(struct tally_ledger *ledger);

/* Advance the epoch until the rows of gone accounts are free; skips the test if
 * membarrier(2) is refused. */
void machine_reclaim(struct tally_ledger *ledger);

#endif
