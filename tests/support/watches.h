/* SPDX-License-Identifier: MIT */
/* What tests of watches share. */
#ifndef TEST_SUPPORT_WATCHES_H
#define TEST_SUPPORT_WATCHES_H

#include "support/test.h"

#include <numatally/limit.h>
#include <numatally/watch.h>

#include "file/layout_limit.h"
#include "limit/room.h"
#include "support/inside.h"
#include "support/machine.h"
#include "support/sleeps.h"

enum { EVENTS, MEMORY };

/* ---- a ledger with 10 on each node ------------------------------------------ */

static inline struct tally_ledger *with_ten(struct machine *m)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);

	for (int i = 0; i < 3; i++)
		assert_int_equal(tally_limit_set_capacity(l, machine_nodes[i],
							  MEMORY, 10),
				 0);
	return l;
}

static inline int reserve(struct tally_ledger *l, struct tally_account account,
			  int node, int64_t amount, struct tally_token *token)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = &demand,
		.nr_demands = 1,
	};

	return tally_limit_reserve(l, account, &request, token, NULL);
}

static inline struct tally_token has(struct tally_ledger *l, const char *key,
				     int node, int64_t amount)
{
	struct tally_token token;

	assert_int_equal(
		reserve(l, machine_account(l, key), node, amount, &token), 0);
	return token;
}

static inline int release(struct tally_ledger *l, struct tally_token token)
{
	return tally_limit_release(l, token, NULL, 0);
}

/* EVENTS is the first resource, of whatever ledger. */
static inline void add_events(struct tally_ledger *l,
			      struct tally_account account, int node,
			      int64_t amount)
{
	const struct tally_entry entry = {account, node, EVENTS, amount};
	size_t nr;

	assert_int_equal(tally_ledger_add_each(l, &entry, 1, &nr), 0);
}

/* ---- watches ------------------------------------------------------------------ */

static inline struct tally_watch_threshold free_below(int node, int64_t mark,
						      int64_t hysteresis)
{
	return (struct tally_watch_threshold){
		.of = TALLY_WATCH_FREE,
		.side = TALLY_WATCH_BELOW,
		.resource = MEMORY,
		.node = node,
		.mark = mark,
		.hysteresis = hysteresis,
	};
}

static inline struct tally_watch_threshold
events_above(const char *account, int64_t mark, int64_t hysteresis)
{
	return (struct tally_watch_threshold){
		.of = TALLY_WATCH_AMOUNT,
		.side = TALLY_WATCH_ABOVE,
		.resource = EVENTS,
		.node = TALLY_VIEW_ALL,
		.account = account,
		.mark = mark,
		.hysteresis = hysteresis,
	};
}

/* Over a view of its own, which is never closed before it. */
static inline struct tally_watch *
watch(const struct tally_view *view, struct tally_ledger *l,
      const struct tally_watch_threshold *thresholds, unsigned int nr,
      unsigned int flags)
{
	const struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = thresholds,
		.nr_thresholds = nr,
		.flags = flags,
		.ledger = l,
		.look_ns = 1000000,
	};
	struct tally_watch *w;

	assert_int_equal(tally_watch_open(view, &options, &w), 0);
	return w;
}

static inline struct tally_view *view_of(struct tally_ledger *l)
{
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	return view;
}

/* Whether it fires at this moment. */
static inline bool fires(struct tally_watch *w, struct tally_watch_event *e)
{
	int err;

	e->size = sizeof(*e);
	err = tally_watch_wait(w, 0, e);
	assert_true(!err || err == -ETIMEDOUT);
	return !err;
}

#endif
