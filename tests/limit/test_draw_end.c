// SPDX-License-Identifier: MIT
/* What ends what was drawn from a reservation. */
#include "support/test.h"

#include <errno.h>
#include <unistd.h>

#include "support/drawing.h"
#include "support/reserving.h"

/* Children, committed or not, and theirs. */
static void draw_some(struct world *w, struct tally_token *tokens)
{
	struct tally_ledger *l = w->ledger;

	assert_int_equal(draw(l, w->step, w->token, 5, 4, &tokens[0], NULL), 0);
	assert_int_equal(draw(l, w->other, w->token, 5, 3, &tokens[1], NULL),
			 0);
	assert_int_equal(tally_limit_commit(l, tokens[1]), 0);
	assert_int_equal(draw(l, machine_account(l, "t1"), tokens[1], 5, 2,
			      &tokens[2], NULL),
			 0);
	assert_int_equal(draw(l, machine_account(l, "t2"), tokens[1], 5, 1,
			      &tokens[3], NULL),
			 0);
	assert_int_equal(tally_limit_commit(l, tokens[2]), 0);
	assert_int_equal(left(l, w->token, 5), 1);
	assert_int_equal(left(l, tokens[1], 5), 0);
	assert_int_equal(nr_on(l, 5), 5);
	limits_agree(l);
}

static void all_ended(struct world *w, const struct tally_token *tokens)
{
	for (int i = 0; i < 4; i++) {
		assert_int_equal(left(w->ledger, tokens[i], 5), -ESTALE);
		assert_int_equal(tally_limit_commit(w->ledger, tokens[i]),
				 -ESTALE);
	}
	assert_int_equal(of_node(w->ledger, 5).held, 0);
	assert_int_equal(nr_on(w->ledger, 5), 0);
	assert_false(is_there(w->ledger, w->job));
	assert_false(is_there(w->ledger, w->step));
	done(w);
}

static void the_end_of_a_parent_ends_its_children(void **state)
{
	struct world w = make(*state);
	struct tally_token tokens[4];

	draw_some(&w, tokens);
	assert_int_equal(tally_limit_release(w.ledger, w.token, NULL, 0), 0);
	all_ended(&w, tokens);
}

/* Children that have nothing end with what is left of their parent. */
static void and_so_does_a_release_of_all(void **state)
{
	struct world w = make(*state);
	struct tally_ledger *l = w.ledger;
	struct tally_token t;

	assert_int_equal(draw(l, w.step, w.token, 5, 0, &t, NULL), 0);
	assert_int_equal(release(l, w.token, 5, 8), 0);
	assert_int_equal(left(l, t, 5), -ESTALE);
	w.token = committed(l, w.job, 5, 8);
	assert_int_equal(draw(l, w.step, w.token, 5, 1, &t, NULL), 0);
	assert_int_equal(change(l, t, 5, -1, NULL), 0);
	assert_int_equal(draw(l, w.step, w.token, 5, 0, &t, NULL), 0);
	assert_int_equal(change(l, w.token, 5, -8, NULL), 0);
	assert_int_equal(left(l, t, 5), -ESTALE);
	done(&w);
}

static void and_so_does_a_cancel(void **state)
{
	struct world w = make(*state);
	struct tally_token tokens[4];

	assert_int_equal(tally_limit_release(w.ledger, w.token, NULL, 0), 0);
	assert_int_equal(reserve(w.ledger, w.job, 5, 8, &w.token), 0);
	draw_some(&w, tokens);
	assert_int_equal(tally_limit_cancel(w.ledger, w.token), 0);
	all_ended(&w, tokens);
}

