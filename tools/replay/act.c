// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "replay/act.h"

/* How often a request may lose the room that it saw to another thread. */
#define MAX_CONFLICTS 1000
/* How often a call may return that the lock was busy for too long. */
#define MAX_TRIES 30

static void count_time(struct replay_thread *t, unsigned int op, int64_t since)
{
	replay_times_add(&t->times[op], (uint64_t)(now_ns() - since));
}

static bool again(int err, unsigned int *tries)
{
	return err == -EAGAIN && ++*tries < MAX_TRIES;
}

/* ---- the log ------------------------------------------------------------- */

static uint64_t stamp(struct replay_thread *t)
{
	if (!t->log)
		return 0;
	return __atomic_fetch_add(&t->drive->stamps, 1, __ATOMIC_SEQ_CST);
}

static int note(struct replay_thread *t, uint64_t begin, uint32_t index,
		enum replay_did did, const struct tally_demand *demands,
		unsigned int nr)
{
	struct replay_record record = {
		.begin = begin,
		.event = index,
		.nr_demands = (uint8_t)nr,
		.did = (uint8_t)did,
	};

	if (!t->log)
		return 0;
	record.end = stamp(t);
	return replay_log_add(t->log, &record, demands);
}

static int keep_left(struct replay_slot *slot, const struct replay_place *place)
{
	struct tally_demand *left =
		reallocarray(slot->left, place->nr + 1, sizeof(*left));

	if (!left)
		return -ENOMEM;
	memcpy(left, place->demands, place->nr * sizeof(*left));
	slot->left = left;
	slot->nr_left = (uint8_t)place->nr;
	return 0;
}

static void take_left(struct replay_slot *slot, const struct tally_demand *part)
{
	int64_t amount = part->amount;

	for (unsigned int i = 0; i < slot->nr_left; i++) {
		struct tally_demand *h = &slot->left[i];
		int64_t n = h->amount < amount ? h->amount : amount;

		if (h->node != part->node || h->resource != part->resource)
			continue;
		h->amount -= n;
		amount -= n;
	}
}

/* ---- reserving ----------------------------------------------------------- */

/* Fill the columns of so many nodes again. */
static int refresh(struct replay_thread *t, uint32_t first, uint32_t nr)
{
	unsigned int tries = 0;
	int err;

	do
		err = tally_place_refresh(&t->columns.place, t->drive->view,
					  first, nr);
	while (again(err, &tries));
	return err;
}

static int refresh_those_of(struct replay_thread *t,
			    const struct tally_demand *demands, unsigned int nr)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < nr; i++)
		if (!i || demands[i].node != demands[i - 1].node)
			err = refresh(t, (uint32_t)demands[i].node, 1);
	return err;
}

static int ask(struct replay_thread *t, uint32_t index,
	       struct replay_slot *slot, const struct replay_place *place)
{
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = place->demands,
		.nr_demands = place->nr,
	};
	uint64_t begin = stamp(t);
	int64_t since = now_ns();
	unsigned int tries = 0;
	int noted = 0, err;

	do
		err = tally_limit_reserve(t->drive->ledger, slot->account,
					  &request, &slot->token, NULL);
	while (again(err, &tries));
	count_time(t, REPLAY_RESERVE, since);
	if (!err || err == -ENOSPC)
		noted = note(t, begin, index,
			     err ? REPLAY_REFUSED : REPLAY_GRANTED,
			     place->demands, place->nr);
	if (!noted)
		noted = refresh_those_of(t, place->demands, place->nr);
	return noted ? noted : err;
}

/* Find a place, or where to ask in vain. -ENOSPC: it fits nowhere */
static int look(struct replay_thread *t, uint32_t index,
		struct replay_place *place)
{
	const struct replay_setup *setup = t->drive->setup;
	const struct replay_event *event = &setup->trace->events[index];
	uint64_t begin = stamp(t);
	int noted, err;

