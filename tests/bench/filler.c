// SPDX-License-Identifier: MIT
/*
 * filler LEDGER LANES: charges 1 of every resource to every account, on each of
 * the lanes 0, 1, … in turn, whatever CPUs the machine has. Without restartable
 * sequences the library calls sched_getcpu(), which this program replaces.
 */
#include "config.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/ledger.h>
#include <numatally/view.h>

/* -1 while the ledger is opened: then the library does not trust an instruction
 * that reads the real CPU. */
static int lane = -1;

/* Replaces the C library's in this program. */
__attribute__((visibility("default"))) int sched_getcpu(void)
{
	return lane;
}

static int charge_all(struct tally_ledger *ledger,
		      const struct tally_amount *amounts, unsigned int nr)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_account account;
	uint64_t cursor = 0;
	int err = 0;

	while (!err && !tally_account_next(accounts, &cursor, &account))
		err = tally_ledger_charge(ledger, account, TALLY_NODE_LOCAL,
					  amounts, nr);
	return err;
}

int main(int argc, char **argv)
{
	int nr_lanes = argc == 3 ? atoi(argv[2]) : 0;
	struct tally_amount amounts[64];
	struct tally_ledger *ledger;
	struct tally_view *view;
	unsigned int nr;
	int err;

	if (nr_lanes < 1) {
		fputs("usage: filler LEDGER LANES\n", stderr);
		return 2;
	}
	err = tally_ledger_open(argv[1], &ledger);
	if (!err)
		err = tally_view_open(ledger, &view);
	if (err) {
		fprintf(stderr, "filler: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	nr = tally_view_nr_resources(view);
	tally_view_close(view);
	for (unsigned int i = 0; i < nr && i < 64; i++)
		amounts[i] = (struct tally_amount){.resource = i, .amount = 1};
	for (lane = 0; !err && lane < nr_lanes; lane++)
		err = charge_all(ledger, amounts, nr < 64 ? nr : 64);
	if (err)
		fprintf(stderr, "filler: lane %d: %s\n", lane, strerror(-err));
	tally_ledger_close(ledger);
	return err ? 1 : 0;
}
