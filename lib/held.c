// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "held.h"

/* Tries before it looks at a clock, and sleeps. */
#define TRIES	200
#define WAIT_NS 200000000
#define NAP_NS	50000

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A nap is as long as a busy machine makes it: the clock alone says when it is
 * time to give up. */
static bool is_late(struct held_read *read)
{
	if (read->tries < TRIES) {
		read->tries++;
		return false;
	}
	if (!read->until_ns)
		read->until_ns = now_ns() + WAIT_NS;
	return now_ns() > read->until_ns;
}

static void pause_once(const struct held_read *read)
{
	const struct timespec nap = {0, NAP_NS};

	if (read->tries < TRIES)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

int held_begin(const struct layout *l, struct held_read *read)
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

bool held_again(const struct layout *l, const struct held_read *read)
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

static bool exists(const struct layout *l, uint32_t node, uint32_t row)
{
	return __atomic_load_n(layout_held_byte(l, 1 + node, row),
			       __ATOMIC_ACQUIRE) != 0;
}

/* What is held on a node, by all or, where row is not NULL, by one. */
static void add_node(const struct layout *l, uint32_t node, const uint32_t *row,
		     int64_t *sums)
{
	const int64_t *held = row ? layout_held(l, node, *row) : NULL;

	if (row && !exists(l, node, *row))
		return;
	for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
		add(&sums[i],
		    get(held ? &held[i] : &layout_capacity(l, node, i)->held));
}

uint64_t held_nr_credits(const struct layout *l)
{
	uint64_t nr = __atomic_load_n(&layout_limits(l)->nr_credits,
				      __ATOMIC_ACQUIRE);

	return nr < LAYOUT_NR_CREDITS ? nr : LAYOUT_NR_CREDITS;
}

static bool row_exists(const struct layout *l, uint32_t row)
{
	return __atomic_load_n(layout_held_byte(l, 0, row), __ATOMIC_ACQUIRE) !=
	       0;
}

bool held_is_current(const struct layout *l, uint32_t row)
{
	const uint32_t *generations =
		(const uint32_t *)(l->origin + l->plan->generations.offset);

	return row_exists(l, row) &&
	       word(&layout_hold(l, row)->account) ==
		       __atomic_load_n(&generations[row], __ATOMIC_ACQUIRE);
}

bool held_any_of(const struct layout *l, uint32_t row)
{
	uint64_t nr = held_nr_credits(l);

	if (!held_is_current(l, row))
		return false;
	if (word(&layout_hold(l, row)->state) != LAYOUT_HOLD_NONE)
		return true;
	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);

		if (word(&c->row) == row && get(&c->taken) &&
		    word(&c->account) == word(&layout_hold(l, row)->account))
			return true;
	}
	return false;
}

int64_t held_idle(const struct layout *l, uint64_t credit)
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
		w = word(layout_credits(l, i) + credit);
		/* One that is closed already, or not open yet. */
		if (!w && i + UINT64_C(1) == moving)
			w = word(&limits->moving_word);
		add(&idle, layout_credit_idle(w));
	}
	return idle;
}

/* The held rows of an account lack what it took by credits, and capacities have
 * what is idle, too. */
static void add_credits(const struct layout *l, const uint32_t *row,
			uint32_t first, uint32_t end, int64_t *sums)
{
	uint64_t nr = held_nr_credits(l);

	for (uint64_t i = 0; i < nr; i++) {
		const struct layout_credit *c = layout_credit(l, i);
		uint64_t node = word(&c->node), resource = word(&c->resource);

		if (node < first || node >= end ||
		    resource >= l->header.params.nr_resources ||
		    (row && word(&c->row) != *row))
			continue;
		add(&sums[resource], -held_idle(l, i));
		if (row)
			add(&sums[resource], get(&c->taken));
	}
}

int held_add(const struct layout *l, const uint32_t *row, uint32_t first,
	     uint32_t end, int64_t *amounts)
{
	uint32_t nr_resources = l->header.params.nr_resources;
	int64_t sums[LAYOUT_MAX_COLUMNS];
	struct held_read read = {0};

	do {
		int err = held_begin(l, &read);

		if (err)
			return err;
		memset(sums, 0, nr_resources * sizeof(*sums));
		for (uint32_t n = first; n < end; n++)
			add_node(l, n, row, sums);
		add_credits(l, row, first, end, sums);
	} while (held_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	for (uint32_t i = 0; i < nr_resources; i++)
		add(&amounts[i], sums[i]);
	return 0;
}
