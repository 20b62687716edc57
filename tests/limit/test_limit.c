// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "support/reserving.h"

static void a_reservation_and_its_ends(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_token t, old;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	assert_int_equal(reserve(l, a, 5, 60, &t), 0);
	assert_int_equal(held(l, a, 5), 60);
	assert_int_equal(held(l, a, TALLY_VIEW_ALL), 60);
	assert_int_equal(held(l, a, 0), 0);
	assert_int_equal(of_node(l, 5).held, 60);
	assert_int_equal(of_node(l, 5).limit, 100);
	assert_false(of_node(l, 5).over);
	assert_int_equal(machine_total(l, MEMORY), 60);

	assert_int_equal(reserve(l, a, 5, 1, &t), -EEXIST);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_cancel(l, t), -EBUSY);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(held(l, a, 5), 0);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), -ESTALE);
	assert_int_equal(tally_limit_commit(l, t), -ESTALE);

	old = t;
	assert_int_equal(reserve(l, a, 5, 100, &t), 0);
	assert_int_equal(tally_limit_cancel(l, old), -ESTALE);
	assert_int_equal(tally_limit_commit(l, old), -ESTALE);
	assert_int_equal(tally_limit_release(l, old, NULL, 0), -ESTALE);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(tally_limit_cancel(l, t), -ESTALE);
	assert_int_equal(of_node(l, 5).held, 0);
	assert_int_equal(of_node(l, 5).peak, 100);
	assert_int_equal(of_account(l, a).peak, 100);
	tally_ledger_close(l);
}

static void refused_at_the_capacity(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	const struct tally_demand demands[3] = {
		{0, MEMORY, 5}, {5, MEMORY, 30}, {5, MEMORY, 20}};
	struct tally_request request = request_of(demands, 3);
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_token t = {7, 7};

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 100), 0);
	assert_int_equal(reserve(l, a, 5, 60, &t), 0);
	t = (struct tally_token){7, 7};
	assert_int_equal(tally_limit_reserve(l, b, &request, &t, &why),
			 -ENOSPC);
	assert_int_equal(why.node, 5);
	assert_int_equal(why.resource, MEMORY);
	assert_int_equal(why.asked, 50);
	assert_int_equal(why.free, 40);
	assert_int_equal(t.row, 7); /* untouched */
	/* Nothing was reserved. */
	assert_int_equal(held(l, b, TALLY_VIEW_ALL), 0);
	assert_int_equal(of_node(l, 0).held, 0);
	assert_int_equal(of_node(l, 5).held, 60);
	assert_int_equal(of_node(l, 5).peak, 60);
	assert_int_equal(of_node(l, 5).nr_refused, 1);
	assert_int_equal(of_node(l, 0).nr_refused, 0);
	assert_int_equal(reserve(l, b, 5, 41, &t), -ENOSPC);
	assert_int_equal(reserve(l, b, 5, 40, &t), 0);
	assert_int_equal(of_node(l, 5).held, 100);
	assert_int_equal(of_node(l, 5).nr_refused, 2);
	tally_ledger_close(l);
}

static void a_limit_can_fall_below_what_is_held(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_token t, u;
	const struct tally_demand one = {0, MEMORY, 1};
	const struct tally_request request = request_of(&one, 1);

	assert_int_equal(of_node(l, 0).limit, TALLY_LIMIT_NONE);
	assert_int_equal(reserve(l, a, 0, 50, &t), 0);
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 40), 0);
	assert_true(of_node(l, 0).over);
	assert_int_equal(tally_limit_reserve(l, b, &request, &u, &why),
			 -ENOSPC);
	assert_int_equal(why.free, 0);
	/* A demand of 0 is never refused, and neither is a commit. */
	assert_int_equal(reserve(l, b, 0, 0, &u), 0);
	assert_int_equal(tally_limit_cancel(l, u), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(
		tally_limit_release(l, t, &(struct tally_demand){0, MEMORY, 11},
				    1),
		0);
	assert_false(of_node(l, 0).over);
	assert_int_equal(reserve(l, b, 0, 1, &u), 0);
	assert_int_equal(
		tally_limit_set_capacity(l, 0, MEMORY, TALLY_LIMIT_NONE), 0);
	assert_int_equal(of_node(l, 0).limit, TALLY_LIMIT_NONE);
	tally_ledger_close(l);
}

