// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fork_lock.h"
#include "base/futex.h"
#include "file/robust.h"
#include "file/writer.h"
#include "snapshot/ask.h"
#include "snapshot/in_doubt.h"
#include "snapshot/pin.h"

/* A wake-up is lost if no thread sleeps yet, and a reader can't change the word
 * that the sleepers compare: so it rings again. */
#define RING_NS	       200000
#define RINGS_PER_LOOK 50

/* An epoch whose byte this process has locked, for nr views. */
struct ask_pin {
	struct ask_pin *next;
	uint64_t epoch;
	unsigned int nr;
	bool still; /* the second byte, too: no writer lived */
	pid_t pid; /* a child of fork(2) shares the open file with its parent */
};

/* Of all readers. */
FORK_LOCK(pins);

void ask_init(struct asker *a, const struct layout *layout)
{
	a->layout = layout;
	a->first = NULL;
}

void ask_destroy(struct asker *a)
{
	while (a->first)
		ask_unpin(a, a->first->epoch);
}

void ask_ring(const struct layout *l, int nr)
{
	futex_wake(&layout_control(l)->bell, nr);
}

static struct ask_pin **find(struct asker *a, uint64_t epoch)
{
	struct ask_pin **p = &a->first;

	while (*p && (*p)->epoch != epoch)
		p = &(*p)->next;
	return p;
}

static int lock_new(struct asker *a, uint64_t epoch)
{
	struct ask_pin *pin = malloc(sizeof(*pin));
	int err = pin ? pin_lock(a->layout, epoch, PIN_BYTE) : -ENOMEM;

	if (err) {
		free(pin);
		return err;
	}
	*pin = (struct ask_pin){a->first, epoch, 1, false, getpid()};
	a->first = pin;
	return 0;
}

static int lock(struct asker *a, uint64_t epoch)
{
	struct ask_pin *pin;
	int err = 0;

	pins_take();
	pin = *find(a, epoch);
	if (pin)
		pin->nr++;
	else
		err = lock_new(a, epoch);
	pins_leave();
	return err;
}

static void unlock(struct asker *a, uint64_t epoch)
{
	struct ask_pin **at, *pin;

	pins_take();
	at = find(a, epoch);
	pin = *at;
	if (pin && !--pin->nr) {
		*at = pin->next;
		if (pin->pid == getpid()) {
			if (pin->still)
				pin_unlock(a->layout, epoch, PIN_BYTE_STILL);
			pin_unlock(a->layout, epoch, PIN_BYTE);
		}
		free(pin);
	}
	pins_leave();
}

void ask_unpin(struct asker *a, uint64_t epoch)
{
	unlock(a, epoch);
	if (writer_any_serves(a->layout))
		ask_ring(a->layout, 1);
}

/* The epoch, whether its snapshot stands, and whether it is pinned. */
struct found {
	uint64_t epoch;
	bool stands;
	bool is_pinned; /* for long enough to be joined */
};

static bool stands(const struct layout *l, uint64_t epoch)
{
	const struct layout_control *c = layout_control(l);

	return __atomic_load_n(&c->frozen, __ATOMIC_ACQUIRE) == epoch &&
	       __atomic_load_n(&c->folded, __ATOMIC_ACQUIRE) != epoch &&
	       __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE) == epoch &&
	       __atomic_load_n(&c->closing, __ATOMIC_ACQUIRE) < epoch;
}

static bool is_pinned(struct asker *a, uint64_t epoch)
{
	bool own;

	pins_take();
	own = *find(a, epoch) != NULL;
	pins_leave();
	return own || writer_pins(a->layout) ||
	       pin_is_locked(a->layout, epoch, PIN_BYTE);
}

static struct found look(struct asker *a)
{
	const struct layout *l = a->layout;
	struct found f;

	f.epoch = __atomic_load_n(&layout_control(l)->epoch, __ATOMIC_ACQUIRE);
	f.stands = stands(l, f.epoch);
	f.is_pinned = f.stands && !pin_is_old(l) && is_pinned(a, f.epoch);
	return f;
}

/* Pin what others have pinned. -EAGAIN: it has just ended. */
static int join(struct asker *a, uint64_t epoch)
{
	int err = lock(a, epoch);

	if (!err && !stands(a->layout, epoch)) {
		unlock(a, epoch);
		err = -EAGAIN;
	}
	return err;
}

