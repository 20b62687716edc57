/* SPDX-License-Identifier: MIT */
/* Robust locks: words in a ledger's file that name the process which does what
 * one process at a time may do. A lock whose owner died goes to the next
 * process, which repeats the owner's last step. */
#ifndef FILE_ROBUST_H
#define FILE_ROBUST_H

#include <stdbool.h>
#include <stdint.h>

#include "file/file.h"

/* A wait for another process. */
struct wait {
	int64_t deadline;   /* CLOCK_MONOTONIC */
	unsigned int turns; /* so far */
};

/* A wait that ends timeout_ns from now. */
struct wait wait_for(int64_t timeout_ns);

/* The time left, in ns. */
int64_t wait_left(const struct wait *wait);

/* A wait that is over: for a single try. */
struct wait wait_no_more(void);

/* Wait for one more turn. *ask: whether the caller should look if the other
 * process still lives. -EAGAIN: the time is up. */
int wait_turn(struct wait *wait, bool *ask);

/*
 * Take the lock, as the process that has layout->owner. Return 0; or 1 if the
 * owner before had died.
 *
 *	word: the owner word of the process that has the lock; 0: it is free
 *
 * -EAGAIN	a living process has it until the wait is over
 */
int robust_take(const struct layout *layout, uint64_t *word, struct wait *wait);

/* Take the lock if it is free. */
bool robust_try(const struct layout *layout, uint64_t *word);

/* Release the lock; do nothing if this process does not have it. */
void robust_leave(const struct layout *layout, uint64_t *word);

#endif
