// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "owner.h"
#include "writer.h"

/* Spins before it sleeps, and sleeps before it asks whether the other lives. */
#define SPINS	       200
#define SLEEP_NS       20000
#define SLEEPS_PER_ASK 50
#define SECOND_NS      INT64_C(1000000000)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

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

/* By a new ticket, so that an owner is never taken for an earlier one that had
 * the same slot. */
static bool take_over(uint64_t *word, uint64_t from, uint32_t slot)
{
	return __atomic_compare_exchange_n(
		word, &from, ((from >> 32) + 1) << 32 | (uint32_t)(slot + 1),
		false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool owner_try(uint64_t *word, uint32_t slot)
{
	uint64_t other = __atomic_load_n(word, __ATOMIC_RELAXED);

	return !(uint32_t)other && take_over(word, other, slot);
}

int owner_take(const struct layout *layout, uint64_t *word, uint32_t slot,
	       struct wait *w)
{
	for (;;) {
		uint64_t other = __atomic_load_n(word, __ATOMIC_ACQUIRE);
		bool ask;
		int err;

		if (!(uint32_t)other) {
			if (take_over(word, other, slot))
				return 0;
			continue;
		}
		err = wait_turn(w, &ask);
		if ((ask || err) &&
		    writer_is_dead(layout, (uint32_t)other - 1) &&
		    take_over(word, other, slot))
			return 1;
		if (err)
			return err;
	}
}

bool owner_is(const uint64_t *word, uint32_t slot)
{
	return (uint32_t)__atomic_load_n(word, __ATOMIC_ACQUIRE) == slot + 1;
}

void owner_leave(uint64_t *word, uint32_t slot)
{
	uint64_t self = __atomic_load_n(word, __ATOMIC_RELAXED);

	if ((uint32_t)self == slot + 1)
		__atomic_compare_exchange_n(word, &self, self >> 32 << 32,
					    false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
}
