// SPDX-License-Identifier: MIT
/* Reservations that are drawn from another one: what counts, and what a parent has. */
#include "support/test.h"

#include <errno.h>
#include <unistd.h>

#include "support/drawing.h"
#include "support/inside.h"
#include "support/reserving.h"

#define NR_DEEP 24 /* reservations above one */

static void what_is_drawn_counts_with_the_parent(void **state)
{
	struct world w = make(*state);
	struct tally_ledger *l = w.ledger;
	struct tally_token t;

	assert_int_equal(left(l, w.token, 5), 8);
	assert_int_equal(left(l, w.token, 0), 0);
	assert_int_equal(draw(l, w.step, w.token, 5, 6, &t, NULL), 0);
	assert_int_equal(left(l, w.token, 5), 2);
	assert_int_equal(left(l, t, 5), 6);
	/* Neither the node nor a quota counts it once more. */
	assert_int_equal(of_node(l, 5).held, 8);
	assert_int_equal(of_node(l, 5).peak, 8);
	assert_int_equal(of_account(l, machine_account(l, "batch/")).held, 8);
	assert_int_equal(of_account(l, w.step).held, 0);
	assert_int_equal(of_account(l, w.job).held, 8);
	/* But each account has what it has. */
	assert_int_equal(held(l, w.job, 5), 8);
	assert_int_equal(held(l, w.step, 5), 6);
	assert_int_equal(nr_on(l, 5), 2);
	limits_agree(l);
	/* Nor does a quota that is set later. */
	assert_int_equal(tally_limit_set_quota(l,
					       machine_account(l, "batch/step"),
					       MEMORY, 1),
			 0);
	assert_int_equal(of_account(l, w.step).held, 0);
	limits_agree(l);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(left(l, w.token, 5), 8);
	assert_int_equal(left(l, t, 5), -ESTALE);
	assert_int_equal(nr_on(l, 5), 1);
	assert_int_equal(held(l, w.step, 5), 0);
	done(&w);
}

static void a_first_quota_does_not_count_it(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account job = machine_account(l, "a/job");
	struct tally_account step = machine_account(l, "a/step");
	struct tally_account above = machine_account(l, "a/");
	struct tally_token t = committed(l, job, 5, 8), u;

	assert_int_equal(draw(l, step, t, 5, 6, &u, NULL), 0);
	assert_int_equal(tally_limit_set_quota(l, above, MEMORY, 9), 0);
	assert_int_equal(of_account(l, above).held, 8);
	limits_agree(l);
	tally_ledger_close(l);
}

static void never_more_than_the_parent_has(void **state)
{
	struct world w = make(*state);
	struct tally_ledger *l = w.ledger;
	struct tally_refusal why = {.size = sizeof(why)};
	const struct tally_demand demands[] = {{5, MEMORY, 1}, {0, MEMORY, 1}};
	const struct tally_request request = request_of(demands, 2);
	struct tally_token t, u;

	assert_int_equal(draw(l, w.step, w.token, 5, 9, &t, &why), -ENOSPC);
	assert_int_equal(why.node, 5);
	assert_int_equal(why.resource, MEMORY);
	assert_int_equal(why.asked, 9);
	assert_int_equal(why.free, 8);
	assert_memory_equal(&why.account, &w.job, sizeof(w.job));
	assert_int_equal(draw(l, w.step, w.token, 5, 6, &t, NULL), 0);
	assert_int_equal(draw(l, w.other, w.token, 5, 3, &u, &why), -ENOSPC);
	assert_int_equal(why.free, 2);
	/* Whole or not at all. */
	assert_int_equal(
		tally_limit_draw(l, w.other, w.token, &request, &u, &why),
		-ENOSPC);
	assert_int_equal(why.node, 0);
	assert_int_equal(why.free, 0);
	assert_int_equal(left(l, w.token, 5), 2);
	/* The node does not refuse what the parent has. */
	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 0), 0);
	assert_int_equal(draw(l, w.other, w.token, 5, 2, &u, NULL), 0);
	assert_int_equal(of_node(l, 5).nr_refused, 0);
	/* A child grows by what the parent gets. */
	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 4), 0);
	assert_int_equal(change(l, t, 0, 1, &why), -ENOSPC);
	assert_memory_equal(&why.account, &w.job, sizeof(w.job));
	assert_int_equal(tally_limit_set_quota(l, machine_account(l, "batch/"),
					       MEMORY, 12),
			 0);
	assert_int_equal(change(l, w.token, 0, 4, NULL), 0);
	assert_int_equal(change(l, t, 0, 4, NULL), 0);
	assert_int_equal(change(l, u, 0, 1, &why), -ENOSPC);
	assert_int_equal(held(l, w.step, TALLY_VIEW_ALL), 10);
	/* It shrinks, and another gets it. */
	assert_int_equal(change(l, t, 0, -1, NULL), 0);
	assert_int_equal(change(l, u, 0, 1, NULL), 0);
	assert_int_equal(release(l, u, 0, 1), 0);
	assert_int_equal(left(l, w.token, 0), 1);
	assert_int_equal(left(l, w.token, 5), 0);
	assert_int_equal(change(l, u, 5, -2, NULL), 0);
	assert_int_equal(left(l, u, 5), -ESTALE);
	assert_int_equal(left(l, w.token, 5), 2);
	done(&w);
}

