/* SPDX-License-Identifier: MIT */
/* The ledger in which others can watch the command. */
#ifndef RUN_LEDGER_H
#define RUN_LEDGER_H

#include <limits.h>
#include <stdbool.h>

#include <numatally/kernel.h>
#include <numatally/ledger.h>

#include "run_notes.h"

/* Its columns: events, then memory. */
enum { RUN_NR_RESOURCES = (int)TALLY_NR_EVENTS + (int)TALLY_NR_MEM };

/* What a node has of each. */
struct run_amounts {
	int64_t of[RUN_NR_RESOURCES];
};

struct run_ledger {
	struct tally_ledger *ledger; /* NULL: none, and nothing is charged */
	struct tally_account account;
	struct run_notes *notes; /* borrowed */
	char path[PATH_MAX];
	bool is_ours; /* we made it */
	unsigned int resources[RUN_NR_RESOURCES];
	unsigned int nr_nodes;
	int *nodes;
	struct run_amounts *charged;
};

/*
 * Makes the ledger of this name, or joins the one that is there, and opens the
 * account run/PID/COMMAND in it. Without a ledger the command is accounted all
 * the same, so that what fails becomes a note.
 */
void run_ledger_open(struct run_ledger *ledger, const char *name,
		     const struct tally_topo *topo, pid_t pid,
		     const char *command, struct run_notes *notes);

/* Charges what the amounts, one for each node of the topology, have more than
 * at the last time. */
void run_ledger_charge(struct run_ledger *ledger,
		       const struct run_amounts *amounts);

/* Gives back what memory is charged still. Unless it is to be kept, ends the
 * account, and removes the file where we made it. */
void run_ledger_close(struct run_ledger *ledger, bool keep);

#endif
