// SPDX-License-Identifier: MIT
/* Waiting until a watch fires; told by limit/room.h, or by looking. */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/sized.h"
#include "base/uncancelled.h"
#include "file/descriptor.h"
#include "file/layout_limit.h"
#include "file/writer.h"
#include "limit/reap.h"
#include "limit/room.h"
#include "limit/transaction.h"
#include "watch/internal.h"

/* Those that change what is free wake a watch once in this time at most. */
#define PAUSE_NS 1000000

static bool counts(const struct tally_watch *w, uint32_t bits)
{
	if (w->flags & TALLY_WATCH_ANY)
		return bits != 0;
	return bits == (UINT32_C(1) << w->nr) - 1;
}

/* Return 1 if the watch fires. */
static int look(struct tally_watch *w, struct tally_watch_event *e)
{
	uint32_t within = 0;

	e->crossed = 0;
	for (unsigned int i = 0; i < w->nr; i++) {
		const struct tally_watch_threshold *t = &w->thresholds[i];
		int err = watch_amount(w, i, &e->amounts[i]);

		if (err)
			return err;
		e->crossed |= (uint32_t)watch_is_crossed(t, e->amounts[i]) << i;
		within |= (uint32_t)watch_is_within(t, e->amounts[i]) << i;
	}
	if (w->fired && counts(w, within))
		return 0;
	w->fired = counts(w, e->crossed);
	if (!w->fired)
		return 0;
	e->nr = ++w->nr_fired;
	e->fired_ns = now_ns();
	return 1;
}

/*
 * Ask to be woken. Calls that change reservations have the lock: one that had it
 * before this did is seen by the next look, and one that has it later finds the
 * bit. What has run out, or died, is ended meanwhile.
 */
static int ask(struct tally_watch *w)
{
	struct tally_ledger *l = w->ledger;
	int err;

	__atomic_fetch_or(&layout_limits(w->layout)->awaited, ROOM_WATCHED,
			  __ATOMIC_RELAXED);
	err = limit_begin(l);
	if (!err) {
		err = limit_reap_all(l, false);
		err = limit_finish(l, err < 0 ? err : 0);
	}
	/* Then it is left to the next look. */
	return err == -EAGAIN ? 0 : err;
}

/* Whether the watch goes on. Nobody tells of what is asked here. */
static int check(struct tally_watch *w)
{
	int64_t now = now_ns();

	if (descriptor_was_removed(w->layout->file))
		return -EIDRM;
	if (w->ledger || w->flags & TALLY_WATCH_IDLE ||
	    (w->asked_ns && now - w->asked_ns < SECOND_NS))
		return 0;
	/* A file that was just cut has no writers either. */
	if (!writer_any_lives(w->layout))
		return layout_is_whole(w->layout) ? -ESRCH : -EBADMSG;
	w->asked_ns = now;
	return 0;
}

/* Return 1 if it was woken before it had slept for so long. */
static int sleep_at(const uint32_t *word, uint32_t value, uint32_t bits,
		    int64_t ns, int64_t end_ns)
{
	int64_t now = now_ns();
	int64_t until = end_ns - now < ns ? end_ns : now + ns;
	const struct timespec t = {until / SECOND_NS, until % SECOND_NS};

	if (now >= end_ns)
		return -ETIMEDOUT;
	if (!futex_wait_bits(word, value, &t, bits) || errno == EAGAIN)
		return 1;
	if (errno == EFAULT)
		return -EBADMSG;
	return errno == EINTR ? -EINTR : 0;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int sleep_well(const struct tally_watch *w, bool told, uint32_t made,
		      int64_t ns, int64_t end_ns)
{
	return told ? sleep_at(&layout_limits(w->layout)->made, made,
			       ROOM_WATCHED, ns, end_ns)
		    : sleep_at(&w->stop, 0, FUTEX_BITSET_MATCH_ANY, ns, end_ns);
}

int watch_wait(struct tally_watch *w, int64_t timeout_ns,
	       struct tally_watch_event *event)
{
	const uint32_t *word = &layout_limits(w->layout)->made;
	bool tells = w->ledger && timeout_ns;
	int64_t end_ns = deadline_ns(timeout_ns);
	int woken = 0;

	for (;;) {
		struct tally_watch_event e = {.size = sizeof(e)};
		uint32_t made = __atomic_load_n(word, __ATOMIC_ACQUIRE);
		bool told = tells && !woken;
		int err = 0;

		if (__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
			return -ECANCELED;
		if (told)
			err = ask(w);
		if (!err)
			err = look(w, &e);
		if (err == 1) {
			if (event)
				sized_put(event, &e, sizeof(e));
			return 0;
		}
		if (err == -EAGAIN)
			err = 0;
		if (!err && !woken)
			err = check(w);
		if (err)
			return err;
		err = sleep_well(w, told, made,
				 woken ? least(PAUSE_NS, w->look_ns)
				       : w->look_ns,
				 end_ns);
		if (err < 0)
			return err;
		woken = told && err;
	}
}

int tally_watch_wait(struct tally_watch *watch, int64_t timeout_ns,
		     struct tally_watch_event *event)
{
	UNCANCELLED;

	if (event &&
	    !sized_fits(event, sized_upto(struct tally_watch_event, amounts)))
		return -EINVAL;
	return watch->fd >= 0 ? -EBUSY : watch_wait(watch, timeout_ns, event);
}