static void quotas_nest(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account job = machine_account(l, "batch/team/job");
	struct tally_account other = machine_account(l, "batch/other");
	struct tally_account apart = machine_account(l, "batches");
	struct tally_account batch = machine_account(l, "batch/");
	struct tally_account team = machine_account(l, "batch/team/");
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_token t, u;
	const struct tally_demand two[2] = {{0, MEMORY, 20}, {5, MEMORY, 20}};
	const struct tally_request request = request_of(two, 2);

	/* What is held when a quota is set counts too. */
	assert_int_equal(reserve(l, other, 0, 30, &t), 0);
	assert_int_equal(reserve(l, apart, 0, 1000, &u), 0);
	assert_int_equal(tally_limit_set_quota(l, batch, MEMORY, 60), 0);
	assert_int_equal(of_account(l, batch).held, 30);
	assert_int_equal(of_account(l, batch).peak, 30);
	assert_int_equal(tally_limit_set_quota(l, team, MEMORY, 50), 0);
	assert_int_equal(of_account(l, batch).held, 30);

	assert_int_equal(tally_limit_reserve(l, job, &request, &u, &why),
			 -EDQUOT);
	assert_int_equal(why.account.row, batch.row);
	assert_int_equal(why.account.generation, batch.generation);
	assert_int_equal(why.asked, 40);
	assert_int_equal(why.free, 30);
	assert_int_equal(of_account(l, batch).nr_refused, 1);
	assert_int_equal(of_account(l, team).nr_refused, 0);
	assert_int_equal(tally_limit_set_quota(l, batch, MEMORY, 70), 0);
	assert_int_equal(tally_limit_reserve(l, job, &request, &u, &why), 0);
	assert_int_equal(of_account(l, batch).held, 70);
	assert_int_equal(of_account(l, team).held, 40);
	assert_int_equal(of_account(l, job).held, 40);
	assert_int_equal(tally_limit_release(l, u, NULL, 0), 0);
	assert_int_equal(of_account(l, batch).held, 30);
	assert_int_equal(of_account(l, batch).peak, 70);
	assert_int_equal(of_account(l, team).held, 0);

	/* The account's own quota. */
	assert_int_equal(tally_limit_set_quota(l, job, MEMORY, 10), 0);
	assert_int_equal(tally_limit_reserve(l, job, &request, &u, &why),
			 -EDQUOT);
	assert_int_equal(why.account.row, job.row);
	assert_int_equal(why.free, 10);
	assert_int_equal(
		tally_limit_set_quota(l, job, MEMORY, TALLY_LIMIT_NONE), 0);
	assert_int_equal(tally_limit_reserve(l, job, &request, &u, &why), 0);
	/* A quota that was removed still counts. */
	assert_int_equal(
		tally_limit_set_quota(l, batch, MEMORY, TALLY_LIMIT_NONE), 0);
	assert_int_equal(of_account(l, batch).held, 70);
	assert_int_equal(tally_limit_release(l, u, NULL, 0), 0);
	assert_int_equal(of_account(l, batch).held, 30);
	tally_ledger_close(l);
}

static void quotas_nest_to_a_depth(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	char key[64] = "";
	struct tally_account a;
	struct tally_token t;

	for (int i = 0; i < 24; i++) {
		strcat(key, "a/");
		assert_int_equal(tally_limit_set_quota(
					 l, machine_account(l, key), MEMORY, 5),
				 0);
	}
	strcat(key, "a/");
	assert_int_equal(
		tally_limit_set_quota(l, machine_account(l, key), MEMORY, 5),
		-E2BIG);
	strcat(key, "b");
	a = machine_account(l, key);
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, 5), 0);
	assert_int_equal(reserve(l, a, 0, 5, &t), 0);
	assert_int_equal(of_account(l, machine_account(l, "a/")).held, 5);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(of_account(l, machine_account(l, "a/")).held, 0);
	tally_ledger_close(l);
}

static void a_quota_has_63_bits(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account q = machine_account(l, "q/");
	struct tally_token t, u;

	assert_int_equal(
		reserve(l, machine_account(l, "q/a"), 0, INT64_MAX - 1, &t), 0);
	assert_int_equal(reserve(l, machine_account(l, "q/b"), 5, 2, &u), 0);
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 7), -EOVERFLOW);
	assert_int_equal(of_account(l, q).held, 0);
	assert_int_equal(of_account(l, q).limit, TALLY_LIMIT_NONE);
	assert_int_equal(tally_limit_release(l, u, NULL, 0), 0);
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 7), 0);
	assert_int_equal(of_account(l, q).held, INT64_MAX - 1);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	tally_ledger_close(l);
}

