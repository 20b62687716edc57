/* SPDX-License-Identifier: MIT */
/*
 * The table of the processes that have a ledger open for writing.
 *
 * Whether one lives is asked by its number, within its PID namespace. From
 * another namespace that says nothing (two containers have a process 1 each):
 * there a lock on a byte tells, far behind the end of the file, one for every
 * slot, which the kernel takes from a process that ends. It is the lock of a
 * file opened once more, so that a child of fork(2) can drop it.
 */
#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "process.h"

/*
 * Takes a slot for this process, a dead one's where none is free. *generation:
 * tells it from others that have or had the slot.
 *
 * -EUSERS	all are taken
 */
int writer_join(struct layout *layout, uint32_t *slot, uint32_t *generation);
void writer_leave(struct layout *layout, uint32_t slot);

/* In the child of a fork: the slot is its parent's. */
void writer_forked(struct layout *layout);

/* The process in the first taken slot from *slot on, and whether it is alive,
 * as process_alive() has it; moves *slot past it. -ENOENT: no more. */
int writer_next(const struct layout *layout, uint32_t *slot,
		struct process *process, int *alive);

/* Whether the process that had the slot in that generation is known to be
 * gone. */
bool writer_is_gone(const struct layout *layout, uint32_t slot,
		    uint32_t generation);

/* The same of whoever has it now. */
bool writer_is_dead(const struct layout *layout, uint32_t slot);

/* Processes that had the slot so far. */
uint32_t writer_generation(const struct layout *layout, uint32_t slot);

/* No other process that may live has a slot. */
bool writer_alone(const struct layout *layout, uint32_t slot);

/* How many pins processes that live hold, but for the one in that slot. */
void writer_set_pins(struct layout *layout, uint32_t slot, uint32_t pins);
uint32_t writer_pins(const struct layout *layout, uint32_t but);

/* Whether the process needs a membarrier, since its marks are not fenced: of
 * one, who says so before it marks anything, and of any that lives. */
void writer_set_reached(struct layout *layout, uint32_t slot, bool reached);
bool writer_none_reached(const struct layout *layout);

#endif
