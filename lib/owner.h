/* SPDX-License-Identifier: MIT */
/* Words in a ledger's file that say which process does something that one at a
 * time may do. A dead one is replaced, and has left a step to be done again. */
#ifndef OWNER_H
#define OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

/* How long somebody waits for others, and how often he has looked. */
struct wait {
	int64_t deadline; /* CLOCK_MONOTONIC */
	unsigned int turns;
};

/* timeout_ns from now. */
struct wait wait_for(int64_t timeout_ns);

/* What is left of it. */
int64_t wait_left(const struct wait *wait);

/* One that has looked often enough already. */
struct wait wait_no_more(void);

/* One more turn. *ask: whether the other lives is to be asked now. -EAGAIN: it
 * has lasted too long. */
int wait_turn(struct wait *wait, bool *ask);

/*
 * Owns a word, as the process in that writer slot: 0, or 1 where the owner
 * before it was dead.
 *
 *	word: how many have owned it << 32 | writer slot + 1; 0 in the lower
 *	half: nobody does
 *
 * -EAGAIN	somebody else owns it for long
 */
int owner_take(const struct layout *layout, uint64_t *word, uint32_t slot,
	       struct wait *wait);

/* The same at once, where nobody owns it; false: somebody does. */
bool owner_try(uint64_t *word, uint32_t slot);

/* Whether a process that had the slot before died as the owner; true also for
 * the owner itself. */
bool owner_is(const uint64_t *word, uint32_t slot);

/* Does nothing where somebody else has taken over. */
void owner_leave(uint64_t *word, uint32_t slot);

#endif
