// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "file/robust.h"
#include "file/writer.h"
#include "base/clock.h"

/* Spins before sleeping, and sleeps before looking whether the other lives. */
#define SPINS	       200
#define SLEEP_NS       20000
#define SLEEPS_PER_ASK 50

struct wait wait_for(int64_t timeout_ns)
{
	int64_t now = now_ns();

	return (struct wait){
		.deadline = timeout_ns < INT64_MAX - now ? now + timeout_ns
							 : INT64_MAX,
	};
}

int64_t wait_left(const struct wait *w)
{
	return w->deadline - now_ns();
}

struct wait wait_no_more(void)
{
	return (struct wait){.turns = SPINS};
}

int wait_turn(struct wait *w, bool *ask)
{
	const struct timespec nap = {0, SLEEP_NS};

	*ask = false;
	if (w->turns++ < SPINS) {
		sched_yield();
		return 0;
	}
	*ask = w->turns % SLEEPS_PER_ASK == SPINS % SLEEPS_PER_ASK + 1;
	if (now_ns() >= w->deadline)
		return -EAGAIN;
	nanosleep(&nap, NULL);
	return 0;
}

static bool take_over(const struct layout *layout, uint64_t *word,
		      uint64_t from)
{
	return __atomic_compare_exchange_n(word, &from, layout->owner, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool robust_try(const struct layout *layout, uint64_t *word)
{
	return !__atomic_load_n(word, __ATOMIC_RELAXED) &&
	       take_over(layout, word, 0);
}

int robust_take(const struct layout *layout, uint64_t *word, struct wait *w)
{
	for (;;) {
		uint64_t other = __atomic_load_n(word, __ATOMIC_ACQUIRE);
		bool ask;
		int err;

		if (!other) {
			if (take_over(layout, word, 0))
				return 0;
			continue;
		}
		err = wait_turn(w, &ask);
		/* The dead stay dead: no other process gets its owner word. */
		if ((ask || err) && writer_is_gone(layout, other) &&
		    take_over(layout, word, other))
			return 1;
		if (err)
			return err;
	}
}

void robust_leave(const struct layout *layout, uint64_t *word)
{
	/* No other process takes it from this one, which lives. */
	if (__atomic_load_n(word, __ATOMIC_RELAXED) == layout->owner)
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}