	err = replay_place(&t->columns, setup->policy, setup->trace, event,
			   place);
	if (err == -ENOSPC && setup->nr_threads > 1) {
		err = refresh(t, 0, t->columns.place.nr_nodes);
		if (!err)
			err = replay_place(&t->columns, setup->policy,
					   setup->trace, event, place);
	}
	if (err != -ENOSPC)
		return err;
	noted = note(t, begin, index, REPLAY_SAW_NONE, NULL, 0);
	replay_place_in_vain(&t->columns, setup->trace, event, place);
	return noted ? noted : err;
}

static bool is_anywhere(const struct replay_trace *trace, uint32_t index)
{
	const struct replay_event *event = &trace->events[index];

	return !event->nr_items ||
	       trace->items[event->item].node == REPLAY_ANYWHERE;
}

/*
 * Ask where there is room, until no other thread is faster. A request that fits
 * nowhere is asked for, too, so that it is the library that refuses it.
 */
static int reserve(struct replay_thread *t, uint32_t index,
		   struct replay_slot *slot, struct replay_place *place)
{
	bool anywhere = is_anywhere(t->drive->setup->trace, index);

	for (unsigned int tries = 0;; tries++) {
		int seen = look(t, index, place);
		int err;

		if (seen == -E2BIG) {
			t->counts.wide++;
			return -ENOSPC;
		}
		if (seen && seen != -ENOSPC)
			return seen;
		err = ask(t, index, slot, place);
		if (err != -ENOSPC || seen || !anywhere ||
		    tries == MAX_CONFLICTS)
			return err;
		t->counts.conflicts++;
	}
}

static int act_reserve(struct replay_thread *t, uint32_t index,
		       struct replay_slot *slot)
{
	struct replay_place place;
	int err = reserve(t, index, slot, &place);

	slot->held = !err;
	if (err == -ENOSPC) {
		t->counts.refused++;
		return 0;
	}
	if (err)
		return err;
	t->counts.admitted++;
	return keep_left(slot, &place);
}

/* ---- committing and giving back ------------------------------------------- */

static int act_commit(struct replay_thread *t, const struct replay_slot *slot)
{
	int64_t since = now_ns();
	unsigned int tries = 0;
	int err;

	do
		err = tally_limit_commit(t->drive->ledger, slot->token);
	while (again(err, &tries));
	count_time(t, REPLAY_COMMIT, since);
	return err;
}

static int act_give(struct replay_thread *t, uint32_t index,
		    struct replay_slot *slot)
{
	const struct replay_trace *trace = t->drive->setup->trace;
	const struct replay_event *event = &trace->events[index];
	struct tally_ledger *ledger = t->drive->ledger;
	struct replay_place part = {.nr = event->nr_items};
	const struct tally_demand *given = part.nr ? part.demands : slot->left;
	unsigned int nr_given = part.nr ? part.nr : slot->nr_left, tries = 0;
	uint64_t begin;
	int64_t since;
	int err;

	for (unsigned int i = 0; i < part.nr; i++) {
		const struct replay_item *item = &trace->items[event->item + i];

		part.demands[i] = (struct tally_demand){
			item->node, item->resource, item->amount};
	}
	begin = stamp(t);
	since = now_ns();
	do
		err = event->op == REPLAY_CANCEL
			      ? tally_limit_cancel(ledger, slot->token)
			      : tally_limit_release(ledger, slot->token,
						    part.demands, part.nr);
	while (again(err, &tries));
	count_time(t, event->op, since);
	if (event->ends)
		slot->held = false;
	if (!err)
		err = note(t, begin, index, REPLAY_GAVE, given, nr_given);
	if (!err)
		err = refresh_those_of(t, given, nr_given);
	for (unsigned int i = 0; !err && i < part.nr; i++)
		take_left(slot, &part.demands[i]);
	return err;
}

int replay_act(struct replay_thread *t, uint32_t index)
{
	const struct replay_event *event =
		&t->drive->setup->trace->events[index];
	struct replay_slot *slot = &t->drive->slots[event->slot];

	if (event->op == REPLAY_RESERVE)
		return act_reserve(t, index, slot);
	if (!slot->held) {
		t->counts.skipped++;
		return 0;
	}
	return event->op == REPLAY_COMMIT ? act_commit(t, slot)
					  : act_give(t, index, slot);
}
