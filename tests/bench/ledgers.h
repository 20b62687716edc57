/* SPDX-License-Identifier: MIT */
/* Ledgers to measure, over this machine or a made-up one. */
#ifndef TEST_BENCH_LEDGERS_H
#define TEST_BENCH_LEDGERS_H

#include <stdint.h>

#include <numatally/ledger.h>

struct bench_ledger {
	struct tally_ledger *ledger;
	struct tally_account *accounts; /* row i; all of one generation */
	uint32_t nr_accounts;
	unsigned int nr_resources;
	char dir[64]; /* the file's directory, which holds nothing else */
	char path[96];
};

/*
 * A ledger with nr_accounts accounts and resources r0, r1, …, over this machine
 * (nr_lanes 0), or over one with a node for each 64 CPUs. Several processes may
 * write to it; if alone, only this one.
 */
int bench_ledger_create(unsigned int nr_lanes, uint32_t nr_accounts,
			unsigned int nr_resources, struct bench_ledger *b);
int bench_ledger_create_alone(uint32_t nr_accounts, unsigned int nr_resources,
			      struct bench_ledger *b);
void bench_ledger_destroy(struct bench_ledger *b);

/* Have nr_lanes lanes, from 0 on, charge 1 of every resource to every account
 * each, by a program that believes itself on those CPUs. Checks the sums. */
int bench_ledger_fill(const struct bench_ledger *b, unsigned int nr_lanes);

/* Bytes of memory that the file takes. */
int64_t bench_ledger_bytes(const struct bench_ledger *b);

#endif
