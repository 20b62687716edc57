/* SPDX-License-Identifier: MIT */
/* post: adds by atomics. */
#ifndef ADD_POST_H
#define ADD_POST_H

#include <errno.h>

#include <numatally/ledger.h>

#include "base/cpu.h"
#include "ledger/mapped.h"

/* Like tally_ledger_charge(), by atomics, and without looking at the kinds of
 * the resources: a copied counter may be negative. */
int post_amounts(struct tally_ledger *ledger, struct tally_account account,
		 int node, const struct tally_amount *amounts, unsigned int nr);

/* The same, of amounts that the resources' kinds allow. -EINVAL: they do not. */
int post_charge(struct tally_ledger *ledger, struct tally_account account,
		int node, const struct tally_amount *amounts, unsigned int nr);

/* Mark the row's bucket in the CPU's lane for sequences, which then can add to
 * it, in this epoch. frame as inflight_look() took it. -EUSERS and others as
 * inflight_slot(), ledger_touch(). */
int post_prepare(struct tally_ledger *ledger, uint32_t cpu, uint32_t row,
		 uintptr_t frame);

/* This CPU's lane for atomics, in a ledger that has lanes. If the CPU is not
 * known, any such lane is exact. */
static inline struct lane *post_lane(const struct tally_ledger *l,
				     uint32_t *cpu)
{
	*cpu = cpu_now(l->rdpid);
	return &l->lanes[l->nr_cpus + (*cpu < l->nr_cpus ? *cpu : 0)];
}

/* Ending an account changes the generation first, and then waits for adds in
 * flight and sequences. */
static inline bool post_is_stale(const struct tally_ledger *l,
				 struct tally_account account)
{
	return ledger_generation(l, account.row) != account.generation;
}

/* The error for a stale handle: if the file was cut short, every handle looks
 * stale. */
static inline int post_stale(const struct tally_ledger *l)
{
	return layout_is_whole(l->layout) ? -ESTALE : -EBADMSG;
}

#endif
