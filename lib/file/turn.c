// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <time.h>
#include <urcu/arch.h>

#include "file/turn.h"
#include "file/writer.h"
#include "base/clock.h"

/*
 * Each look takes the word from the owner's cache, and all that the lock protects
 * follows: a few us, if another CPU had the lock. So there are few looks before a
 * nap, in which the owner takes the lock a thousand times.
 */
static const int64_t looks_ns[] = {800, 2400, 5600};
#define NAP_NS	    50000
#define ASK_NS	    1000000  /* whether the owner lives */
#define PATIENCE_NS 2000000  /* until one asks for a turn */
#define TURN_NS	    10000000 /* until it is void */

struct waiter {
	const struct layout *layout;
	uint64_t *word;
	uint64_t *turn;
	uint64_t name; /* most likely no other's */
	int64_t began_ns;
	int64_t asked_ns;
	uint64_t seen; /* whose turn it is, and since when */
	int64_t seen_ns;
};

static bool swap(uint64_t *word, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static bool try(const struct waiter *w)
{
	uint64_t turn = __atomic_load_n(w->turn, __ATOMIC_RELAXED);

	return (!turn || turn == w->name) && robust_try(w->layout, w->word);
}

static void pause_until(int64_t until_ns)
{
	while (now_ns() < until_ns)
		caa_cpu_relax();
}

static bool try_for_a_while(const struct waiter *w)
{
	bool locked = try(w);
	int64_t from = locked ? 0 : now_ns();

	for (size_t i = 0;
	     !locked && i < sizeof(looks_ns) / sizeof(looks_ns[0]); i++) {
		pause_until(from + looks_ns[i]);
		locked = try(w);
	}
	return locked;
}

/* Take the lock from a dead process. */
static bool take_over(const struct waiter *w)
{
	uint64_t other = __atomic_load_n(w->word, __ATOMIC_ACQUIRE);

	/* The dead stay dead: no other process gets its owner word. */
	return other && writer_is_gone(w->layout, other) &&
	       swap(w->word, other, w->layout->owner);
}

/* Ask for a turn, or end one that is not taken. */
static void see_to_turns(struct waiter *w, int64_t now)
{
	uint64_t turn = __atomic_load_n(w->turn, __ATOMIC_RELAXED);

	if (turn != w->seen) {
		w->seen = turn;
		w->seen_ns = now;
	}
	if (!turn && now - w->began_ns > PATIENCE_NS)
		swap(w->turn, 0, w->name);
	else if (turn && turn != w->name && now - w->seen_ns > TURN_NS)
		swap(w->turn, turn, 0);
}

static int wait_for_lock(struct waiter *w, int64_t timeout_ns)
{
	const struct timespec nap = {0, NAP_NS};

	while (!try_for_a_while(w)) {
		int64_t now = now_ns();
		bool over;

		if (!w->began_ns)
			w->began_ns = w->asked_ns = now;
		over = now - w->began_ns >= timeout_ns;
		if (over || now - w->asked_ns >= ASK_NS) {
			w->asked_ns = now;
			if (take_over(w))
				return 1;
		}
		if (over)
			return -EAGAIN;
		see_to_turns(w, now);
		nanosleep(&nap, NULL);
	}
	return 0;
}

int turn_take(const struct layout *layout, uint64_t *word, uint64_t *turn,
	      int64_t timeout_ns)
{
	static uint64_t nr_waiters; /* ever, in this process */
	struct waiter w = {.layout = layout, .word = word, .turn = turn};
	int err;

	w.name = layout->owner * UINT64_C(0x9e3779b97f4a7c15) +
		 __atomic_add_fetch(&nr_waiters, 1, __ATOMIC_RELAXED);
	err = wait_for_lock(&w, timeout_ns);
	if (__atomic_load_n(turn, __ATOMIC_RELAXED) == w.name)
		swap(turn, w.name, 0);
	return err;
}
