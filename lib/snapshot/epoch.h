/* SPDX-License-Identifier: MIT */
/*
 * epoch: advances a ledger's epochs, so that a bank of cells stands still as
 * long as it is pinned. See struct layout_control for the steps.
 *
 *   epoch++  ->  membarrier, wait for adds in flight  ->  frozen = epoch
 *   until the last pin is gone; then
 *   fold the frozen bank, and zero it                 ->  folded = epoch
 *
 * One process at a time advances epochs, under the epoch lock (control.lock).
 * If it dies, the next owner continues from the step that it reached. Writers
 * take no part: they only read the epoch.
 */
#ifndef SNAPSHOT_EPOCH_H
#define SNAPSHOT_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/mapped.h"
#include "snapshot/pin.h"

/* Register this process for membarriers: of other processes, or (exclusive) of
 * its own alone. -errno: membarrier(2) is refused. */
int epoch_register(bool exclusive);

/* End sequences that set no word in flight. From then on every thread sees the
 * new epoch, or its word in flight is seen. -ENOSYS: the kernel refuses
 * membarrier(2), and adds rely on it. */
int epoch_barrier(const struct tally_ledger *ledger);

/*
 * Freeze what was added until now, and pin it; or, with join, pin what is
 * pinned already. Describe it in *info: its epoch is that whose cells are
 * frozen, plus 1. Thread-safe.
 *
 * -EBUSY	an older epoch is pinned, and join is false
 * -EAGAIN	an add in flight, or another process that advances epochs, did
 *		not end within timeout_ns
 * -ENOSYS	this process may not use membarrier(2), and others rely on it
 * -ENOSPC, -ENOMEM	no room to fold an older epoch
 * -EBADMSG	the file is damaged or was cut short
 */
int epoch_pin(struct tally_ledger *ledger, bool join, int64_t timeout_ns,
	      struct pin_info *info);

/* Unpin. A process that serves folds a moment later, or else the next
 * epoch_pin(). */
void epoch_unpin(struct tally_ledger *ledger);

/* Take the snapshot that a reader asks for. Return whether one asked: then another
 * may ask, too. */
bool epoch_serve(struct tally_ledger *ledger);

/* Whether a frozen bank waits for its fold, which no process has pinned. */
bool epoch_may_fold(const struct tally_ledger *ledger);

/*
 * Advance epochs until the rows of all accounts that are gone by now are free.
 * Thread-safe.
 *
 * -EBUSY	a snapshot is pinned
 * others	as epoch_pin()
 */
int epoch_reclaim(struct tally_ledger *ledger, int64_t timeout_ns);

/* Unpin all that this process has pinned, before it leaves. */
void epoch_close(struct tally_ledger *ledger);

/* Continue what the slot's former process left, if it died with the epoch lock,
 * and note what dead threads had in flight; unless another process has the
 * lock, and so does it. If a reader has a snapshot of when no process wrote, let
 * this one add to the other bank. To be called once the process has its writer slot. */
void epoch_join(struct tally_ledger *ledger);

/* Note what dead threads had in flight, and free their slots: of all dead
 * threads, or only of those with an add in flight. -EAGAIN: another process has
 * the epoch lock for long. */
int epoch_reap(struct tally_ledger *ledger, bool inflight);

#endif