static void whether_it_fits(void **state)
{
	struct world w = make(*state);
	struct tally_ledger *l = w.ledger;
	struct tally_refusal why = {.size = sizeof(why)};
	struct tally_demand demand = {5, MEMORY, 8};
	const struct tally_request request = request_of(&demand, 1);

	assert_int_equal(
		tally_limit_draw_fits(l, w.step, w.token, &request, NULL), 0);
	assert_false(is_there(l, w.step));
	assert_int_equal(left(l, w.token, 5), 8);
	assert_int_equal(nr_on(l, 5), 1);
	demand.amount = 9;
	assert_int_equal(
		tally_limit_draw_fits(l, w.step, w.token, &request, &why),
		-ENOSPC);
	assert_int_equal(why.free, 8);
	assert_int_equal(
		tally_limit_draw_fits(l, w.job, w.token, &request, NULL),
		-EEXIST);
	done(&w);
}

static void a_parent_keeps_what_its_children_have(void **state)
{
	struct world w = make(*state);
	struct tally_ledger *l = w.ledger;
	const struct tally_demand there_and_back[] = {{5, MEMORY, -8},
						      {5, MEMORY, 8}};
	const struct tally_demand moves[] = {{5, MEMORY, -3}, {0, MEMORY, 3}};
	struct tally_request request = request_of(moves, 2);
	struct tally_token t;

	assert_int_equal(draw(l, w.step, w.token, 5, 6, &t, NULL), 0);
	assert_int_equal(change(l, w.token, 5, -3, NULL), -EBUSY);
	assert_int_equal(release(l, w.token, 5, 3), -EBUSY);
	assert_int_equal(change(l, w.token, 5, -9, NULL), -ERANGE);
	assert_int_equal(release(l, w.token, 5, 9), -ERANGE);
	assert_int_equal(tally_limit_change(l, w.token, &request, NULL),
			 -EBUSY);
	assert_int_equal(held(l, w.job, 5), 8);
	assert_int_equal(held(l, w.job, 0), 0);
	request = request_of(there_and_back, 2);
	assert_int_equal(tally_limit_change(l, w.token, &request, NULL), 0);
	assert_int_equal(change(l, w.token, 5, -1, NULL), 0);
	assert_int_equal(release(l, w.token, 5, 1), 0);
	assert_int_equal(left(l, w.token, 5), 0);
	assert_int_equal(of_node(l, 5).held, 6);
	assert_int_equal(release(l, t, 5, 5), 0);
	assert_int_equal(release(l, w.token, 5, 5), 0);
	assert_int_equal(of_node(l, 5).held, 1);
	done(&w);
}

