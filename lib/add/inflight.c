// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "add/inflight.h"
#include "ledger/list.h"
#include "snapshot/epoch.h"
#include "snapshot/in_doubt.h"

/* The kernel puts more on the stack: registers, above them the red zone.
 * ThreadSanitizer calls handlers later, as functions of its own. */
#ifdef __SANITIZE_THREAD__
#define LEAST_SIGNAL_FRAME 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAST_SIGNAL_FRAME 0
#endif
#endif
#ifndef LEAST_SIGNAL_FRAME
#define LEAST_SIGNAL_FRAME 1024
#endif

__thread struct inflight_slot *inflight_slots;
__thread uintptr_t inflight_frame;
__thread uint32_t inflight_inner;
__thread uint32_t inflight_left;
__thread struct tally_thread_cache thread_cache;

/* For the adds that programs inline. */
TALLY_API extern ptrdiff_t cache_offset __asm__("tally_thread_cache_offset");
ptrdiff_t cache_offset;

static __attribute__((constructor)) void set_thread_cache_offset(void)
{
	cache_offset = thread_cache_offset();
}

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int key_error;

static void set_owner(struct layout *layout, uint32_t thread, uint64_t owner)
{
	__atomic_store_n(&layout_thread(layout, thread)->owner, owner,
			 __ATOMIC_RELEASE);
}

/* What was left in flight is in doubt: the next snapshot notes it. */
static void give_back(struct layout *layout, uint32_t thread)
{
	set_owner(layout, thread,
		  in_doubt_is_inflight(layout, thread) ? LAYOUT_THREAD_LEFT
						       : 0);
}

/* Free the slots of a thread that ends, in ledgers that are still open. */
static void end_thread(void *arg)
{
	struct inflight_slot *s = arg;
	struct tally_ledger *first;

	/* Adds of signal handlers take another slot from here on. */
	thread_cache.key = 0;
	inflight_slots = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	first = ledger_list_lock();
	while (s) {
		struct inflight_slot *next = s->next;

		for (struct tally_ledger *l = first; l; l = l->next)
			if (l->serial == s->serial)
				give_back(l->layout, s->thread);
		free(s);
		s = next;
	}
	ledger_list_unlock();
}

static void create_key(void)
{
	key_error = pthread_key_create(&key, end_thread);
}

int inflight_init(void)
{
	pthread_once(&once, create_key);
	return -key_error;
}

void inflight_forked(void)
{
	thread_cache.key = 0;
	while (inflight_slots) {
		struct inflight_slot *next = inflight_slots->next;

		free(inflight_slots);
		inflight_slots = next;
	}
	pthread_setspecific(key, NULL);
}

/* Allocate a slot's words, 0 at first, in every region. */
static int make_inflight(struct layout *layout, uint32_t thread)
{
	for (uint32_t n = 0; n < layout->header.params.nr_planes; n++) {
		const struct layout_place *place = &layout->places[n];
		int err;

		if (!place->nr_lanes)
			continue;
		err = layout_populate(layout, &layout->regions[n],
				      place->inflight_offset +
					      (size_t)thread * LAYOUT_LINE,
				      LAYOUT_LINE);
		if (err)
			return err;
	}
	return 0;
}

