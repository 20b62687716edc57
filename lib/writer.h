/* SPDX-License-Identifier: MIT */
/* The table of the processes that have a ledger open for writing. */
#ifndef WRITER_H
#define WRITER_H

#include <stdint.h>

#include "layout.h"
#include "process.h"

/*
 * Takes a slot for this process, a dead one's where none is free.
 *
 * -EUSERS	all are taken
 */
int writer_join(struct layout *layout, uint32_t *slot);
void writer_leave(struct layout *layout, uint32_t slot);

/* The process in the first taken slot from *slot on; moves *slot past it.
 * -ENOENT: no more. */
int writer_next(const struct layout *layout, uint32_t *slot,
		struct process *process);

#endif
