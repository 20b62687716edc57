// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/ledger.h>

#include "account/directory.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/uncancelled.h"
#include "file/robust.h"
#include "file/writer.h"
#include "snapshot/ask.h"
#include "snapshot/epoch.h"
#include "snapshot/fold.h"
#include "snapshot/in_doubt.h"
#include "snapshot/pin.h"

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

/* If the former owner died, its last step is repeated. */
static int own(struct tally_ledger *l, struct wait *w)
{
	int err = robust_take(l->layout, &layout_control(l->layout)->lock, w);

	return err < 0 ? err : 0;
}

static void disown(struct tally_ledger *l)
{
	robust_leave(l->layout, &layout_control(l->layout)->lock);
}

int epoch_barrier(const struct tally_ledger *l)
{
	bool exclusive = l->layout->header.params.flags & LAYOUT_EXCLUSIVE;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* A filter of system calls (seccomp) refuses it with any error. */
	if (membarrier(exclusive ? MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
				 : MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0)
		return 0;
	return writer_none_reached(l->layout) ? 0 : -ENOSYS;
}

/*
 * Wait until the thread has no add of an older epoch in flight. A thread that
 * left it finds that out where it adds by atomics. If one process alone writes,
 * adds that meet a long wait are made so, as they are not otherwise.
 */
static int wait_for_inflight(struct tally_ledger *l, uint32_t thread,
			     const struct layout_inflight *inflight,
			     uint64_t epoch, struct wait *w)
{
	unsigned int nr_asked = 0;

	while (layout_inflight_differs(
		__atomic_load_n(&inflight->word, __ATOMIC_ACQUIRE), epoch)) {
		bool ask;
		int err = wait_turn(w, &ask);

		if ((ask || err) && in_doubt_is_dead(l->layout, thread)) {
			in_doubt_reap(l->layout, thread);
			return 0;
		}
		if (ask && nr_asked++)
			ledger_use_bank(l, LAYOUT_NR_BANKS);
		if (err)
			return err;
	}
	return 0;
}

/* Direct adds to this epoch's bank, and wait until none goes to the older
 * one. */
static int grace(struct tally_ledger *l, uint64_t epoch, struct wait *w)
{
	const struct layout *layout = l->layout;
	uint32_t nr_threads;
	int err;

	ledger_unmark(l, layout_epoch_word(epoch));
	ledger_set_epoch_word(l, layout_epoch_word(epoch));
	ledger_use_bank(l, (uint32_t)epoch & 1);
	err = epoch_barrier(l);

	/* After the barrier: a thread that takes a slot later reads the new
	 * epoch. */
	nr_threads = layout_nr_threads(layout);
	for (uint32_t n = 0; n < layout->header.params.nr_planes; n++)
		for (uint32_t t = 0;
		     layout->places[n].nr_lanes && t < nr_threads && !err; t++)
			err = wait_for_inflight(
				l, t, layout_inflight(layout, n, t), epoch, w);
	ledger_use_bank(l, (uint32_t)epoch & 1);
	if (!err)
		__atomic_store_n(&layout_control(layout)->frozen, epoch,
				 __ATOMIC_RELEASE);
	return err;
}

/* Fold the frozen bank, if there is one. -EBUSY: it is pinned. */
static int finish_fold(struct tally_ledger *l, struct wait *w)
{
	struct layout_control *control = layout_control(l->layout);
	uint64_t epoch = control->epoch;
	int err = 0;

	if (control->folded == epoch)
		return 0;
	if (control->frozen != epoch)
		err = grace(l, epoch, w);
	if (!err)
		err = pin_try_close(l->layout, epoch);
	if (!err)
		err = fold(l->layout, epoch);
	if (!err) {
		__atomic_store_n(&control->folded, epoch, __ATOMIC_RELEASE);
		directory_collect(l->accounts, epoch, fold_is_clean);
	}
	return err;
}

static int move_on(struct tally_ledger *l, bool join, struct wait *w)
{
	struct layout_control *control = layout_control(l->layout);
	uint64_t epoch = control->epoch;
	int err = finish_fold(l, w);

	if (err)
		return join && err == -EBUSY ? 0 : err;
	/* An account ends within one epoch: so a snapshot has it or not. */
	err = directory_lock(l->accounts, wait_left(w));
	if (err)
		return err;
	__atomic_store_n(&control->taken_ns, clock_ns(CLOCK_REALTIME),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&control->epoch, epoch + 1, __ATOMIC_RELEASE);
	directory_unlock(l->accounts);
	return grace(l, epoch + 1, w);
}

/* Another thread of this process may be in a grace period. */
static int lock(struct tally_ledger *l, struct wait *w)
{
	int err = 0;

	while (!err && pthread_mutex_trylock(&l->lock)) {
		bool ask;

		err = wait_turn(w, &ask);
	}
	return err;
}

/* With the epoch lock. */
static void describe(const struct layout *layout, struct pin_info *info)
{
	const struct layout_control *control = layout_control(layout);

	info->epoch = control->epoch;
	info->nr_in_doubt = in_doubt_count(layout);
	info->taken_ns = control->taken_ns;
	info->age_ns = pin_age(layout);
}

/* Take this process's lock and the epoch lock. */
static int begin(struct tally_ledger *l, struct wait *w)
{
	int err = ledger_join(l);

	if (err)
		return err;
	if (lock(l, w))
		return -EAGAIN;
	err = own(l, w);
	if (err)
		pthread_mutex_unlock(&l->lock);
	return err;
}

static void end(struct tally_ledger *l)
{
	disown(l);
	pthread_mutex_unlock(&l->lock);
}

int epoch_pin(struct tally_ledger *l, bool join, int64_t timeout_ns,
	      struct pin_info *info)
{
	struct wait w = wait_for(timeout_ns);
	int err = begin(l, &w);

	if (err)
		return err;
	err = move_on(l, join, &w);
	if (!layout_is_whole(l->layout))
		err = -EBADMSG;
	if (!err) {
		writer_set_pins(l->layout, ++l->pins);
		describe(l->layout, info);
	}
	end(l);
	return err;
}

void epoch_unpin(struct tally_ledger *l)
{
	bool last;

	pthread_mutex_lock(&l->lock);
	last = !--l->pins;
	writer_set_pins(l->layout, l->pins);
	pthread_mutex_unlock(&l->lock);
	if (last && writer_any_serves(l->layout))
		ask_ring(l->layout, 1);
}

/* Do @what with the epoch lock. */
static int with_lock(struct tally_ledger *l, int64_t timeout_ns,
		     int (*what)(struct tally_ledger *, struct wait *))
{
	struct wait w = wait_for(timeout_ns);
	int err = begin(l, &w);

	if (err)
		return err;
	err = what(l, &w);
	end(l);
	return err;
}

int tally_ledger_fold(struct tally_ledger *l, int64_t timeout_ns)
{
	UNCANCELLED;
	int err = with_lock(l, timeout_ns, finish_fold);

	return layout_is_whole(l->layout) ? err : -EBADMSG;
}

static int reclaim(struct tally_ledger *l, struct wait *w)
{
	int err = 0;

	for (int i = 0; !err && i < DIRECTORY_RECLAIM_EPOCHS; i++)
		err = move_on(l, false, w);
	return err ? err : finish_fold(l, w);
}

int epoch_reclaim(struct tally_ledger *l, int64_t timeout_ns)
{
	return with_lock(l, timeout_ns, reclaim);
}

bool epoch_serve(struct tally_ledger *l)
{
	struct layout_control *control = layout_control(l->layout);
	uint64_t epoch = __atomic_load_n(&control->epoch, __ATOMIC_ACQUIRE);
	struct wait w = wait_for(SECOND_NS);
	int err = 0;

	if (!pin_is_locked(l->layout, epoch + 1, PIN_BYTE) || begin(l, &w))
		return false;
	if (control->epoch == epoch)
		err = move_on(l, false, &w);
	end(l);
	futex_wake(ask_answer(l->layout), INT_MAX);
	return !err && layout_is_whole(l->layout);
}

bool epoch_may_fold(const struct tally_ledger *l)
{
	const struct layout_control *control = layout_control(l->layout);
	uint64_t epoch = __atomic_load_n(&control->epoch, __ATOMIC_RELAXED);

	return __atomic_load_n(&control->folded, __ATOMIC_RELAXED) != epoch &&
	       !pin_is_pinned(l->layout, epoch);
}

void epoch_close(struct tally_ledger *l)
{
	if (!l->pins)
		return;
	l->pins = 1;
	epoch_unpin(l);
}

int epoch_reap(struct tally_ledger *l, bool inflight)
{
	struct wait w = wait_for(SECOND_NS);
	int err;

	if (lock(l, &w))
		return -EAGAIN;
	err = own(l, &w);
	if (!err) {
		in_doubt_reap_all(l->layout, inflight);
		disown(l);
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

/*
 * A reader that found no writer relies on a bank that none adds to: so this one
 * adds to the next. If that can't be, the reader loses its snapshot: it keeps no
 * writer out.
 */
static void leave_bank(struct tally_ledger *l)
{
	struct layout_control *control = layout_control(l->layout);
	struct wait w = wait_for(SECOND_NS);
	uint64_t epoch;
	int err;

	/* After this process's slot was taken: see ask.c. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	epoch = __atomic_load_n(&control->epoch, __ATOMIC_ACQUIRE);
	if (l->layout->unshared ||
	    !pin_is_locked(l->layout, epoch + 1, PIN_BYTE_STILL))
		return;
	err = own(l, &w);
	if (!err) {
		if (control->epoch == epoch)
			err = move_on(l, false, &w);
		disown(l);
	}
	if (err)
		pin_close(l->layout, epoch + 1);
}

void epoch_join(struct tally_ledger *l)
{
	struct wait now = wait_no_more();

	if (!own(l, &now)) {
		in_doubt_reap_all(l->layout, true);
		disown(l);
	}
	leave_bank(l);
}
