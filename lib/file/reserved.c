// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/uncancelled.h"
#include "file/reserved.h"
#include "base/clock.h"

/* Tries before looking at a clock, and sleeping. */
#define TRIES	200
#define WAIT_NS 200000000
#define NAP_NS	50000

/* By the clock: a busy machine makes naps of any length. */
static bool is_late(struct reserved_read *read)
{
	if (read->tries < TRIES) {
		read->tries++;
		return false;
	}
	if (!read->until_ns)
		read->until_ns = now_ns() + WAIT_NS;
	return now_ns() > read->until_ns;
}

static void nap_uncancelled(void)
{
	UNCANCELLED;
	const struct timespec nap = {0, NAP_NS};

	nanosleep(&nap, NULL);
}

static void pause_once(const struct reserved_read *read)
{
	if (read->tries < TRIES)
		sched_yield();
	else
		nap_uncancelled();
}

int reserved_begin(const struct layout *l, struct reserved_read *read)
{
	while (!is_late(read)) {
		read->sequence = __atomic_load_n(&layout_limits(l)->sequence,
						 __ATOMIC_ACQUIRE);
		if (!(read->sequence & 1))
			return 0;
		pause_once(read);
	}
	return -EAGAIN;
}

bool reserved_again(const struct layout *l, const struct reserved_read *read)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&layout_limits(l)->sequence, __ATOMIC_RELAXED) !=
	       read->sequence;
}

static int64_t get(const int64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t word(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

static void add(int64_t *sum, int64_t amount)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)amount);
}

uint64_t reserved_nr_credits(const struct layout *l)
{
	uint64_t nr = __atomic_load_n(&layout_limits(l)->nr_credits,
				      __ATOMIC_ACQUIRE);

	return nr < LAYOUT_NR_CREDITS ? nr : LAYOUT_NR_CREDITS;
}

static bool row_exists(const struct layout *l, uint32_t row)
{
	return __atomic_load_n(layout_populated(l, row), __ATOMIC_ACQUIRE) != 0;
}

bool reserved_is_current(const struct layout *l, uint32_t row)
{
	const uint32_t *generations =
		(const uint32_t *)(l->origin + l->plan->generations.offset);

	return row_exists(l, row) &&
	       word(&layout_reservation(l, row)->account) ==
		       __atomic_load_n(&generations[row], __ATOMIC_ACQUIRE);
}

const uint64_t *reserved_roster(const struct layout *l, uint32_t node,
				uint64_t edit, uint64_t *nr)
{
	const struct layout_roster *r = layout_roster(l, node);
	uint32_t copy = edit % LAYOUT_NR_COPIES;
	uint64_t len = layout_copy_len(r, edit);
	uint64_t max = LAYOUT_SHORT_ROSTER;

	if (len & 1) {
		max = __atomic_load_n(&r->exist, __ATOMIC_ACQUIRE);
		if (max > l->header.params.max_accounts)
			max = l->header.params.max_accounts;
	}
	*nr = len >> 1 < max ? len >> 1 : max;
	return len & 1 ? (const uint64_t *)(l->origin +
					    layout_list_offset(l, node, copy))
		       : r->entries[copy];
}

int64_t reserved_left(const struct layout *l, uint32_t row, uint32_t node,
		      uint32_t resource)
{
	const struct layout_holding *has = reserved_holding(l, row, node);
	const struct layout_holding *drawn = reserved_drawn_on(l, row, node);
	int64_t left;

	if (!has ||
	    __builtin_sub_overflow(get(&has->amounts[resource]),
				   drawn ? get(&drawn->amounts[resource]) : 0,
				   &left) ||
	    left < 0)
		return 0;
	return left;
}

bool reserved_any_of(const struct layout *l, uint32_t row)
{
	uint64_t nr = reserved_nr_credits(l);

	if (!reserved_is_current(l, row))
		return false;
	if (word(&layout_reservation(l, row)->state) != LAYOUT_RESERVATION_NONE)
		return true;
	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		if (word(&c->row) == row && get(&c->taken) &&
		    word(&c->account) ==
			    word(&layout_reservation(l, row)->account))
			return true;
	}
	return false;
}

int64_t reserved_idle(const struct layout *l, uint64_t credit)
{
	const struct layout_limits *limits = layout_limits(l);
	uint64_t moving = word(&limits->moving);
	uint64_t lanes = word(&layout_credit(l, credit)->lanes);
	int64_t idle = 0;

	if (word(&limits->moving_credit) != credit)
		moving = 0;
	for (uint32_t i = 0; lanes && i < l->header.params.nr_lanes; i++) {
		uint64_t w;

		if (!(lanes >> i % 64 & 1) ||
		    !__atomic_load_n(layout_credit_lane(l, i),
				     __ATOMIC_ACQUIRE))
			continue;
		w = word(&layout_credits(l, i)[credit].word);
		/* Closed already, or not open yet. */
		if (!w && i + UINT64_C(1) == moving)
			w = word(&limits->moving_word);
		add(&idle, layout_credit_idle(w));
	}
	return idle;
}

/* Holdings lack what credits have taken; capacities include idle credit. */
static void add_credits(const struct layout *l, const uint32_t *row,
			uint32_t first, uint32_t end, int64_t *sums)
{
	uint64_t nr = reserved_nr_credits(l);

	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);
		uint64_t node = word(&c->node), resource = word(&c->resource);

		if (node < first || node >= end ||
		    resource >= l->header.params.nr_resources ||
		    (row && word(&c->row) != *row))
			continue;
		add(&sums[resource], -reserved_idle(l, i));
		if (row)
			add(&sums[resource], get(&c->taken));
	}
}

/* What all accounts hold on the nodes. */
static void add_capacities(const struct layout *l, uint32_t first, uint32_t end,
			   int64_t *sums)
{
	for (uint32_t n = first; n < end; n++)
		for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
			add(&sums[i], get(&layout_capacity(l, n, i)->held));
}

static void add_holdings(const struct layout *l, uint32_t row, uint32_t first,
			 uint32_t end, int64_t *sums)
{
	const struct layout_holding *h;
	struct reserved_walk walk;

	if (!row_exists(l, row))
		return;
	walk = reserved_holdings(l, row);
	while ((h = reserved_next(l, &walk)))
		for (uint32_t i = 0;
		     word(&h->node) >= first && word(&h->node) < end &&
		     i < l->header.params.nr_resources;
		     i++)
			add(&sums[i], get(&h->amounts[i]));
}

int reserved_add(const struct layout *l, const uint32_t *row, uint32_t first,
		 uint32_t end, int64_t *amounts)
{
	uint32_t nr_resources = l->header.params.nr_resources;
	int64_t sums[LAYOUT_MAX_COLUMNS];
	struct reserved_read read = {0};

	do {
		int err = reserved_begin(l, &read);

		if (err)
			return err;
		memset(sums, 0, nr_resources * sizeof(*sums));
		if (row)
			add_holdings(l, *row, first, end, sums);
		else
			add_capacities(l, first, end, sums);
		add_credits(l, row, first, end, sums);
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	for (uint32_t i = 0; i < nr_resources; i++)
		add(&amounts[i], sums[i]);
	return 0;
}
