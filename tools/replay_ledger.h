/* SPDX-License-Identifier: MIT */
/* The ledger of a replay: in memory, over made-up nodes. */
#ifndef REPLAY_LEDGER_H
#define REPLAY_LEDGER_H

#include <numatally/limit.h>

#include "replay_place.h"

/* Makes it, with its capacities. -errno, which has been said. */
int replay_ledger_create(const struct replay_trace *trace,
			 const struct replay_machines *machines,
			 struct tally_ledger **ledger);

/* The account of a slot. -errno */
int replay_ledger_account(struct tally_ledger *ledger, uint32_t slot,
			  struct tally_account *account);

#endif
