/* SPDX-License-Identifier: MIT */
/*
 * limit_reap: ends uncommitted reservations whose lease has run out or whose
 * process is dead, each in a change of its own. It looks at these alone, and at
 * one more of each process and of all leases. The caller must hold the lock
 * (limit/lock.h), and have no change begun.
 */
#ifndef LIMIT_REAP_H
#define LIMIT_REAP_H

#include "ledger/mapped.h"

/* End the row's. Return 1 if it was ended. */
int limit_reap_row(struct tally_ledger *ledger, uint32_t row);

/* End those of the dead process that had this one's slot. Return the number. */
int limit_reap_predecessor(struct tally_ledger *ledger);

/* End all. Return the number. Ask whether processes live only if processes is
 * set, or no process asked for a step of shared_ns(). */
int limit_reap_all(struct tally_ledger *ledger, bool processes);

/* Free a resource's idle amounts, and reservations that can be reaped. Return
 * the number of both. */
int limit_make_free(struct tally_ledger *ledger, unsigned int resource);

#endif
