// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "limit/credit.h"
#include "limit/lease.h"
#include "limit/reap.h"
#include "limit/reservation.h"
#include "limit/uncommitted.h"
#include "file/writer.h"
#include "base/clock.h"

/* How far the steps of shared_ns() can fall behind, until another CPU makes up
 * for them. */
#define BEHIND_NS (10 * SHARED_STEP_NS)

static int end(struct tally_ledger *l, uint32_t row)
{
	int err = limit_reservation_end(l, row);

	/* What could not be ended would be found again and again. */
	if (!err)
		err = limit_state(l->layout);
	if (err)
		limit_undo(l->layout);
	else
		limit_keep(l->layout);
	return err;
}

/* To ask what time it is takes a system call. */
static void ask_time(struct tally_ledger *l)
{
	l->asked_ns = now_ns();
	l->answer_ns = shared_ns();
}

static bool is_past(struct tally_ledger *l, int64_t deadline_ns)
{
	if (deadline_ns > l->answer_ns + BEHIND_NS)
		return false;
	ask_time(l);
	return deadline_ns <= l->answer_ns;
}

static int reap_leases(struct tally_ledger *l)
{
	for (int nr = 0;; nr++) {
		int64_t deadline_ns;
		uint32_t row;
		int err = limit_lease_first(l->layout, &row, &deadline_ns);

		if (err)
			return err == -ENOENT ? nr : err;
		if (!is_past(l, deadline_ns))
			return nr;
		err = end(l, row);
		if (err)
			return err;
	}
}

static int reap_slot(struct tally_ledger *l, uint32_t slot)
{
	const struct layout *layout = l->layout;
	uint64_t gone = 0;

	for (int nr = 0;; nr++) {
		uint64_t owner;
		uint32_t row;
		int err = limit_uncommitted_of(layout, slot, &row);

		if (err)
			return err == -ENOENT ? nr : err;
		owner = limit_get(&layout_reservation(layout, row)->owner);
		if (owner == layout->owner ||
		    (owner != gone && !writer_is_gone(layout, owner)))
			return nr;
		gone = owner;
		err = end(l, row);
		if (err)
			return err;
	}
}

int limit_reap_row(struct tally_ledger *l, uint32_t row)
{
	const struct layout_reservation *reservation =
		layout_reservation(l->layout, row);
	uint64_t owner = limit_get(&reservation->owner);
	int err;

	if (!limit_reservation_has_lapsed(l->layout, row) &&
	    (limit_get(&reservation->state) != LAYOUT_RESERVATION_RESERVED ||
	     owner == l->layout->owner || !writer_is_gone(l->layout, owner)))
		return 0;
	err = end(l, row);
	return err ? err : 1;
}

int limit_reap_predecessor(struct tally_ledger *l)
{
	return reap_slot(l, limit_uncommitted_slot(l->layout->owner));
}

/* Whether no process has looked for a step. It is a look from now on. */
static bool begin_look(struct tally_ledger *l)
{
	int64_t *looked_ns = &layout_limits(l->layout)->looked_ns;
	int64_t before = __atomic_load_n(looked_ns, __ATOMIC_RELAXED);

	if (before <= l->answer_ns && before > l->answer_ns - SHARED_STEP_NS)
		return false;
	__atomic_store_n(looked_ns, l->answer_ns, __ATOMIC_RELAXED);
	return true;
}

int limit_reap_all(struct tally_ledger *l, bool processes)
{
	int64_t since = now_ns() - l->asked_ns;
	bool look = processes;
	int nr, err;

	if (look || since < 0 || since >= SHARED_STEP_NS) {
		ask_time(l);
		look = begin_look(l) || look;
	}
	nr = reap_leases(l);
	for (uint32_t i = 0; look && nr >= 0 && i < LAYOUT_NR_WRITERS; i++) {
		err = reap_slot(l, i);
		nr = err < 0 ? err : nr + err;
	}
	return nr;
}

int limit_make_free(struct tally_ledger *l, unsigned int resource)
{
	int words = limit_credit_draw_back(l, &resource);
	int reaped = words < 0 ? 0 : limit_reap_all(l, false);

	if (words < 0)
		return words;
	return reaped < 0 ? reaped : words + reaped;
}
