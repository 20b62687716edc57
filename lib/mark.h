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

/* A thread's slots, one for each ledger; the newest first. */
struct mark_slot {
	uint64_t serial; /* of the ledger, in this process */
	uint32_t thread;
	struct mark_slot *next;
};
extern __thread struct mark_slot *mark_slots
	__attribute__((tls_model("initial-exec")));

/* How many marks, or changes of mark_known, the thread is in the middle
 * of. Only the outermost lets sequences mark: they don't look for an older
 * mark, and would clear it. */
extern __thread struct tally_known mark_known
	__attribute__((tls_model("initial-exec")));
extern __thread unsigned int mark_depth
	__attribute__((tls_model("initial-exec")));

/* Where mark_known is, from the thread pointer; for sequences alone. */
static inline ptrdiff_t mark_known_offset(void)
{
#if TALLY_RSEQ_BYTES > 0
	return (char *)&mark_known - (char *)__builtin_thread_pointer();
#else
	return 0;
#endif
}

/* Gives back all slots of this process, none of which is in use. */
void mark_leave_all(struct tally_ledger *ledger);

/* Slots ever used. */
uint32_t mark_nr_threads(const struct layout *layout);

static inline struct layout_thread *mark_slot(const struct layout *layout,
					      uint32_t thread)
{
	const struct layout_table *table = &layout->plan->threads;

	return (struct layout_thread *)(layout->origin + table->offset +
					thread * table->stride);
}

/* A mark that is set: it may be an older one that a signal handler, who adds
 * inside, found, and leaves as it was. */
struct mark {
	struct layout_mark *at;
	uint64_t key; /* what the thread knew before */
	bool ours;
	struct layout_mark older;
};

/* Who sees the mark trusts that the add before is done. The fence pairs with
 * the membarrier of who moves the epoch on. */
static inline void mark_set(const struct tally_ledger *l, uint64_t *mark,
			    uint64_t word)
{
	__atomic_store_n(mark, word, __ATOMIC_RELEASE);
	if (l->fenced)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Until mark_recall() no sequence of this thread marks. */
static inline uint64_t mark_forget(void)
{
	uint64_t known;

	mark_depth++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	known = mark_known.key;
	mark_known.key = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return known;
}

static inline void mark_recall(uint64_t known)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	mark_known.key = known;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	mark_depth--;
}

/* From here to mark_leave() the bank of the tag that is read next is not
 * frozen; an older mark covers us too. */
static inline void mark_enter(const struct tally_ledger *l, struct mark *m,
			      uint32_t row)
{
	uint64_t tag = ledger_tag(l);

	m->key = mark_forget();
	m->ours = !__atomic_load_n(&m->at->word, __ATOMIC_RELAXED);
	if (__builtin_expect(!m->ours, 0))
		m->older = *m->at;
	mark_set(l, &m->at->word,
		 m->ours ? layout_mark_word(tag, row) : m->older.word);
}

/* One more row, of which the cells are touched next. */
static inline void mark_row(const struct mark *m, uint32_t row)
{
	uint32_t n = m->at->nr_more;

	if (n < LAYOUT_MARK_ROWS)
		__atomic_store_n(&m->at->more[n], row, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&m->at->nr_more, n + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void mark_leave(const struct mark *m)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(!m->ours, 0)) {
		for (uint32_t i = 0; i < LAYOUT_MARK_ROWS; i++)
			m->at->more[i] = m->older.more[i];
		__atomic_store_n(&m->at->nr_more, m->older.nr_more,
				 __ATOMIC_RELAXED);
	} else {
		if (m->at->nr_more)
			__atomic_store_n(&m->at->nr_more, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&m->at->word, 0, __ATOMIC_RELEASE);
	}
	mark_recall(m->key);
}

#endif
