// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "account/directory.h"
#include "base/futex.h"
#include "file/column.h"
#include "file/reserved.h"
#include "limit/credit.h"
#include "limit/reap.h"
#include "limit/reservation.h"
#include "limit/room.h"
#include "limit/transaction.h"
#include "limit/uncommitted.h"

/* What the last owner of the lock had begun, and cannot be undone. */
static int recover(struct tally_ledger *l)
{
	int err = limit_credit_recover(l);

	column_declare(l->layout);
	return err ? err : limit_reservation_recover(l);
}

int limit_begin(struct tally_ledger *l)
{
	int err = ledger_join(l);

	if (!err)
		err = limit_lock(l->layout, true);
	if (err)
		return err;
	err = recover(l);
	if (err)
		limit_unlock(l->layout);
	return err;
}

static void finish_all_ending(struct tally_ledger *l)
{
	struct tally_account account;
	uint64_t cursor = 0;

	while (!tally_account_next_in(l->accounts, TALLY_PHASE_TERMINATING,
				      &cursor, &account))
		directory_finish(l->accounts, account);
}

/* Unlock first: no process waits for the directory's lock with ours. If this is
 * killed in between, ending the account again does it. */
static void finish_ended(struct tally_ledger *l)
{
	struct tally_account ended[sizeof(l->ended) / sizeof(l->ended[0])];
	uint32_t nr = l->nr_ended;
	uint32_t awaited = room_tell(layout_limits(l->layout), l->room);

	l->room = 0;
	l->nr_ended = 0;
	for (uint32_t i = 0; i < nr && i < sizeof(ended) / sizeof(ended[0]);
	     i++)
		ended[i] = limit_account_in(l, l->ended[i]);
	limit_unlock(l->layout);
	if (awaited)
		futex_wake_bits(&layout_limits(l->layout)->made, awaited);
	if (!nr)
		return;
	/* Pairs with the fence in ending the account, too: else the phase can be
	 * read before others see that it holds nothing, and neither tells the
	 * directory. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (nr > sizeof(ended) / sizeof(ended[0])) {
		finish_all_ending(l);
		return;
	}
	for (uint32_t i = 0; i < nr; i++)
		if (limit_is_ending(l, ended[i]))
			directory_finish(l->accounts, ended[i]);
}

int limit_finish(struct tally_ledger *l, int err)
{
	if (!err)
		err = limit_state(l->layout);
	/* What was found in it is not so. */
	if (!layout_is_whole(l->layout))
		err = -EBADMSG;
	if (err)
		limit_undo(l->layout);
	else
		limit_keep(l->layout);
	finish_ended(l);
	return err;
}

void limit_drain(struct tally_ledger *l)
{
	if (!reserved_nr_credits(l->layout) || limit_begin(l))
		return;
	limit_credit_draw_back_ending(l);
	limit_finish(l, 0);
}

void limit_tell(struct tally_ledger *l)
{
	struct layout_limits *limits = layout_limits(l->layout);
	uint32_t bits;

	/* One that sets a bit later asks later, and finds the change. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	bits = room_tell(limits, ROOM_ELSEWHERE | ROOM_WATCHED);
	if (bits)
		futex_wake_bits(&limits->made, bits);
}

/* Whether a process may have died within a change, or reservations are not
 * committed. */
static bool may_reap(const struct layout *layout)
{
	const struct layout_limits *limits = layout_limits(layout);

	return limit_get(&limits->sequence) & 1 || limit_get(&limits->moving) ||
	       limit_get(&limits->nr_declared) & 1 ||
	       limit_uncommitted_any(layout);
}

static int reap_at_once(struct tally_ledger *l)
{
	int err;

	if (limit_lock(l->layout, false))
		return 0;
	err = recover(l);
	if (!err)
		err = limit_reap_all(l, true);
	limit_undo(l->layout);
	return limit_finish(l, err < 0 ? err : 0);
}

int limit_open(struct tally_ledger *l)
{
	const struct layout_plan *plan = l->layout->plan;
	struct layout *layout = l->layout;
	int err = tally_region_init(
		layout->origin + plan->reservations.offset,
		plan->regions_offset - plan->reservations.offset,
		layout->file->fd, (off_t)plan->reservations.offset, -1,
		&l->limit_tables);

	if (err || !may_reap(layout))
		return err;
	return reap_at_once(l);
}