static void released_in_parts(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	const struct tally_demand demands[2] = {{0, MEMORY, 8}, {9, MEMORY, 4}};
	const struct tally_request request = request_of(demands, 2);
	struct tally_demand part[2] = {{0, MEMORY, 3}, {9, MEMORY, 5}};
	struct tally_token t;

	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(tally_limit_release(l, t, part, 2), -ERANGE);
	assert_int_equal(held(l, a, 0), 8);
	part[1].node = 5;
	assert_int_equal(tally_limit_release(l, t, part, 2), -ERANGE);
	part[1] = (struct tally_demand){9, MEMORY, 4};
	assert_int_equal(tally_limit_release(l, t, part, 2), 0);
	assert_int_equal(held(l, a, 0), 5);
	assert_int_equal(held(l, a, 9), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	part[0].amount = 5;
	assert_int_equal(tally_limit_release(l, t, part, 1), 0);
	/* Nothing was left behind. */
	assert_int_equal(tally_limit_release(l, t, part, 1), -ESTALE);
	tally_ledger_close(l);
}

static void what_is_in_use_is_adopted(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "q/a");
	struct tally_account q = machine_account(l, "q/");
	struct tally_demand demand = {0, MEMORY, 25};
	const struct tally_request request = request_of(&demand, 1);
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_view *view;
	struct tally_token t;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10), 0);
	assert_int_equal(tally_limit_set_quota(l, q, MEMORY, 20), 0);
	assert_int_equal(tally_limit_adopt(l, a, &request, &t), 0);
	assert_int_equal(of_node(l, 0).held, 25);
	assert_true(of_node(l, 0).over);
	assert_true(of_account(l, q).over);
	assert_int_equal(tally_limit_adopt(l, a, &request, &t), -EEXIST);
	assert_int_equal(tally_limit_cancel(l, t), -EBUSY);

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_find(view, a, &found), 0);
	assert_int_equal(found.token.row, t.row);
	assert_int_equal(found.token.generation, t.generation);
	assert_int_equal(found.state, TALLY_COMMITTED);
	assert_int_equal(tally_limit_find(view, q, &found), -ENOENT);
	tally_view_close(view);

	demand.amount = INT64_MAX;
	assert_int_equal(
		tally_limit_adopt(l, machine_account(l, "b"), &request, &t),
		-ENOSPC);
	assert_int_equal(of_node(l, 0).held, 25);
	tally_ledger_close(l);
}

static int64_t deadline(struct tally_ledger *l, struct tally_account a)
{
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_find(view, a, &found), 0);
	tally_view_close(view);
	return found.deadline_ns;
}

static void leases_run_out(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account b = machine_account(l, "b");
	struct tally_account c = machine_account(l, "c");
	const struct tally_demand demand = {0, MEMORY, 6};
	struct tally_request request = request_of(&demand, 1);
	struct tally_token t, u, v;
	int err;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10), 0);
	request.lease_ns = 20000000;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	limits_lapse(20000000);
	/* What it held is free at once. */
	assert_int_equal(reserve(l, b, 0, 10, &u), 0);
	assert_int_equal(tally_limit_commit(l, t), -ESTALE);
	assert_int_equal(tally_limit_cancel(l, u), 0);

	/* Its own account's too; and commit ends a lease. */
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	limits_lapse(20000000);
	assert_int_equal(tally_limit_commit(l, t), -ESTALE);
	request.lease_ns = INT64_C(3600000000000);
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_true(deadline(l, a) < INT64_MAX);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	request.lease_ns = 20000000;
	do { /* On a busy machine it may expire before. */
		assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL),
				 0);
		err = tally_limit_commit(l, t);
	} while (err == -ESTALE);
	assert_int_equal(err, 0);
	assert_true(deadline(l, a) == INT64_MAX);
	limits_lapse(20000000);
	assert_int_equal(reserve(l, b, 0, 5, &u), -ENOSPC);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);

	/* The one in the middle of several. */
	assert_int_equal(reserve(l, a, 0, 1, &t), 0);
	assert_int_equal(tally_limit_reserve(l, b, &request, &u, NULL), 0);
	assert_int_equal(reserve(l, c, 0, 1, &v), 0);
	limits_lapse(20000000);
	assert_int_equal(of_node(l, 0).held, 8);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(of_node(l, 0).held, 2);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_commit(l, v), 0);
	tally_ledger_close(l);
}

static pid_t in_child(void (*what)(const char *path), const char *path)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		what(path);
		_exit(0);
	}
	return pid;
}

static void reserve_and_die(const char *path)
{
	struct tally_ledger *l;
	struct tally_token t;

	if (tally_ledger_open(path, &l) ||
	    reserve(l, machine_account(l, "dead"), 0, 3, &t) ||
	    reserve(l, machine_account(l, "kept"), 0, 4, &t) ||
	    tally_limit_commit(l, t))
		_exit(1);
}

