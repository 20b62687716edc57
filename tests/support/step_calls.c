// SPDX-License-Identifier: MIT
/* Calls that change reservations, quotas, capacities or credits. */
#include "support/test.h"

#include <numatally/limit_claim.h>

#include "support/limits.h"
#include "support/machine.h"
#include "support/step_calls.h"

/* ---- what is stepped ----------------------------------------------------- */

static int reserve_of(struct tally_ledger *l, int i,
		      const struct tally_demand *demands, int64_t lease_ns,
		      struct tally_token *t)
{
	const struct tally_request request = {sizeof(request), demands, 4,
					      lease_ns};

	return tally_limit_reserve(l, account(l, i), &request, t, NULL);
}

static int nothing(struct tally_ledger *l, struct tally_token *t)
{
	(void)l, (void)t;
	return 0;
}

static int reserve(struct tally_ledger *l, struct tally_token *t)
{
	return reserve_of(l, JOB, twos, 0, t);
}

static int reserve_and_commit(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve(l, t);

	return err ? err : tally_limit_commit(l, *t);
}

static int reserve_for_no_time(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve_of(l, JOB, twos, 1, t);

	limits_lapse(1);
	return err;
}

/* Its lease ends first: above those of all others. */
static int reserve_for_longer_and_longer(struct tally_ledger *l,
					 struct tally_token *t)
{
	int err = reserve_of(l, BATCH, ones, 3000 * SECOND_NS, t);

	if (!err)
		err = reserve_of(l, TEAM, ones, 2000 * SECOND_NS, t);
	return err ? err : reserve_of(l, JOB, twos, 1000 * SECOND_NS, t);
}

static int draw_of(struct tally_ledger *l, int i, struct tally_token from,
		   struct tally_token *t)
{
	const struct tally_request request = {sizeof(request), ones, 4, 0};

	return tally_limit_draw(l, account(l, i), from, &request, t, NULL);
}

/* A child of it, which is committed, and one of that. */
static int draw_below(struct tally_ledger *l, struct tally_token parent,
		      struct tally_token *child)
{
	int err = draw_of(l, TEAM, parent, child);
	struct tally_token unused;

	if (!err)
		err = tally_limit_commit(l, *child);
	return err ? err : draw_of(l, BATCH, *child, &unused);
}

static int be_a_child(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve_and_commit(l, t);

	return err ? err : draw_of(l, TEAM, *t, t);
}

static int be_a_parent(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve_and_commit(l, t);
	struct tally_token unused;

	return err ? err : draw_below(l, *t, &unused);
}

static int be_a_parent_for_no_time(struct tally_ledger *l,
				   struct tally_token *t)
{
	const struct tally_request none = {.size = sizeof(none), .lease_ns = 1};
	int err = reserve(l, t);
	struct tally_token unused;

	if (!err)
		err = draw_below(l, *t, &unused);
	if (!err)
		err = tally_limit_change(l, *t, &none, NULL);
	limits_lapse(1);
	return err;
}

static int claim(struct tally_ledger *l, struct tally_token *t)
{
	return tally_limit_claim(l, account(l, JOB), 0, t);
}

static int claim_for_no_time(struct tally_ledger *l, struct tally_token *t)
{
	int err = tally_limit_claim(l, account(l, JOB), 1, t);

	limits_lapse(1);
	return err;
}

static int be_near_the_limit(struct tally_ledger *l, struct tally_token *t)
{
	(void)t;
	return tally_limit_set_capacity(l, 5, MEMORY, 2);
}

static int step_reserve(struct tally_ledger *l, struct tally_token t)
{
	return reserve(l, &t);
}

static int step_reserve_other(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {0, MEMORY, 99};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};

	return tally_limit_reserve(l, account(l, TEAM), &request, &t, NULL);
}

static int step_claim(struct tally_ledger *l, struct tally_token t)
{
	return claim(l, &t);
}

