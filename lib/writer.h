/* SPDX-License-Identifier: MIT */
/* The table of the processes that have a ledger open for writing. */
#ifndef WRITER_H
#define WRITER_H

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

/* The process in the first taken slot from *slot on; moves *slot past it.
 * -ENOENT: no more. */
int writer_next(const struct layout *layout, uint32_t *slot,
		struct process *process);

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
