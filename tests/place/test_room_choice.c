// SPDX-License-Identifier: MIT
/* On which machine room is made, as Kubernetes' documentation and tests have it. */
#include "place/scene.h"

/* ---- which machine ------------------------------------------------------- */

static void the_lowest_highest_priority_is_taken(void **state)
{
	struct scene *s = three_nodes(state);

	put(s, has(1, 50), 0, 4);
	put(s, has(2, 10), 0, 4);
	put(s, has(3, 40), 2, 4);
	put(s, has(4, 39), 2, 4);
	put(s, has(5, 41), 4, 8);
	assert_string_equal(victims(s), "3 4 ");
	assert_int_equal(s->fit.machine, 1);
	/* Only this machine, as the caller says. */
	assert_int_equal(tally_place_make_room(s->candidates, &s->request, 2,
					       &s->eviction, &s->room, &s->fit),
			 0);
	assert_int_equal(s->room.nr_victims, 1);
	assert_int_equal(s->victims[0].row, 5);
}

static void then_the_lowest_sum_of_priorities(void **state)
{
	struct scene *s = three_nodes(state);

	put(s, has(1, 50), 0, 4);
	put(s, has(2, 40), 0, 4);
	put(s, has(3, 50), 2, 4);
	put(s, has(4, 30), 2, 4);
	put(s, has(5, 50), 4, 4);
	put(s, has(6, 35), 4, 4);
	assert_string_equal(victims(s), "3 4 ");
}

/* Each counts 2^31 more, so that more of negative priority cost more. */
static void sums_are_of_priorities_above_the_least(void **state)
{
	struct scene *s = three_nodes(state);

	put(s, has(1, -10), 0, 4);
	put(s, has(2, -10), 0, 2);
	put(s, has(3, -10), 0, 2);
	put(s, has(4, -10), 2, 4);
	put(s, has(5, -10), 2, 4);
	fill(s, 4);
	assert_string_equal(victims(s), "4 5 ");
}

static void then_the_fewest_victims(void **state)
{
	struct scene *s = three_nodes(state);

	/* Those of the least priority add nothing to the sum. */
	put(s, has(1, 50), 0, 4);
	put(s, has(2, INT32_MIN), 0, 2);
	put(s, has(3, INT32_MIN), 0, 2);
	put(s, has(4, 50), 2, 4);
	put(s, has(5, INT32_MIN), 2, 4);
	fill(s, 4);
	assert_string_equal(victims(s), "4 5 ");
}

static void then_the_latest_start(void **state)
{
	struct scene *s = three_nodes(state);

	put_at(s, 1, 50, 200, 0, 4);
	put_at(s, 2, 50, 203, 0, 4);
	put_at(s, 3, 50, 201, 2, 4);
	put_at(s, 4, 50, 202, 2, 4);
	/* The start of a lower priority does not count. */
	put_at(s, 5, 50, 201, 4, 4);
	put_at(s, 6, 50, 201, 4, 4);
	assert_string_equal(victims(s), "3 4 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){6, 1}, 1);
	s->columns.free[0][4] += 4;
	put_at(s, 7, 50, 300, 4, 4);
	assert_string_equal(victims(s), "3 4 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){5, 1}, 1);
	s->columns.free[0][4] += 4;
	put_at(s, 8, 50, 202, 4, 4);
	assert_string_equal(victims(s), "8 7 ");
}

static void then_the_first_machine(void **state)
{
	struct scene *s = three_nodes(state);

	for (uint32_t i = 0; i < 3; i++)
		put(s, has(9 - i, 7), (int)(2 * i), 8);
	assert_string_equal(victims(s), "9 ");
}

/* ---- budgets ------------------------------------------------------------- */

static void put_budgeted(struct scene *s, uint32_t row, int32_t priority,
			 uint32_t budget, int node, int64_t amount)
{
	struct tally_candidate c = has(row, priority);

	c.budget = budget;
	put(s, c, node, amount);
}

static void the_fewest_over_a_budget_are_taken(void **state)
{
	struct scene *s = three_nodes(state);

	put_budgeted(s, 1, 10, 1, 0, 8);
	put(s, has(2, 500), 2, 8);
	fill(s, 4);
	assert_string_equal(victims(s), "2 ");
	assert_int_equal(s->room.nr_over_budget, 0);
	s->budgets[0] = 1;
	assert_string_equal(victims(s), "1 ");
	assert_int_equal(s->room.nr_over_budget, 0);
	/* What is not listed allows none. */
	s->eviction.nr_budgets = 0;
	s->eviction.budgets = NULL;
	assert_string_equal(victims(s), "2 ");
	fill(s, 2);
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){2, 1}, 1);
	assert_string_equal(victims(s), "1 ");
	assert_int_equal(s->room.nr_over_budget, 1);
}

/* A budget allows one: of two, the less important one is over it, and brought back
 * first. */
static void what_is_over_a_budget_is_brought_back_first(void **state)
{
	struct scene *s = one_machine(state);

	fill(s, 1);
	s->budgets[0] = 1;
	put_budgeted(s, 1, 20, 1, 0, 4);
	put_budgeted(s, 2, 10, 1, 0, 4);
	s->amounts[0].amount = 4;
	assert_string_equal(victims(s), "1 ");
	assert_int_equal(s->room.nr_over_budget, 0);
	s->amounts[0].amount = 8;
	assert_string_equal(victims(s), "1 2 ");
	assert_int_equal(s->room.nr_over_budget, 1);
	/* One of its own. */
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){2, 1}, 1);
	s->columns.free[0][0] += 4;
	s->budgets[1] = 1;
	put_budgeted(s, 2, 10, 2, 0, 4);
	assert_string_equal(victims(s), "1 2 ");
	assert_int_equal(s->room.nr_over_budget, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(the_lowest_highest_priority_is_taken),
		SCENE(then_the_lowest_sum_of_priorities),
		SCENE(sums_are_of_priorities_above_the_least),
		SCENE(then_the_fewest_victims),
		SCENE(then_the_latest_start),
		SCENE(then_the_first_machine),
		SCENE(the_fewest_over_a_budget_are_taken),
		SCENE(what_is_over_a_budget_is_brought_back_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