static int take(struct tally_ledger *l, uint32_t *thread)
{
	uint32_t *nr = &layout_control(l->layout)->nr_threads;

	for (uint32_t i = 0; i < LAYOUT_NR_THREADS; i++) {
		struct layout_thread *slot = layout_thread(l->layout, i);
		uint32_t n = __atomic_load_n(nr, __ATOMIC_RELAXED);
		uint64_t none = 0;
		int err;

		if (!__atomic_compare_exchange_n(
			    &slot->owner, &none, l->layout->owner, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&slot->pid, (uint32_t)getpid(),
				 __ATOMIC_RELAXED);
		err = make_inflight(l->layout, i);
		if (err) {
			set_owner(l->layout, i, 0);
			return err;
		}
		while (n <= i && !__atomic_compare_exchange_n(
					 nr, &n, i + 1, true, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
			;
		*thread = i;
		return 0;
	}
	return -EUSERS;
}

static int take_or_reap(struct tally_ledger *l, uint32_t *thread)
{
	int err = take(l, thread);

	/* Processes that died left theirs. */
	if (err == -EUSERS && !epoch_reap(l, false))
		err = take(l, thread);
	return err;
}

static int take_slot(struct tally_ledger *l, struct inflight_slot **slot)
{
	UNCANCELLED;
	struct inflight_slot *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = ledger_join(l);
	if (!err)
		err = take_or_reap(l, &s->thread);
	if (!err)
		err = -pthread_setspecific(key, s);
	if (err) {
		free(s);
		return err;
	}
	s->serial = l->serial;
	s->left = inflight_left;
	s->next = inflight_slots;
	inflight_slots = s;
	*slot = s;
	return 0;
}

/* If the thread has left an add in this slot, give it back and take another. No
 * memory is allocated, since a signal handler may have called. */
static int renew(struct tally_ledger *l, struct inflight_slot *s)
{
	UNCANCELLED;
	int err;

	s->left = inflight_left;
	if (!in_doubt_is_inflight(l->layout, s->thread))
		return 0;
	/* A handler that adds from here on takes a slot of its own. */
	thread_cache.key = 0;
	s->serial = 0;
	s->word = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	give_back(l->layout, s->thread);
	err = take_or_reap(l, &s->thread);
	if (err)
		return err;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	s->serial = l->serial;
	return 0;
}

static struct inflight_slot *find(const struct tally_ledger *l)
{
	struct inflight_slot *s = inflight_slots;

	while (s && s->serial != l->serial)
		s = s->next;
	return s;
}

int inflight_slot(struct tally_ledger *l, struct inflight_slot **slot)
{
	struct inflight_slot *s = find(l);

	if (!s)
		return take_slot(l, slot);
	*slot = s;
	return s->left == inflight_left ? 0 : renew(l, s);
}

/*
 * Whether the add of that frame can't go on. Stacks grow down, and the frame of
 * a signal lies between an add and what its handler calls: a frame that is not
 * that far below the add's is not called from there, if both are on one stack.
 */
static bool is_left(uintptr_t outer, uintptr_t frame)
{
	uintptr_t self = (uintptr_t)pthread_self();
	stack_t handlers;
	bool was, is;

	if (sigaltstack(NULL, &handlers))
		return false;
	was = outer - (uintptr_t)handlers.ss_sp < handlers.ss_size;
	is = handlers.ss_flags & SS_ONSTACK;
	if (was != is)
		return was;
	/* Above any stack but the first thread's lies what pthread_self() points
	 * to: if it parts them, the thread has yet another stack. */
	return frame + LEAST_SIGNAL_FRAME >= outer &&
	       !(outer < self && self <= frame);
}

static void forget_left(void)
{
	inflight_frame = 0;
	inflight_inner = 0;
	inflight_left++;
}

/* What was nested was left if nothing is around it any more. */
void inflight_heal(uintptr_t frame)
{
	if (!inflight_frame || is_left(inflight_frame, frame))
		forget_left();
}

void inflight_enter_nested(const struct tally_ledger *l, struct inflight *m,
			   uint32_t row)
{
	inflight_inner++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	m->key = thread_cache.key;
	thread_cache.key = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* If the interrupted add has set the word, that suffices. */
	m->ours = !__atomic_load_n(&m->at->word, __ATOMIC_RELAXED);
	if (m->ours) {
		inflight_set(l, &m->at->word,
			     layout_inflight_word(ledger_epoch_word(l), row));
		return;
	}
	m->older = *m->at;
	inflight_row(m, row);
}

void inflight_leave_nested(const struct inflight *m)
{
	__atomic_store_n(&m->at->nr_more, m->ours ? 0 : m->older.nr_more,
			 __ATOMIC_RELAXED);
	if (m->ours)
		__atomic_store_n(&m->at->word, 0, __ATOMIC_RELEASE);
	else
		for (uint32_t i = 0; i < LAYOUT_INFLIGHT_ROWS; i++)
			m->at->more[i] = m->older.more[i];
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	thread_cache.key = m->key;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	inflight_inner--;
}

void inflight_settle(struct tally_ledger *l)
{
	struct inflight_slot *s = find(l);

	if (inflight_frame || inflight_inner)
		forget_left();
	/* If it can't have another slot, the next add returns the error. */
	if (s)
		renew(l, s);
}

void inflight_leave_all(struct tally_ledger *l)
{
	uint32_t end = layout_nr_threads(l->layout);

	for (uint32_t i = 0; i < end; i++)
		if (__atomic_load_n(&layout_thread(l->layout, i)->owner,
				    __ATOMIC_ACQUIRE) == l->layout->owner)
			give_back(l->layout, i);
}
