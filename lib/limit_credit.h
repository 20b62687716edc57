/* SPDX-License-Identifier: MIT */
/*
 * limit_credit: what accounts take without the lock: see struct layout_credit.
 *
 *   pool ──draw──> idle in a word <──take, give──> held by the account
 *    ^──────────────── closed ───┘       without the lock, while it is open
 *
 * Where one process alone writes, with sequences, nobody changes another CPU's
 * open word but behind a gate: the table of words that sequences look into is
 * changed for one where all are closed, and a membarrier restarts those that
 * had looked already. Elsewhere all change words by compare-and-swap.
 *
 * A word changes hands in steps, of which the file says which is under way
 * (struct layout_limits, moving), so that whoever is killed between two leaves
 * nothing in doubt: a closed word is 0, which no open one ever is.
 *
 *   close: say so, with what it holds -> 0 -> into the pool, and say no more
 *   open:  out of the pool, and say so -> the word -> say no more
 *
 * All of it under the lock (limit_lock.h).
 */
#ifndef LIMIT_CREDIT_H
#define LIMIT_CREDIT_H

#include "limit_cells.h"

/* Ends what one that was killed had begun. */
int limit_credit_recover(struct tally_ledger *ledger);

/* Draws back what is idle, of a resource or (NULL) of all, and keeps that: how
 * many words were open, or -errno. */
int limit_credit_draw_back(struct tally_ledger *ledger,
			   const unsigned int *resource);

/* The same of a credit, from the CPU that we are on most likely. */
int limit_credit_close_here(struct tally_ledger *ledger, uint32_t cpu,
			    uint64_t index);

/* The same of those of accounts that are ending, on a lock of its own. */
void limit_credit_settle(struct tally_ledger *ledger);

/* Sets down that the CPU's closed word is opened, which limit_credit_open()
 * does once that is kept. */
void limit_credit_plan(struct tally_ledger *ledger, uint32_t cpu,
		       uint64_t index, int64_t idle);
void limit_credit_open(struct tally_ledger *ledger, uint32_t cpu,
		       uint64_t index);

/* This process's tables of words; and a CPU's words in it, made if need be. */
int limit_credit_tables(struct tally_ledger *ledger);
void limit_credit_untable(struct tally_ledger *ledger);
int limit_credit_touch(struct tally_ledger *ledger, uint32_t cpu);

#endif