const uint32_t *ask_answer(const struct layout *l)
{
	return (const uint32_t *)&layout_control(l)->frozen +
	       (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* Ring, and wait a while for the snapshot of the epoch. Return whether it
 * stands. */
static bool ring_for(const struct layout *l, uint64_t epoch, int nr)
{
	const struct timespec nap = {0, RING_NS};
	const uint32_t *word = ask_answer(l);
	uint32_t frozen = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	ask_ring(l, nr);
	if (!stands(l, epoch))
		futex_wait(word, frozen, &nap);
	return stands(l, epoch);
}

/*
 * Have the snapshot of the epoch taken, whose byte is locked. 1: the caller must
 * look again, since another snapshot is in the way or no process serves any
 * more.
 */
static int await(struct asker *a, uint64_t epoch, struct wait *w)
{
	const struct layout *l = a->layout;

	for (unsigned int i = 1; !ring_for(l, epoch, INT_MAX); i++) {
		struct found f;

		if (!layout_is_whole(l))
			return -EBADMSG;
		f = look(a);
		if (f.epoch > epoch || (f.epoch != epoch && f.is_pinned) ||
		    i % RINGS_PER_LOOK == 0)
			return 1;
		if (wait_left(w) <= 0)
			return -EAGAIN;
	}
	return 0;
}

/* Have the next writer find that no process wrote. The lock stays as long as the
 * pin. */
static int lock_still(struct asker *a, uint64_t epoch)
{
	struct ask_pin *pin;
	int err;

	pins_take();
	pin = *find(a, epoch);
	err = pin_lock(a->layout, epoch, PIN_BYTE_STILL);
	if (pin && !err)
		pin->still = true;
	pins_leave();
	return err;
}

/* Pin the snapshot of the epoch, whose byte is locked. 1: the caller must look
 * again. */
static int ask(struct asker *a, uint64_t epoch, struct wait *w)
{
	const struct layout *l = a->layout;
	int err;

	/* Nearly always this is all. */
	if (writer_may_serve(l) && ring_for(l, epoch, 1))
		return 0;
	if (!writer_any_lives(l)) {
		err = lock_still(a, epoch);
		if (err)
			return err;
		if (!writer_any_lives(l))
			return __atomic_load_n(&layout_control(l)->epoch,
					       __ATOMIC_ACQUIRE) != epoch - 1;
	}
	if (!writer_any_serves(l))
		return -ESRCH;
	return await(a, epoch, w);
}

static int pin_any(struct asker *a, bool may_join, struct wait *w,
		   uint64_t *epoch)
{
	for (;;) {
		struct found f = look(a);
		int err;

		*epoch = f.epoch;
		if (f.is_pinned && !may_join)
			return -EBUSY;
		if (f.is_pinned) {
			err = join(a, f.epoch);
		} else {
			*epoch = f.epoch + 1;
			err = lock(a, *epoch);
			if (!err) {
				err = ask(a, *epoch, w);
				if (err)
					unlock(a, *epoch);
				if (err == 1)
					err = -EAGAIN;
				else if (err)
					return layout_is_whole(a->layout)
						       ? err
						       : -EBADMSG;
			}
		}
		if (!layout_is_whole(a->layout)) {
			if (!err)
				unlock(a, *epoch);
			return -EBADMSG;
		}
		if (err != -EAGAIN || wait_left(w) <= 0)
			return err;
	}
}

/* What dead threads had in flight, and no writer has noted yet. */
static uint64_t nr_left(const struct layout *l)
{
	uint32_t nr_threads = layout_nr_threads(l);
	uint64_t nr = 0;

	for (uint32_t t = 0; t < nr_threads; t++)
		nr += in_doubt_is_inflight(l, t);
	return nr;
}

int ask_pin(struct asker *a, bool may_join, int64_t timeout_ns,
	    struct pin_info *info)
{
	const struct layout_control *control = layout_control(a->layout);
	struct wait w = wait_for(timeout_ns);
	int err = pin_any(a, may_join, &w, &info->epoch);

	if (err)
		return err;
	info->nr_in_doubt = in_doubt_count(a->layout);
	info->taken_ns = __atomic_load_n(&control->taken_ns, __ATOMIC_RELAXED);
	info->age_ns = pin_age(a->layout);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&control->epoch, __ATOMIC_RELAXED) == info->epoch)
		return 0;
	/* It begins with the next writer's first step. */
	info->nr_in_doubt += nr_left(a->layout);
	info->taken_ns = clock_ns(CLOCK_REALTIME);
	info->age_ns = 0;
	return 0;
}
