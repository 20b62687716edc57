/* SPDX-License-Identifier: MIT */
/*
 * epoch: moves a ledger's epochs on, so that a bank of cells stands still for
 * as long as somebody has pinned it. See struct layout_control for the steps.
 *
 *   take:     epoch++  ->  membarrier, wait for older marks  ->  frozen = epoch
 *   release:  fold frozen bank into settled cells, zero it   ->  folded = epoch
 *
 * One process at a time moves on (control.owner); where it dies the next one
 * goes on from the step that it reached. Writers take no part: they read epoch.
 */
#ifndef EPOCH_H
#define EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger_internal.h"

/* Registers this process for the membarriers of others, or of itself alone.
 * -errno: membarrier(2) is refused. */
int epoch_register(bool exclusive);

/* Ends the sequences that don't mark, and makes every thread's next look at
 * the epoch, or its mark, be seen. */
int epoch_barrier(const struct tally_ledger *ledger);

/*
 * Freezes what was added until now, and pins it; or, with join, pins what is
 * frozen already. *epoch: the one whose cells are frozen, plus 1. *nr_doubts:
 *how many there are in the file by now.
 *
 * -EBUSY	an older one is pinned, and join is false
 * -EAGAIN	a thread that is in the middle of an add, or a process that
 *		moves the epoch on, did not come to an end before timeout_ns
 * -ENOSYS	membarrier(2) is refused to us, and others rely on it
 * -ENOSPC, -ENOMEM	no room to fold an older one
 */
int epoch_pin(struct tally_ledger *ledger, bool join, int64_t timeout_ns,
	      uint64_t *epoch, uint64_t *nr_doubts);

/* Unpins; the last one folds. What goes wrong in that is left to the next
 * epoch_pin(). */
void epoch_unpin(struct tally_ledger *ledger);

/*
 * Moves epochs on until what was gone before is cleaned, whose rows are free
 * then.
 *
 * -EBUSY	a snapshot is pinned
 * others	as epoch_pin()
 */
int epoch_cool(struct tally_ledger *ledger, int64_t timeout_ns);

/* Before the process leaves: nothing of it stays pinned. */
void epoch_close(struct tally_ledger *ledger);

/* Once the process has its writer slot: goes on from where the one before it
 * died, and notes what threads that are dead were doing, unless another process
 * moves epochs on just now, who does so itself. */
void epoch_join(struct tally_ledger *ledger);

/* Notes what dead threads were doing, and gives their slots back: of all, or of
 * those that are marked. -EAGAIN: the one who moves epochs on takes long. */
int epoch_reap(struct tally_ledger *ledger, bool marked);

#endif
