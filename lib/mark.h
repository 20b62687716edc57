/* SPDX-License-Identifier: MIT */
/* The thread slots of a ledger, and the marks that threads set while they add
 * in a way that a membarrier does not end. */
#ifndef MARK_H
#define MARK_H

#include <stdint.h>

#include "ledger_internal.h"

/* This thread's slot, taken on its first call. -EUSERS: none is free; -ENOSPC,
 * -ENOMEM: its marks can't be made. */
int mark_thread(struct tally_ledger *ledger, uint32_t *thread);

/* Gives back all slots of a process, the one in that writer slot, and counts
 * those that were marked. */
uint32_t mark_drop(struct layout *layout, uint32_t writer);

/* Slots ever used; the process's writer slot of one, UINT32_MAX if free. */
uint32_t mark_nr_threads(const struct layout *layout);
uint32_t mark_writer(const struct layout *layout, uint32_t thread);

/*
 * Marks: from here to mark_leave() the bank of the epoch that is read next is
 * not frozen. A signal handler that adds inside keeps the older mark, which
 * covers it too. Returns whether the mark is ours.
 */
static inline bool mark_enter(const struct tally_ledger *l,
			      struct layout_mark *mark)
{
	uint64_t epoch;

	if (__atomic_load_n(&mark->epoch, __ATOMIC_RELAXED))
		return false;
	epoch = __atomic_load_n(l->fast.epoch, __ATOMIC_RELAXED);
	__atomic_store_n(&mark->epoch, epoch << 1 | 1, __ATOMIC_RELAXED);
	/* Pairs with the membarrier of who moves the epoch on. */
	if (l->fenced)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

static inline void mark_leave(struct layout_mark *mark, bool ours)
{
	if (ours)
		__atomic_store_n(&mark->epoch, 0, __ATOMIC_RELEASE);
}

#endif
