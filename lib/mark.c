// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "epoch.h"
#include "mark.h"

__thread struct mark_slot *mark_slots;
__thread unsigned int mark_depth;
__thread struct tally_known mark_known;

/* Programs have it as a constant. */
TALLY_API extern ptrdiff_t known_offset __asm__("tally_known_offset");
ptrdiff_t known_offset;

static __attribute__((constructor)) void set_known_offset(void)
{
	known_offset = mark_known_offset();
}

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int key_error;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tally_ledger *list;

uint32_t mark_nr_threads(const struct layout *layout)
{
	uint32_t n = __atomic_load_n(&layout_control(layout)->nr_threads,
				     __ATOMIC_ACQUIRE);

	return n < LAYOUT_NR_THREADS ? n : LAYOUT_NR_THREADS;
}

static void give_back(struct layout *layout, uint32_t thread)
{
	__atomic_store_n(&mark_slot(layout, thread)->owner, 0,
			 __ATOMIC_RELEASE);
}

/* A thread ends: its slots go back, in ledgers that are still open. */
static void end_thread(void *arg)
{
	struct mark_slot *s = arg;

	/* What is added by handlers from here on takes another. */
	mark_known.key = 0;
	mark_slots = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	pthread_mutex_lock(&list_lock);
	while (s) {
		struct mark_slot *next = s->next;

		for (struct tally_ledger *l = list; l; l = l->next)
			if (l->serial == s->serial)
				give_back(l->layout, s->thread);
		free(s);
		s = next;
	}
	pthread_mutex_unlock(&list_lock);
}

static void before_fork(void)
{
	pthread_mutex_lock(&list_lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&list_lock);
}

/* The slots are the parent's: the child takes its own when it adds. */
static void after_fork_in_child(void)
{
	mark_known.key = 0;
	while (mark_slots) {
		struct mark_slot *next = mark_slots->next;

		free(mark_slots);
		mark_slots = next;
	}
	pthread_setspecific(key, NULL);
	for (struct tally_ledger *l = list; l; l = l->next)
		ledger_forked(l);
	pthread_mutex_unlock(&list_lock);
}

static void init(void)
{
	key_error = pthread_key_create(&key, end_thread);
	if (!key_error)
		key_error = pthread_atfork(before_fork, after_fork_in_parent,
					   after_fork_in_child);
}

int ledger_list_add(struct tally_ledger *ledger)
{
	static uint64_t serial;

	pthread_once(&once, init);
	if (key_error)
		return -key_error;
	pthread_mutex_lock(&list_lock);
	ledger->serial = ++serial;
	ledger->next = list;
	list = ledger;
	pthread_mutex_unlock(&list_lock);
	return 0;
}

void ledger_list_remove(struct tally_ledger *ledger)
{
	pthread_mutex_lock(&list_lock);
	for (struct tally_ledger **l = &list; *l; l = &(*l)->next) {
		if (*l == ledger) {
			*l = ledger->next;
			break;
		}
	}
	pthread_mutex_unlock(&list_lock);
}

/* Marks of a slot exist, and are 0, in every region before it is used. */
static int make_marks(struct layout *layout, uint32_t thread)
{
	for (uint32_t n = 0; n < layout->header.params.nr_nodes; n++) {
		const struct layout_node *node = &layout->nodes[n];
		int err;

		if (!node->nr_lanes)
			continue;
		err = tally_region_fault(&layout->regions[n],
					 node->marks_offset +
						 (size_t)thread * LAYOUT_LINE,
					 LAYOUT_LINE);
		if (err)
			return err;
	}
	return 0;
}

static uint64_t owner_word(const struct tally_ledger *l)
{
	return (uint64_t)l->generation << 32 | (l->writer + 1);
}

static int take(struct tally_ledger *l, uint32_t *thread)
{
	uint32_t *nr = &layout_control(l->layout)->nr_threads;

	for (uint32_t i = 0; i < LAYOUT_NR_THREADS; i++) {
		struct layout_thread *slot = mark_slot(l->layout, i);
		uint32_t n = __atomic_load_n(nr, __ATOMIC_RELAXED);
		uint64_t none = 0;
		int err;

		if (!__atomic_compare_exchange_n(
			    &slot->owner, &none, owner_word(l), false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&slot->pid, (uint32_t)getpid(),
				 __ATOMIC_RELAXED);
		err = make_marks(l->layout, i);
		if (err) {
			give_back(l->layout, i);
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

static int take_slot(struct tally_ledger *l, uint32_t *thread)
{
	struct mark_slot *s = malloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = ledger_join(l);
	if (!err)
		err = take(l, &s->thread);
	/* Those that ended without closing left theirs. */
	if (err == -EUSERS && !epoch_reap(l, false))
		err = take(l, &s->thread);
	if (!err)
		err = -pthread_setspecific(key, s);
	if (err) {
		free(s);
		return err;
	}
	s->serial = l->serial;
	s->next = mark_slots;
	mark_slots = s;
	*thread = s->thread;
	return 0;
}

int mark_thread(struct tally_ledger *l, uint32_t *thread)
{
	for (struct mark_slot *s = mark_slots; s; s = s->next) {
		if (s->serial == l->serial) {
			*thread = s->thread;
			return 0;
		}
	}
	return take_slot(l, thread);
}

void mark_leave_all(struct tally_ledger *l)
{
	uint32_t end = mark_nr_threads(l->layout);

	for (uint32_t i = 0; i < end; i++)
		if (__atomic_load_n(&mark_slot(l->layout, i)->owner,
				    __ATOMIC_ACQUIRE) == owner_word(l))
			give_back(l->layout, i);
}
