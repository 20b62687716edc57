/* SPDX-License-Identifier: MIT */
/* A parent, and what is drawn from it. */
#ifndef TEST_SUPPORT_DRAWING_H
#define TEST_SUPPORT_DRAWING_H

#include "support/test.h"

#include <errno.h>
#include <unistd.h>

#include "support/reserving.h"

static inline int draw(struct tally_ledger *l, struct tally_account a,
		       struct tally_token parent, int node, int64_t amount,
		       struct tally_token *token, struct tally_refusal *refusal)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = request_of(&demand, 1);

	return tally_limit_draw(l, a, parent, &request, token, refusal);
}

static inline int change(struct tally_ledger *l, struct tally_token t, int node,
			 int64_t amount, struct tally_refusal *refusal)
{
	const struct tally_demand demand = {node, MEMORY, amount};
	const struct tally_request request = request_of(&demand, 1);

	return tally_limit_change(l, t, &request, refusal);
}

static inline int release(struct tally_ledger *l, struct tally_token t,
			  int node, int64_t amount)
{
	const struct tally_demand demand = {node, MEMORY, amount};

	return tally_limit_release(l, t, &demand, 1);
}

/* What its children have not; or the error. */
static inline int64_t left(struct tally_ledger *l, struct tally_token t,
			   int node)
{
	struct tally_view *view;
	int64_t amount = -1;
	int err;

	assert_int_equal(tally_view_open(l, &view), 0);
	err = tally_limit_draw_free(view, t, node, MEMORY, &amount);
	tally_view_close(view);
	return err ? err : amount;
}

static inline int find(struct tally_ledger *l, struct tally_account a,
		       struct tally_reservation *r)
{
	struct tally_view *view;
	int err;

	r->size = sizeof(*r);
	assert_int_equal(tally_view_open(l, &view), 0);
	err = tally_limit_find(view, a, r);
	tally_view_close(view);
	return err;
}

static inline bool is_there(struct tally_ledger *l, struct tally_account a)
{
	struct tally_reservation r;
	int err = find(l, a, &r);

	assert_true(!err || err == -ENOENT);
	return !err;
}

static inline unsigned int nr_on(struct tally_ledger *l, int node)
{
	struct tally_roster roster;
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_roster(view, node, &roster), 0);
	tally_view_close(view);
	return roster.nr_accounts;
}

static inline struct tally_token committed(struct tally_ledger *l,
					   struct tally_account a, int node,
					   int64_t amount)
{
	struct tally_token t;

	assert_int_equal(reserve(l, a, node, amount, &t), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	return t;
}

/* A job with 8 on node 5, of 10, and a quota of 8. */
struct world {
	struct tally_ledger *ledger;
	struct tally_account job, step, other;
	struct tally_token token;
};

static inline struct world make(struct machine *m)
{
	struct world w = {.ledger = machine_limit_ledger(m, 200)};
	struct tally_ledger *l = w.ledger;

	w.job = machine_account(l, "batch/job");
	w.step = machine_account(l, "batch/step");
	w.other = machine_account(l, "other");
	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 10), 0);
	assert_int_equal(tally_limit_set_quota(l, machine_account(l, "batch/"),
					       MEMORY, 8),
			 0);
	w.token = committed(l, w.job, 5, 8);
	return w;
}

static inline void done(struct world *w)
{
	limits_agree(w->ledger);
	tally_ledger_close(w->ledger);
}

#endif
