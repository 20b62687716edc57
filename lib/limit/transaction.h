/* SPDX-License-Identifier: MIT */
/*
 * limit_transaction: a change of limits and reservations, from taking the lock
 * (limit/lock.h) to ending terminating accounts that hold nothing any more.
 *
 *   begin: join, lock, finish what a killed process began
 *   finish: keep or undo, unlock, then take the directory's lock: never both
 */
#ifndef LIMIT_TRANSACTION_H
#define LIMIT_TRANSACTION_H

#include "ledger/mapped.h"

/* Begin a transaction. Errors as ledger_join() and limit_lock(). */
int limit_begin(struct tally_ledger *ledger);

/* Keep what was set, or undo it if err is not 0; end the transaction, and
 * return err. */
int limit_finish(struct tally_ledger *ledger, int err);

/* Draw back the idle credits of accounts that are terminating. */
void limit_drain(struct tally_ledger *ledger);

/* Tell those that wait for room under a quota, and those that watch, of a change of
 * accounts, which no lock of ours protects. */
void limit_tell(struct tally_ledger *ledger);

/* Open the tables of reservations and quotas. Finish what dead processes began,
 * unless another process holds the lock. */
int limit_open(struct tally_ledger *ledger);

#endif
