/* SPDX-License-Identifier: MIT */
/* The ledger in which others can watch the command. */
#ifndef TOOL_RUN_LEDGER_H
#define TOOL_RUN_LEDGER_H

#include <limits.h>
#include <stdbool.h>

#include <numatally/kernel_events.h>
#include <numatally/kernel_memory.h>
#include <numatally/ledger.h>

#include "run/notes.h"

/* Its resources: events, then memory. */
enum { RUN_NR_RESOURCES = (int)TALLY_NR_EVENTS + (int)TALLY_NR_MEM };

/* Of one node. */
struct run_amounts {
	int64_t of[RUN_NR_RESOURCES];
};

struct run_ledger {
	struct tally_ledger *ledger; /* NULL: nothing is charged */
	struct tally_account account;
	struct run_notes *notes; /* borrowed */
	char path[PATH_MAX];
	bool is_ours; /* we created it */
	unsigned int resources[RUN_NR_RESOURCES];
	unsigned int nr_nodes;
	int *nodes;
	struct run_amounts *charged;
};

/*
 * Create the ledger of this name, or join an existing one, and open the account
 * run/PID/COMMAND in it. A failure becomes a note: the command is accounted
 * without a ledger, too.
 */
void run_ledger_open(struct run_ledger *ledger, const char *name,
		     const struct tally_topo *topo, pid_t pid,
		     const char *command, struct run_notes *notes);

/* Charge what the amounts, one for each node of the topology, have grown by
 * since the last call. */
void run_ledger_charge(struct run_ledger *ledger,
		       const struct run_amounts *amounts);

/* Give back the memory that is still charged. Unless @keep, end the account, and
 * remove the file if we created it and nothing else uses it. */
void run_ledger_close(struct run_ledger *ledger, bool keep);

#endif
