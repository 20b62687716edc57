// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "doubt.h"
#include "epoch.h"
#include "fold.h"
#include "mark.h"
#include "writer.h"

/* Spins before it sleeps, and sleeps before it asks whether the other lives. */
#define SPINS	       200
#define SLEEP_NS       20000
#define SLEEPS_PER_ASK 50
#define SECOND_NS      INT64_C(1000000000)

static int membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0) ? -errno : 0;
}

int epoch_register(bool exclusive)
{
	return membarrier(
		exclusive ? MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ
			  : MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

static int64_t deadline(int64_t timeout_ns)
{
	int64_t now = now_ns();

	return timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
}

/* One more turn of a wait: -EAGAIN when it has lasted too long. */
struct wait {
	int64_t deadline;
	unsigned int turns;
};

static int wait_turn(struct wait *w, bool *ask)
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
static bool take_over(struct tally_ledger *l, uint64_t from)
{
	uint64_t *owner = &layout_control(l->layout)->owner;

	return __atomic_compare_exchange_n(
		owner, &from,
		((from >> 32) + 1) << 32 | (uint32_t)(l->writer + 1), false,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static int own(struct tally_ledger *l, struct wait *w)
{
	const uint64_t *owner = &layout_control(l->layout)->owner;

	for (;;) {
		uint64_t other = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
		bool ask;
		int err;

		if (!(uint32_t)other) {
			if (take_over(l, other))
				return 0;
			continue;
		}
		err = wait_turn(w, &ask);
		/* Whoever has died has left a step to be done again. */
		if ((ask || err) &&
		    writer_is_dead(l->layout, (uint32_t)other - 1) &&
		    take_over(l, other))
			return 0;
		if (err)
			return err;
	}
}

/* Does nothing where the slot's owner before us died as the owner, and somebody
 * else has taken over. */
static void disown(struct tally_ledger *l)
{
	uint64_t *owner = &layout_control(l->layout)->owner;
	uint64_t self = __atomic_load_n(owner, __ATOMIC_RELAXED);

	if ((uint32_t)self == l->writer + 1)
		__atomic_compare_exchange_n(owner, &self, self >> 32 << 32,
					    false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
}

/* Ends the sequences that don't mark, and makes every thread's next look at
 * the epoch, or its mark, be seen. */
static int barrier(const struct tally_ledger *l)
{
	bool exclusive = l->layout->header.params.flags & LAYOUT_EXCLUSIVE;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!l->fenced)
		return membarrier(
			exclusive ? MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
				  : MEMBARRIER_CMD_GLOBAL_EXPEDITED);
	return writer_none_reached(l->layout) ? 0 : -ENOSYS;
}

/* Waits until a mark is not of an older epoch any more. */
static int wait_for_mark(const struct tally_ledger *l, uint32_t thread,
			 const struct layout_mark *mark, uint64_t epoch,
			 struct wait *w)
{
	while (layout_mark_differs(
		__atomic_load_n(&mark->word, __ATOMIC_ACQUIRE), epoch)) {
		bool ask;
		int err = wait_turn(w, &ask);

		if ((ask || err) && doubt_is_dead(l->layout, thread)) {
			doubt_reap(l->layout, thread);
			return 0;
		}
		if (err)
			return err;
	}
	return 0;
}

/* Adds go to this epoch's bank, and nobody adds to the older one's any more. */
static int grace(struct tally_ledger *l, uint64_t epoch, struct wait *w)
{
	const struct layout *layout = l->layout;
	uint32_t nr_threads;
	int err;

	ledger_set_tag(l, layout_tag(epoch));
	ledger_use_bank(l, (uint32_t)epoch & 1);
	err = barrier(l);

	/* Behind the barrier: a thread that is not in it reads the new epoch. */
	nr_threads = mark_nr_threads(layout);
	for (uint32_t n = 0; n < layout->header.params.nr_nodes; n++)
		for (uint32_t t = 0;
		     layout->nodes[n].nr_lanes && t < nr_threads && !err; t++)
			err = wait_for_mark(l, t, layout_mark(layout, n, t),
					    epoch, w);
	if (!err)
		__atomic_store_n(&layout_control(layout)->frozen, epoch,
				 __ATOMIC_RELEASE);
	return err;
}

/* Makes the frozen bank, if there is one, zero. */
static int settle(struct tally_ledger *l, struct wait *w)
{
	struct layout_control *control = layout_control(l->layout);
	uint64_t epoch = control->epoch;
	int err = 0;

	if (control->folded == epoch)
		return 0;
	if (control->frozen != epoch)
		err = grace(l, epoch, w);
	if (!err)
		err = fold(l->layout, epoch);
	if (!err)
		__atomic_store_n(&control->folded, epoch, __ATOMIC_RELEASE);
	return err;
}

static int move_on(struct tally_ledger *l, bool join, struct wait *w)
{
	struct layout_control *control = layout_control(l->layout);
	uint64_t epoch = control->epoch;
	int err;

	if (control->folded != epoch && control->frozen == epoch &&
	    writer_pins(l->layout, UINT32_MAX))
		return join ? 0 : -EBUSY;
	err = settle(l, w);
	if (err)
		return err;
	__atomic_store_n(&control->epoch, epoch + 1, __ATOMIC_RELEASE);
	return grace(l, epoch + 1, w);
}

/* Another thread of ours may be waiting for a grace period. */
static int lock(struct tally_ledger *l, struct wait *w)
{
	int err = 0;

	while (!err && pthread_mutex_trylock(&l->lock)) {
		bool ask;

		err = wait_turn(w, &ask);
	}
	return err;
}

int epoch_pin(struct tally_ledger *l, bool join, int64_t timeout_ns,
	      uint64_t *epoch, uint64_t *nr_doubts)
{
	struct wait w = {.deadline = deadline(timeout_ns)};
	int err;

	err = ledger_join(l);
	if (err)
		return err;
	if (lock(l, &w))
		return -EAGAIN;
	err = own(l, &w);
	if (!err) {
		err = move_on(l, join, &w);
		if (!err) {
			writer_set_pins(l->layout, l->writer, ++l->pins);
			*epoch = layout_control(l->layout)->epoch;
			*nr_doubts = doubt_count(l->layout);
		}
		disown(l);
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

void epoch_unpin(struct tally_ledger *l)
{
	struct wait w = {.deadline = deadline(SECOND_NS)};

	pthread_mutex_lock(&l->lock);
	writer_set_pins(l->layout, l->writer, --l->pins);
	if (!l->pins && !own(l, &w)) {
		if (!writer_pins(l->layout, UINT32_MAX))
			settle(l, &w);
		disown(l);
	}
	pthread_mutex_unlock(&l->lock);
}

void epoch_close(struct tally_ledger *l)
{
	if (!l->pins)
		return;
	l->pins = 1;
	epoch_unpin(l);
}

int epoch_reap(struct tally_ledger *l, bool marked)
{
	struct wait w = {.deadline = deadline(SECOND_NS)};
	int err;

	if (lock(l, &w))
		return -EAGAIN;
	err = own(l, &w);
	if (!err) {
		doubt_reap_all(l->layout, marked);
		disown(l);
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

void epoch_join(struct tally_ledger *l)
{
	struct wait now = {.turns = SPINS};

	disown(l);
	if (!own(l, &now)) {
		doubt_reap_all(l->layout, true);
		disown(l);
	}
}