static void the_dead_hold_what_they_committed(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0), *next;
	struct tally_token t;
	int status;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10), 0);
	waitpid(in_child(reserve_and_die, m->path), &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(of_node(l, 0).held, 7);
	/* Leases are checked when room is needed, ... */
	nanosleep(&(struct timespec){0, 11000000}, NULL);
	assert_int_equal(reserve(l, machine_account(l, "a"), 0, 6, &t), 0);
	assert_int_equal(of_node(l, 0).held, 10);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(
		tally_limit_release(
			l,
			(struct tally_token){machine_account(l, "kept").row, 1},
			NULL, 0),
		0);
	/* A slot that was reused has another generation. */
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(reserve(next, machine_account(l, "dead"), 0, 6, &t),
			 0);
	tally_ledger_close(next);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(of_node(l, 0).held, 0);
	tally_ledger_close(next);
	/* ... when it is asked for, ... */
	waitpid(in_child(reserve_and_die, m->path), &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(of_node(l, 0).held, 4);
	assert_int_equal(
		tally_limit_release(
			l,
			(struct tally_token){machine_account(l, "kept").row, 2},
			NULL, 0),
		0);
	/* ... and when a process opens the ledger. */
	waitpid(in_child(reserve_and_die, m->path), &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(of_node(l, 0).held, 4);
	tally_ledger_close(next);
	tally_ledger_close(l);
}

static void a_process_that_returns_is_another(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0), *next;
	struct tally_token t;

	/* It gets the slot that it had. */
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(reserve(next, machine_account(next, "a"), 0, 3, &t),
			 0);
	tally_ledger_close(next);
	assert_int_equal(of_node(l, 0).held, 3);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(of_node(l, 0).held, 0);
	assert_int_equal(tally_limit_commit(next, t), -ESTALE);
	tally_ledger_close(next);
	tally_ledger_close(l);
}

static void misuse_is_an_error(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_account stale = {a.row, a.generation + 1};
	struct tally_demand demand = {0, MEMORY, 1};
	struct tally_request request = request_of(&demand, 1);
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;
	struct tally_token t;
	int64_t amounts[2];

	assert_int_equal(tally_limit_set_capacity(l, 1, MEMORY, 1), -ENOENT);
	assert_int_equal(tally_limit_set_capacity(l, 0, EVENTS, 1), -EINVAL);
	assert_int_equal(tally_limit_set_capacity(l, 0, 2, 1), -EINVAL);
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, -1), -EINVAL);
	assert_int_equal(tally_limit_set_quota(l, a, EVENTS, 1), -EINVAL);
	assert_int_equal(tally_limit_set_quota(l, a, MEMORY, -1), -EINVAL);
	assert_int_equal(tally_limit_set_quota(l, stale, MEMORY, 1), -ESTALE);
	assert_int_equal(tally_limit_reserve(l, stale, &request, &t, NULL),
			 -ESTALE);
	demand.node = 1;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL),
			 -ENOENT);
	demand = (struct tally_demand){0, EVENTS, 1};
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL),
			 -EINVAL);
	demand = (struct tally_demand){0, MEMORY, -1};
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL),
			 -EINVAL);
	demand.amount = 1;
	request.lease_ns = -1;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL),
			 -EINVAL);
	request.lease_ns = 0;
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	demand.node = 1;
	assert_int_equal(tally_limit_release(l, t, &demand, 1), -ENOENT);
	demand = (struct tally_demand){0, EVENTS, 1};
	assert_int_equal(tally_limit_release(l, t, &demand, 1), -EINVAL);
	assert_int_equal(tally_limit_commit(l, (struct tally_token){99999, 1}),
			 -ESTALE);
	assert_int_equal(tally_limit_commit(l, (struct tally_token){4000, 1}),
			 -ESTALE);

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_node(view, 1, MEMORY, &limit), -ENOENT);
	assert_int_equal(tally_limit_account(view, stale, MEMORY, &limit),
			 -ESTALE);
	assert_int_equal(tally_limit_holding(view, stale, 0, amounts), -ESTALE);
	assert_int_equal(tally_limit_holding(view, a, 1, amounts), -ENOENT);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void an_unlimited_amount_has_63_bits(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	const struct tally_demand demand = {0, MEMORY, 2};
	const struct tally_request request = request_of(&demand, 1);
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_token t;

	assert_int_equal(
		reserve(l, machine_account(l, "a"), 0, INT64_MAX - 1, &t), 0);
	assert_int_equal(tally_limit_reserve(l, machine_account(l, "b"),
					     &request, &t, &why),
			 -ENOSPC);
	assert_int_equal(why.free, 1);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_reservation_and_its_ends),
		MACHINE_TEST(refused_at_the_capacity),
		MACHINE_TEST(a_limit_can_fall_below_what_is_held),
		MACHINE_TEST(quotas_nest),
		MACHINE_TEST(quotas_nest_to_a_depth),
		MACHINE_TEST(a_quota_has_63_bits),
		MACHINE_TEST(released_in_parts),
		MACHINE_TEST(what_is_in_use_is_adopted),
		MACHINE_TEST(leases_run_out),
		MACHINE_TEST(the_dead_hold_what_they_committed),
		MACHINE_TEST(a_process_that_returns_is_another),
		MACHINE_TEST(misuse_is_an_error),
		MACHINE_TEST(an_unlimited_amount_has_63_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
