/* SPDX-License-Identifier: MIT */
/*
 * limit_credit: taking without the lock: see struct layout_credit.
 *
 *   pool ──draw──> idle in a word <──take, give──> held by the account
 *    ^──────────────── closed ───┘       without the lock, while it is open
 *
 * If one process alone writes, with sequences, changing another CPU's open word
 * takes a gate: the table through which sequences find words is exchanged for
 * one where all are closed, and a membarrier restarts sequences that had read
 * the old one. Otherwise all words change by compare-and-swap.
 *
 * A word is opened or closed in steps. The file has the step that is in
 * progress (struct layout_limits, moving), so that a kill between two steps
 * leaves no doubt: a closed word is 0, and an open one never is.
 *
 *   close: set moving, with the word -> 0 -> into the pool, and clear moving
 *   open:  out of the pool, and set moving -> the word -> clear moving
 *
 * The caller must hold the lock (limit/lock.h).
 */
#ifndef LIMIT_CREDIT_H
#define LIMIT_CREDIT_H

#include "limit/cells.h"

/* Finish the step of a process that was killed. */
int limit_credit_recover(struct tally_ledger *ledger);

/* Draw back the idle amounts of a resource or (NULL) of all, and keep that.
 * Return the number of words that were open, or -errno. */
int limit_credit_draw_back(struct tally_ledger *ledger,
			   const unsigned int *resource);

/* The same for a credit's word of one CPU, which is probably this one. */
int limit_credit_close_here(struct tally_ledger *ledger, uint32_t cpu,
			    uint64_t index);

/* The same for the credits of terminating accounts; note these accounts. */
void limit_credit_draw_back_ending(struct tally_ledger *ledger);

/* Set moving to open the CPU's closed word; limit_credit_open() opens it once
 * that is kept. */
void limit_credit_plan(struct tally_ledger *ledger, uint32_t cpu,
		       uint64_t index, int64_t idle);
void limit_credit_open(struct tally_ledger *ledger, uint32_t cpu,
		       uint64_t index);

/* Allocate and free this process's tables of words; allocate a CPU's words, and
 * enter them. */
int limit_credit_tables(struct tally_ledger *ledger);
void limit_credit_untable(struct tally_ledger *ledger);
int limit_credit_touch(struct tally_ledger *ledger, uint32_t cpu);

#endif
