/* SPDX-License-Identifier: MIT */
/* The directory of accounts over a mapped ledger file. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include <numatally/account.h>

#include "layout.h"

/*
 *  heads                    records (rows)                     generations
 *  ┌─────────────┐         ┌──────┬───────┬──────┬───────────┐ ┌───────────┐
 *  │ row + 1     │ ──────> │ hash │ phase │ next │ key\0     │ │ of row 0  │
 *  │ 0: no chain │         └──────┴───────┴──┬───┴───────────┘ │ of row 1  │
 *  │ …           │                           └──> row + 1      │ …         │
 *  └─────────────┘                                             └───────────┘
 *
 * The generation of a row is that of the accounts whose handles are good now:
 * from 1; 0 where the row was never used. It stands apart from the record since
 * whoever adds compares it, and many fit one cache line.
 *
 * A chain grows at its head, by one compare-and-swap, after the whole chain
 * was searched for the key: a key has one row. A row is claimed (free ->
 * claimed), filled, linked, and then made ready; whoever meets a linked row
 * that is still claimed makes it ready, so that nothing waits for its owner.
 */
struct tally_accounts {
	struct layout *layout;
	struct tally_region records; /* and generations */
	uint64_t faulted_bytes;	     /* of records, by this process */
};

int directory_open(struct layout *layout, struct tally_accounts **accounts);
void directory_close(struct tally_accounts *accounts);

/* Rows below this exist, in use or not. */
uint32_t directory_nr_rows(const struct tally_accounts *accounts);

/* Whether that is not less than there were before: then it is damaged. */
bool directory_has_all(const struct tally_accounts *accounts);

#endif