static void which_the_parent_is(void **state)
{
	struct world w = make(*state);
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_account account;
	struct tally_view *view;
	struct tally_token t;
	uint64_t cursor = 0;
	unsigned int nr = 0;

	assert_int_equal(draw(w.ledger, w.step, w.token, 5, 1, &t, NULL), 0);
	assert_int_equal(tally_view_open(w.ledger, &view), 0);
	while (!tally_limit_reservation_next(view, &cursor, &account, &r)) {
		bool drawn = account.row == w.step.row;

		assert_int_equal(r.drawn, drawn);
		assert_int_equal(r.parent.row, drawn ? w.job.row : 0);
		assert_int_equal(r.parent.generation,
				 drawn ? w.job.generation : 0);
		nr++;
	}
	assert_int_equal(nr, 2);
	/* A caller of an older library asks for less. */
	r.size = offsetof(struct tally_reservation, parent);
	r.drawn = false;
	assert_int_equal(tally_limit_find(view, w.step, &r), 0);
	assert_false(r.drawn);
	tally_view_close(view);
	assert_int_equal(tally_limit_release(w.ledger, t, NULL, 0), 0);
	assert_int_equal(reserve(w.ledger, w.step, 0, 0, &t), 0);
	assert_int_equal(find(w.ledger, w.step, &r), 0);
	assert_false(r.drawn);
	done(&w);
}

static void each_error(void **state)
{
	struct world w = make(*state);
	struct tally_ledger *l = w.ledger;
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_request request = request_of(NULL, 0);
	const struct tally_demand events = {5, EVENTS, 1};
	struct tally_account gone = machine_account(l, "gone");
	struct tally_token t, none = {199, 1}, outside = {5000, 1};
	struct tally_view *view;
	int64_t amount = 77;

	assert_int_equal(draw(l, w.job, w.token, 5, 1, &t, NULL), -EEXIST);
	assert_int_equal(draw(l, w.step, none, 5, 1, &t, NULL), -ESTALE);
	assert_int_equal(draw(l, w.step, outside, 5, 1, &t, NULL), -ESTALE);
	assert_int_equal(left(l, none, 5), -ESTALE);
	assert_int_equal(left(l, outside, 5), -ESTALE);
	assert_int_equal(draw(l, w.step, w.token, 1, 1, &t, NULL), -ENOENT);
	assert_int_equal(left(l, w.token, 1), -ENOENT);
	assert_int_equal(draw(l, w.step, w.token, 5, -1, &t, NULL), -EINVAL);
	request = request_of(&events, 1);
	assert_int_equal(
		tally_limit_draw(l, w.step, w.token, &request, &t, NULL),
		-EINVAL);
	request = request_of(NULL, 0);
	request.size = 0;
	assert_int_equal(
		tally_limit_draw(l, w.step, w.token, &request, &t, NULL),
		-EINVAL);
	assert_int_equal(tally_account_end(accounts, gone), 0);
	assert_int_equal(draw(l, gone, w.token, 5, 1, &t, NULL), -ESTALE);
	assert_int_equal(draw(l, w.step, w.token, 5, 1, &t, NULL), 0);
	assert_int_equal(tally_account_end(accounts, w.step), 0);
	assert_int_equal(change(l, t, 5, 1, NULL), -ESHUTDOWN);
	assert_int_equal(draw(l, w.step, w.token, 5, 1, &t, NULL), -ESHUTDOWN);
	w.token.generation++;
	assert_int_equal(draw(l, w.other, w.token, 5, 1, &t, NULL), -ESTALE);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(
		tally_limit_draw_free(view, w.token, 5, EVENTS, &amount),
		-EINVAL);
	assert_int_equal(tally_limit_draw_free(view, w.token, 5, 7, &amount),
			 -EINVAL);
	assert_int_equal(amount, 77);
	tally_view_close(view);
	done(&w);
}