/* What was found for it. */
static int step_place(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_request request = {sizeof(request), twos, 4, 0};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_commit(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_commit(l, t);
}

static int step_cancel(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_cancel(l, t);
}

static int step_release(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_release(l, t, NULL, 0);
}

static int step_release_part(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_release(l, t, ones, 3);
}

static int step_release_all_parts(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_release(l, t, twos, 4);
}

/* One more where it has something, one less elsewhere, and some on a node where
 * it has nothing. */
static int change(struct tally_ledger *l, struct tally_token t, int64_t more)
{
	const struct tally_demand demands[] = {
		{0, CORES, -2},	 {0, MEMORY, 1}, {5, CORES, more},
		{5, MEMORY, -1}, {9, MEMORY, 2},
	};
	const struct tally_request request = {sizeof(request), demands, 5, 0};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_change(struct tally_ledger *l, struct tally_token t)
{
	return change(l, t, 1);
}

static int step_change_too_much(struct tally_ledger *l, struct tally_token t)
{
	return change(l, t, 1000);
}

static int step_give_all(struct tally_ledger *l, struct tally_token t)
{
	struct tally_demand demands[4];
	const struct tally_request request = {sizeof(request), demands, 4, 0};

	for (unsigned int i = 0; i < 4; i++) {
		demands[i] = twos[i];
		demands[i].amount = -2;
	}
	return tally_limit_change(l, t, &request, NULL);
}

/* It is then the last one that ends. */
static int step_renew(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {9, MEMORY, 2};
	const struct tally_request request = {sizeof(request), &demand, 1,
					      4000 * SECOND_NS};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_draw(struct tally_ledger *l, struct tally_token t)
{
	return draw_of(l, TEAM, t, &t);
}

static int step_draw_too_much(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demands[] = {{0, CORES, 1}, {5, MEMORY, 3}};
	const struct tally_request request = {sizeof(request), demands, 2, 0};

	return tally_limit_draw(l, account(l, TEAM), t, &request, &t, NULL);
}

/* More in one place, less in others. */
static int step_change_child(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demands[] = {
		{0, CORES, 1}, {5, CORES, -1}, {5, MEMORY, -1}};
	const struct tally_request request = {sizeof(request), demands, 3, 0};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_adopt(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_request request = {sizeof(request), twos, 4, 0};

	return tally_limit_adopt(l, account(l, JOB), &request, &t);
}

static int step_quota(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_set_quota(l, account(l, BATCH), MEMORY, 50);
}

static int step_capacity(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_set_capacity(l, 9, CORES, 50);
}

static int step_exchange(struct tally_ledger *l, struct tally_token t)
{
	struct tally_capacity capacities[] = {{0, CORES, 20}, {9, MEMORY, 0}};
	struct tally_quota quotas[] = {{"batch/", MEMORY, 50},
				       {"batch/team/", CORES, 60},
				       {"batch/", CORES, 70}};

	(void)t;
	return tally_limit_exchange(l, capacities, 2, quotas, 3);
}

static int step_reap(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_reap(l);
}

/* Without a reservation; the process has one credit. */
static struct tally_credit credit;

static int take_some(struct tally_ledger *l, struct tally_token *t)
{
	int err = tally_limit_set_capacity(l, 5, MEMORY, 5000);

	(void)t;
	for (int i = TEAM; !err && i <= BATCH; i++)
		err = tally_limit_set_quota(l, account(l, i), MEMORY, 5000);
	if (!err)
		err = tally_limit_credit(l, account(l, JOB), 5, MEMORY,
					 &credit);
	return err ? err : tally_limit_take(&credit, 3);
}

/* This CPU has less idle credit than the next take. */
static int take_nearly_all(struct tally_ledger *l, struct tally_token *t)
{
	int err = take_some(l, t);

	for (int i = 0; !err && i < 63; i++)
		err = tally_limit_take(&credit, 3);
	return err;
}

static int take_to_the_limit(struct tally_ledger *l, struct tally_token *t)
{
	int err = take_some(l, t);

	return err ? err : tally_limit_set_capacity(l, 5, MEMORY, 4);
}

static int step_take(struct tally_ledger *l, struct tally_token t)
{
	(void)l, (void)t;
	return tally_limit_take(&credit, 5);
}

static int step_take_one(struct tally_ledger *l, struct tally_token t)
{
	(void)l, (void)t;
	return tally_limit_take(&credit, 1);
}

static int step_give(struct tally_ledger *l, struct tally_token t)
{
	(void)l, (void)t;
	return tally_limit_give(&credit, 2);
}

static int step_reserve_rest(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {5, MEMORY, 4990};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};

	return tally_limit_reserve(l, account(l, JOB), &request, &t, NULL);
}

static int step_reserve_more(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {5, MEMORY, 4997};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};

	return tally_limit_reserve(l, account(l, JOB), &request, &t, NULL);
}

static int step_credit(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_credit(l, account(l, JOB), 5, MEMORY, &credit);
}

const struct call step_calls[] = {
	{"reserve", nothing, step_reserve, 0, false},
	{"reserve, refused", be_near_the_limit, step_reserve, -ENOSPC, false},
	{"reserve, after a reap", reserve_for_no_time, step_reserve_other,
	 -ENOSPC, false},
	{"claim", nothing, step_claim, 0, false},
	{"claim, of what was claimed for a time", claim_for_no_time, step_claim,
	 0, false},
	{"change of a claim", claim, step_place, 0, false},
	{"commit of a claim", claim, step_commit, 0, false},
	{"cancel of a claim", claim, step_cancel, 0, false},
	{"commit", reserve, step_commit, 0, false},
	{"cancel", reserve, step_cancel, 0, false},
	{"cancel of a lease among others", reserve_for_longer_and_longer,
	 step_cancel, 0, false},
	{"renewal of a lease among others", reserve_for_longer_and_longer,
	 step_renew, 0, false},
	{"release", reserve_and_commit, step_release, 0, false},
	{"release of a part", reserve_and_commit, step_release_part, 0, false},
	{"release of all parts", reserve, step_release_all_parts, 0, false},
	{"change", reserve, step_change, 0, false},
	{"change, refused", reserve_and_commit, step_change_too_much, -EDQUOT,
	 false},
	{"change that leaves nothing", reserve, step_give_all, 0, false},
	{"draw", reserve_and_commit, step_draw, 0, false},
	{"draw, refused", reserve_and_commit, step_draw_too_much, -ENOSPC,
	 false},
	{"change of a child", be_a_child, step_change_child, 0, false},
	{"cancel of a child", be_a_child, step_cancel, 0, false},
	{"release of a parent", be_a_parent, step_release, 0, false},
	{"shrinking of a parent, refused", be_a_parent, step_give_all, -EBUSY,
	 false},
	{"reap of a parent", be_a_parent_for_no_time, step_reap, 0, false},
	{"adopt", nothing, step_adopt, 0, false},
	{"set_quota", reserve_and_commit, step_quota, 0, true},
	{"set_capacity", nothing, step_capacity, 0, false},
	{"exchange", reserve_and_commit, step_exchange, 0, true},
	{"reap", reserve_for_no_time, step_reap, 0, false},
	{"credit", nothing, step_credit, 0, false},
	{"take, drawn ahead", take_nearly_all, step_take, 0, false},
	{"take at a limit", take_to_the_limit, step_take_one, -ENOSPC, false},
	{"give at a limit", take_to_the_limit, step_give, 0, false},
	{"reserve, after drawing back", take_some, step_reserve_rest, 0, false},
	{"reserve, refused after drawing back", take_some, step_reserve_more,
	 -ENOSPC, false},
};
const unsigned int step_nr_calls = sizeof(step_calls) / sizeof(step_calls[0]);

bool step_call_lapses(const struct call *call)
{
	return call->before == reserve_for_no_time ||
	       call->before == claim_for_no_time ||
	       call->before == be_a_parent_for_no_time;
}