static void and_so_does_its_lease(void **state)
{
	struct world w = make(*state);
	const struct tally_demand demand = {5, MEMORY, 8};
	struct tally_request request = request_of(&demand, 1);
	struct tally_token tokens[4];

	assert_int_equal(tally_limit_release(w.ledger, w.token, NULL, 0), 0);
	request.lease_ns = 400000000;
	assert_int_equal(
		tally_limit_reserve(w.ledger, w.job, &request, &w.token, NULL),
		0);
	if (draw(w.ledger, w.step, w.token, 5, 4, &tokens[0], NULL) ||
	    tally_limit_commit(w.ledger, tokens[0]))
		skip(); /* the machine is slow */
	limits_lapse(400000000);
	/* At once, for each of them. */
	assert_int_equal(release(w.ledger, tokens[0], 5, 1), -ESTALE);
	assert_int_equal(
		draw(w.ledger, w.other, tokens[0], 5, 1, &tokens[1], NULL),
		-ESTALE);
	assert_int_equal(
		draw(w.ledger, w.other, w.token, 5, 1, &tokens[1], NULL),
		-ESTALE);
	assert_int_equal(reserve(w.ledger, w.step, 5, 2, &tokens[1]), 0);
	assert_int_equal(tally_limit_reap(w.ledger), 0);
	assert_int_equal(of_node(w.ledger, 5).held, 2);
	assert_false(is_there(w.ledger, w.job));
	done(&w);
}

/* A lease of a child gives its parent what it had, before a refusal. */
static void a_child_lapses(void **state)
{
	struct world w = make(*state);
	const struct tally_demand demand = {5, MEMORY, 8};
	struct tally_request request = request_of(&demand, 1);
	struct tally_token t, u;

	request.lease_ns = 1;
	assert_int_equal(
		tally_limit_draw(w.ledger, w.step, w.token, &request, &t, NULL),
		0);
	limits_lapse(1);
	assert_int_equal(draw(w.ledger, w.other, w.token, 5, 8, &u, NULL), 0);
	assert_int_equal(left(w.ledger, t, 5), -ESTALE);
	done(&w);
}

/* Draws in a process that dies. */
static void draw_and_die(const struct machine *m, struct world *w,
			 struct tally_account job, bool reserves)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *l;
		struct tally_token t = w->token, u;

		if (tally_ledger_open(m->path, &l) ||
		    (reserves && reserve(l, job, 5, 1, &t)) ||
		    draw(l, w->step, t, 5, 1, &u, NULL) ||
		    (reserves && tally_limit_commit(l, u)))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_process_dies(void **state)
{
	struct machine *m = *state;
	struct world w = make(m);
	struct tally_ledger *l = w.ledger;

	/* with a child */
	draw_and_die(m, &w, w.job, false);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_false(is_there(l, w.step));
	assert_int_equal(left(l, w.token, 5), 8);
	/* with a parent, of which a child is committed */
	draw_and_die(m, &w, w.other, true);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_false(is_there(l, w.step));
	assert_false(is_there(l, w.other));
	assert_int_equal(of_node(l, 5).held, 8);
	/* another process gets its slot, and what it left ends first */
	draw_and_die(m, &w, w.job, false);
	draw_and_die(m, &w, w.job, false);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(left(l, w.token, 5), 8);
	done(&w);
}

static void a_terminating_account_ends_with_its_parent(void **state)
{
	struct world w = make(*state);
	struct tally_accounts *accounts = tally_ledger_accounts(w.ledger);
	struct tally_token t;

	assert_int_equal(draw(w.ledger, w.step, w.token, 5, 1, &t, NULL), 0);
	assert_int_equal(tally_account_end(accounts, w.step), 0);
	assert_int_equal(tally_account_phase(accounts, w.step),
			 TALLY_PHASE_TERMINATING);
	assert_int_equal(tally_limit_release(w.ledger, w.token, NULL, 0), 0);
	assert_int_equal(tally_account_phase(accounts, w.step), -ESTALE);
	done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(the_end_of_a_parent_ends_its_children),
		MACHINE_TEST(and_so_does_a_release_of_all),
		MACHINE_TEST(and_so_does_a_cancel),
		MACHINE_TEST(and_so_does_its_lease),
		MACHINE_TEST(a_child_lapses),
		MACHINE_TEST(a_process_dies),
		MACHINE_TEST(a_terminating_account_ends_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
