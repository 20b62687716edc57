/* SPDX-License-Identifier: MIT */
/* The ledger of a replay: private, in memory, over made-up nodes. */
#ifndef TOOL_REPLAY_LEDGER_H
#define TOOL_REPLAY_LEDGER_H

#include <numatally/limit.h>

#include "replay/machines.h"

/* Create it and set its capacities. Errors are printed: -errno */
int replay_ledger_create(const struct replay_trace *trace,
			 const struct replay_machines *machines,
			 struct tally_ledger **ledger);

/* Open the account of a slot. -errno */
int replay_ledger_account(struct tally_ledger *ledger, uint32_t slot,
			  struct tally_account *account);

#endif
