// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "directory.h"
#include "doubt.h"
#include "epoch.h"
#include "fold.h"
#include "mark.h"
#include "owner.h"
#include "writer.h"

#define SECOND_NS INT64_C(1000000000)

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

/* Whoever has died has left a step to be done again. */
static int own(struct tally_ledger *l, struct wait *w)
{
	int err = owner_take(l->layout, &layout_control(l->layout)->owner,
			     l->writer, w);

	return err < 0 ? err : 0;
}

static void disown(struct tally_ledger *l)
{
	owner_leave(&layout_control(l->layout)->owner, l->writer);
}

int epoch_barrier(const struct tally_ledger *l)
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
	err = epoch_barrier(l);

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
	int err;

	if (control->folded != epoch && control->frozen == epoch &&
	    writer_pins(l->layout, UINT32_MAX))
		return join ? 0 : -EBUSY;
	err = settle(l, w);
	if (err)
		return err;
	/* Whoever ends an account does so in one epoch: in each snapshot it is
	 * there, or is not. */
	err = directory_lock(l->accounts, wait_left(w));
	if (err)
		return err;
	__atomic_store_n(&control->epoch, epoch + 1, __ATOMIC_RELEASE);
	directory_unlock(l->accounts);
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
	struct wait w = wait_for(timeout_ns);
	int err;

	err = ledger_join(l);
	if (err)
		return err;
	if (lock(l, &w))
		return -EAGAIN;
	err = own(l, &w);
	if (!err) {
		err = move_on(l, join, &w);
		if (!layout_is_whole(l->layout))
			err = -EBADMSG;
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
	struct wait w = wait_for(SECOND_NS);

	pthread_mutex_lock(&l->lock);
	writer_set_pins(l->layout, l->writer, --l->pins);
	if (!l->pins && !own(l, &w)) {
		if (!writer_pins(l->layout, UINT32_MAX))
			settle(l, &w);
		disown(l);
	}
	pthread_mutex_unlock(&l->lock);
}

int epoch_cool(struct tally_ledger *l, int64_t timeout_ns)
{
	struct wait w = wait_for(timeout_ns);
	int err = ledger_join(l);

	if (err)
		return err;
	if (lock(l, &w))
		return -EAGAIN;
	err = own(l, &w);
	if (!err) {
		for (int i = 0; !err && i < DIRECTORY_COOL_EPOCHS; i++)
			err = move_on(l, false, &w);
		if (!err)
			err = settle(l, &w);
		disown(l);
	}
	pthread_mutex_unlock(&l->lock);
	return err;
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
	struct wait w = wait_for(SECOND_NS);
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
	struct wait now = wait_no_more();

	/* Where the slot's owner before us died as the owner. */
	disown(l);
	if (!own(l, &now)) {
		doubt_reap_all(l->layout, true);
		disown(l);
	}
}
