/* SPDX-License-Identifier: MIT */
/* inflight: the thread slots of a ledger, and the words that threads set while
 * they add in a way that a membarrier does not end (struct layout_inflight). */
#ifndef ADD_INFLIGHT_H
#define ADD_INFLIGHT_H

#include <stdint.h>

#include "ledger/mapped.h"

/* Have a thread's slots given back when it ends. -EAGAIN, -ENOMEM: as
 * pthread_key_create(). Thread-safe; only the first call does it. */
int inflight_init(void);

/* In the child of a fork(2): forget the slots, which are the parent's. */
void inflight_forked(void);

/* This thread's slots, one for each ledger, the newest first. */
struct inflight_slot {
	uint64_t serial; /* of the ledger, in this process; 0: none */
	uint32_t thread;
	uint32_t left;	/* inflight_left, when it was last looked at */
	uint64_t *word; /* that sequences set; NULL: none */
	struct inflight_slot *next;
};
extern __thread struct inflight_slot *inflight_slots
	__attribute__((tls_model("initial-exec")));

/* Return this thread's slot; the first call takes it. -EUSERS: no slot is free;
 * -ENOSPC, -ENOMEM: no room for its words; and as ledger_join(). */
int inflight_slot(struct tally_ledger *ledger, struct inflight_slot **slot);

/*
 * inflight_frame: the stack frame of the add by atomics, or change of
 * thread_cache, that this thread is in the middle of: of the outermost one; 0:
 * none. Within it no sequence may set the word in flight: it would clear the
 * outer add's word. inflight_inner: how many are nested in it, by signal
 * handlers.
 *
 * inflight_left: how many times handlers were found to have left one by
 * siglongjmp(3).
 */
extern __thread struct tally_thread_cache thread_cache
	__attribute__((tls_model("initial-exec")));
extern __thread uintptr_t inflight_frame
	__attribute__((tls_model("initial-exec")));
extern __thread uint32_t inflight_inner
	__attribute__((tls_model("initial-exec")));
extern __thread uint32_t inflight_left
	__attribute__((tls_model("initial-exec")));

#define INFLIGHT_FRAME ((uintptr_t)__builtin_frame_address(0))

/* Find out whether a handler has left the add that inflight_frame names, or one
 * that was nested, in a function of the frame that adds next. */
void inflight_heal(uintptr_t frame);

static inline void inflight_look(uintptr_t frame)
{
	if (__builtin_expect(inflight_frame || inflight_inner, 0))
		inflight_heal(frame);
}

/* Clear the word of a sequence that a handler left, unless it is this one. A
 * sequence that it has only interrupted adds nothing any more, either: the
 * signal ended it. */
static inline void inflight_clear(const struct inflight_slot *slot,
				  const uint64_t *but)
{
	if (__builtin_expect(slot->word != but, 0) && slot->word &&
	    __atomic_load_n(slot->word, __ATOMIC_RELAXED))
		__atomic_store_n(slot->word, 0, __ATOMIC_RELEASE);
}

/* For a function that no signal handler may call: what this thread has in
 * flight in the ledger was left. */
void inflight_settle(struct tally_ledger *ledger);

/* The offset of thread_cache from the thread pointer, for sequences. */
static inline ptrdiff_t thread_cache_offset(void)
{
#ifdef TALLY_HAS_SEQUENCES
	return (char *)&thread_cache - (char *)__builtin_thread_pointer();
#else
	return 0;
#endif
}

/* Free all slots of this process, none of which is in use. */
void inflight_leave_all(struct tally_ledger *ledger);

/* An add in flight. nested: in a signal handler that interrupted another one. A
 * constant to the compiler, so that the rest lies in registers if it is not. */
struct inflight {
	bool nested;
	struct layout_inflight *at;
	uint64_t key; /* of thread_cache, before */
	bool ours; /* nested: the interrupted add has not set the word; ... */
	struct layout_inflight older; /* ... else this is restored */
};

/* A process that sees the word relies on the add before being done. The fence
 * pairs with the membarrier in advancing the epoch. */
static inline void inflight_set(const struct tally_ledger *l, uint64_t *at,
				uint64_t word)
{
	__atomic_store_n(at, word, __ATOMIC_RELEASE);
	if (l->fenced)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Until inflight_recall(), no sequence of this thread adds in flight. No add is
 * interrupted. */
static inline uint64_t inflight_forget(uintptr_t frame)
{
	uint64_t key;

	inflight_frame = frame;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	key = thread_cache.key;
	thread_cache.key = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return key;
}

static inline void inflight_recall(uint64_t key)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	thread_cache.key = key;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	inflight_frame = 0;
}

/* Name one more row, whose cells change next. */
static inline void inflight_row(const struct inflight *m, uint32_t row)
{
	uint32_t n = m->at->nr_more;

	if (n < LAYOUT_INFLIGHT_ROWS)
		__atomic_store_n(&m->at->more[n], row, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&m->at->nr_more, n + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* For the next two. */
void inflight_enter_nested(const struct tally_ledger *l, struct inflight *m,
			   uint32_t row);
void inflight_leave_nested(const struct inflight *m);

/* From here to inflight_leave(), the bank of the epoch that is read next does
 * not freeze. */
static inline void inflight_enter(const struct tally_ledger *l,
				  struct inflight *m, uint32_t row,
				  uintptr_t frame)
{
	uint64_t epoch_word = ledger_epoch_word(l);

	if (m->nested) {
		inflight_enter_nested(l, m, row);
		return;
	}
	m->key = inflight_forget(frame);
	/* If a sequence has set the word, a signal ended it. */
	inflight_set(l, &m->at->word, layout_inflight_word(epoch_word, row));
}

static inline void inflight_leave(const struct inflight *m)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (m->nested) {
		inflight_leave_nested(m);
		return;
	}
	if (m->at->nr_more)
		__atomic_store_n(&m->at->nr_more, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&m->at->word, 0, __ATOMIC_RELEASE);
	inflight_recall(m->key);
}

#endif
