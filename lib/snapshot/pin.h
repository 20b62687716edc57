/* SPDX-License-Identifier: MIT */
/*
 * pin: what keeps a frozen bank as it is. A writer's pin is a number in its
 * slot, which it changes with the epoch lock. A reader may write nothing; its
 * pin is a read lock on the epoch's byte, as a lock of an open file description,
 * which the kernel drops when the reader dies.
 *
 *   reader                              mover, with the epoch lock
 *
 *   lock the byte of epoch E            closing = E
 *   does E stand, and is closing < E?   has a reader locked the byte of E?
 *   read, and look again:                 yes, and not for long: closing back
 *     is closed < E still?                no: closed = E, then fold the bank
 *
 * One of the two sees the other. A reader that has the byte of E for longer than
 * keep_ns loses its pin when another snapshot is wanted: it finds that out when
 * it looks again.
 *
 * A lock on the byte of E + 1, while the epoch is E, asks for that snapshot
 * (snapshot/ask.h). Where no writer lives nothing has to be frozen, and the reader
 * locks a second byte of E + 1: the next writer that opens the ledger finds the
 * lock, and moves the epoch before it adds.
 */
#ifndef SNAPSHOT_PIN_H
#define SNAPSHOT_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "file/file.h"

/* What is told of a snapshot: as in struct tally_snapshot_info. */
struct pin_info {
	uint64_t epoch; /* whose cells are frozen, plus 1 */
	uint64_t nr_in_doubt;
	int64_t taken_ns;
	int64_t age_ns;
};

/* Which byte of an epoch: LAYOUT_PINS, or LAYOUT_STILL. */
enum pin_byte { PIN_BYTE, PIN_BYTE_STILL };

/* Lock or unlock it, as this open file. -errno of fcntl(2). */
int pin_lock(const struct layout *layout, uint64_t epoch, enum pin_byte byte);
void pin_unlock(const struct layout *layout, uint64_t epoch,
		enum pin_byte byte);

/* Whether another open file has it locked; false if the kernel does not tell. */
bool pin_is_locked(const struct layout *layout, uint64_t epoch,
		   enum pin_byte byte);

/* How long ago the present epoch began; and whether readers' pins don't last as
 * long. A clock that is set costs a reader its pin at most, so it may be the one
 * that is the cheapest to read. */
int64_t pin_age(const struct layout *layout);
bool pin_is_old(const struct layout *layout);

/* Whether the present epoch is pinned: by a writer, or by a reader for not too
 * long. */
bool pin_is_pinned(const struct layout *layout, uint64_t epoch);

/* Let no reader pin epochs up to this one any more. */
void pin_close(const struct layout *layout, uint64_t epoch);

/*
 * The same for the present epoch, unless it is pinned. The caller must hold the
 * epoch lock.
 *
 * -EBUSY	it is pinned
 */
int pin_try_close(const struct layout *layout, uint64_t epoch);

/* Whether a reader's pin of the epoch, which was valid, is lost. */
bool pin_is_lost(const struct layout *layout, uint64_t epoch);

#endif