static void so_many_above_and_no_more(void **state)
{
	struct world w = make(*state);
	struct tally_token t = w.token, first = {0};
	char key[16];

	for (int i = 1; i <= NR_DEEP; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(draw(w.ledger, machine_account(w.ledger, key),
				      t, 5, 3, &t, NULL),
				 0);
		if (i == 1)
			first = t;
	}
	assert_int_equal(draw(w.ledger, w.step, t, 5, 3, &t, NULL), -ELOOP);
	limits_agree(w.ledger);
	assert_int_equal(tally_limit_release(w.ledger, first, NULL, 0), 0);
	assert_int_equal(left(w.ledger, w.token, 5), 8);
	done(&w);
}

/* With each account a parent and a child, in the smallest ledgers. */
static void every_place_is_used(void **state)
{
	static const int nodes[] = {0, 5, 9};
	struct tally_demand demands[3];
	const struct tally_request request = request_of(demands, 3);
	struct tally_ledger *l = machine_limit_ledger(*state, 20);
	struct tally_token t[20];
	char key[16];

	for (int i = 0; i < 3; i++)
		demands[i] = (struct tally_demand){nodes[i], MEMORY, 1};
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++) {
			struct tally_account a;

			snprintf(key, sizeof(key), "%d", i);
			a = machine_account(l, key);
			assert_int_equal(i ? tally_limit_draw(l, a, t[i - 1],
							      &request, &t[i],
							      NULL)
					   : tally_limit_reserve(l, a, &request,
								 &t[i], NULL),
					 0);
		}
		limits_agree(l);
		assert_int_equal(tally_limit_cancel(l, t[round % 2 ? 0 : 10]),
				 0);
		limits_agree(l);
		if (round % 2 == 0)
			assert_int_equal(tally_limit_cancel(l, t[0]), 0);
	}
	tally_ledger_close(l);
}

#define NR_MANY 3000

/* More than can be undone at once: a process that has begun with it died. */
static void many_children(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, NR_MANY + 10);
	struct layout *inside = inside_open(m->path);
	struct tally_account job = machine_account(l, "job");
	static struct tally_token t[NR_MANY];
	uint64_t *ending = &layout_limits(inside)->ending;
	struct tally_token token;
	char key[16];

	for (int round = 0; round < 2; round++) {
		token = committed(l, job, 5, NR_MANY);
		for (int i = 0; i < NR_MANY; i++) {
			snprintf(key, sizeof(key), "%d", i);
			assert_int_equal(draw(l, machine_account(l, key),
					      i % 3 ? t[i / 3 * 3] : token, 5,
					      i % 3 ? 1 : 3, &t[i], NULL),
					 0);
		}
		assert_int_equal(left(l, token, 5), 0);
		limits_agree(l);
		/* some out of the middle of a list */
		for (int i = 300; i < 600; i += 3)
			assert_int_equal(tally_limit_cancel(l, t[i]), 0);
		assert_int_equal(left(l, token, 5), 300);
		limits_agree(l);
		if (round) {
			*ending = job.row + 1;
			assert_int_equal(tally_limit_commit(l, t[1]), -ESTALE);
		} else {
			assert_int_equal(tally_limit_release(l, token, NULL, 0),
					 0);
		}
		assert_int_equal(*ending, 0);
		assert_int_equal(of_node(l, 5).held, 0);
		assert_int_equal(nr_on(l, 5), 0);
		limits_agree(l);
	}
	inside_close(inside);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(what_is_drawn_counts_with_the_parent),
		MACHINE_TEST(a_first_quota_does_not_count_it),
		MACHINE_TEST(never_more_than_the_parent_has),
		MACHINE_TEST(whether_it_fits),
		MACHINE_TEST(a_parent_keeps_what_its_children_have),
		MACHINE_TEST(which_the_parent_is),
		MACHINE_TEST(each_error),
		MACHINE_TEST(so_many_above_and_no_more),
		MACHINE_TEST(every_place_is_used),
		MACHINE_TEST(many_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
