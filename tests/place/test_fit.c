// SPDX-License-Identifier: MIT
/* Nodes of a machine of several: which machine, which demands, which errors. */
#include "support/test.h"

#include "place/columns.h"

#define PER_MACHINE 4u
#define MACHINES    50u

static struct columns c;
static struct tally_amount amounts[2];
static struct tally_place_part part = {amounts, 2};
static struct tally_place_request request;
static int near_and_far[PER_MACHINE][PER_MACHINE];
static const int *distances[COLUMNS_NODES];

/* Asks for 12 of resource 0, 2 of resource 1: of more than one node. */
static int setup(void **state)
{
	(void)state;
	columns_init(&c, MACHINES * PER_MACHINE, PER_MACHINE);
	amounts[0] = (struct tally_amount){0, 12};
	amounts[1] = (struct tally_amount){1, 2};
	request = (struct tally_place_request){
		.size = sizeof(request),
		.parts = &part,
		.nr_parts = 1,
		.policy = TALLY_PLACE_BEST_EFFORT,
	};
	for (unsigned int i = 0; i < PER_MACHINE; i++)
		for (unsigned int j = 0; j < PER_MACHINE; j++)
			near_and_far[i][j] = i == j ? 10 : i == 3 - j ? 12 : 20;
	for (uint32_t n = 0; n < COLUMNS_NODES; n++)
		distances[n] = near_and_far[n % PER_MACHINE];
	return 0;
}

static struct tally_fit expect(uint32_t machine, uint64_t nodes)
{
	struct tally_fit fit = {.size = sizeof(fit)};

	assert_int_equal(tally_place_fit(&c.place, &request, TALLY_PLACE_ANY,
					 NULL, &fit),
			 0);
	assert_int_equal(fit.machine, machine);
	assert_int_equal(fit.nodes, nodes);
	return fit;
}

static void expect_error(uint32_t machine, int err)
{
	struct tally_fit fit = {.size = sizeof(fit), .machine = 77};
	struct tally_place_hint hint = {77, true};

	assert_int_equal(
		tally_place_fit(&c.place, &request, machine, &hint, &fit), err);
	assert_int_equal(fit.machine, 77);
	assert_int_equal(hint.nodes, 77);
}

static void demands_are_of_the_hint_first(void **state)
{
	struct tally_fit fit;

	(void)state;
	c.free[0][0] = 3;
	fit = expect(0, 7);
	assert_int_equal(fit.nr_demands, 4);
	assert_int_equal(fit.demands[0].node, 0);
	assert_int_equal(fit.demands[0].amount, 3);
	assert_int_equal(fit.demands[1].node, 0);
	assert_int_equal(fit.demands[1].resource, 1);
	assert_int_equal(fit.demands[1].amount, 2);
	assert_int_equal(fit.demands[2].node, 1);
	assert_int_equal(fit.demands[2].amount, 8);
	assert_int_equal(fit.demands[3].node, 2);
	assert_int_equal(fit.demands[3].amount, 1);
	assert_false(fit.preferred);
}

static void numbers_are_those_of_the_ledger(void **state)
{
	int numbers[COLUMNS_NODES];
	struct tally_fit fit;

	(void)state;
	for (int n = 0; n < COLUMNS_NODES; n++)
		numbers[n] = 1000 + 3 * n;
	c.place.numbers = numbers;
	fit = expect(0, 3);
	assert_int_equal(fit.demands[0].node, 1000);
	assert_int_equal(fit.demands[2].node, 1003);
}

static void use(uint32_t machine, unsigned int resource, int64_t left)
{
	for (uint32_t n = 0; n < PER_MACHINE; n++)
		c.free[resource][machine * PER_MACHINE + n] = left;
}

static void the_machine_has_the_highest_score(void **state)
{
	(void)state;
	use(0, 0, 2);
	expect(1, 3);
	use(7, 0, 6);
	request.score = TALLY_PLACE_BEST;
	expect(7, 3);
	request.score = TALLY_PLACE_MOST_ALLOCATED;
	expect(7, 3);
	request.score = TALLY_PLACE_LEAST_ALLOCATED;
	expect(1, 3);
	use(9, 1, 4);
	request.score = TALLY_PLACE_BALANCED;
	expect(9, 3);
	c.free[0][11 * PER_MACHINE + 2] = 12;
	c.capacity[0][11 * PER_MACHINE + 2] = 12;
	request.score = TALLY_PLACE_FEWEST_NODES;
	expect(11, 4);
}

static void of_as_many_nodes_those_are_taken_that_are_near(void **state)
{
	struct tally_fit fit;

	(void)state;
	c.place.distances = distances;
	amounts[1].amount = 12;
	expect(0, 3);
	request.score = TALLY_PLACE_FEWEST_NODES;
	fit = expect(0, 6);
	assert_true(fit.score < 0);
	/* Nodes 0 and 3 are as near. */
	c.free[0][1] = 0;
	expect(0, 9);
	/* Only far ones are left. */
	c.free[0][0] = 0;
	expect(1, 6);
}

static void one_machine_is_asked_about(void **state)
{
	struct tally_fit fit = {.size = sizeof(fit)};
	struct tally_place_hint hint;

	(void)state;
	assert_int_equal(tally_place_fit(&c.place, &request, 49, &hint, &fit),
			 0);
	assert_int_equal(fit.machine, 49);
	assert_int_equal(fit.demands[0].node, 49 * PER_MACHINE);
	assert_int_equal(hint.nodes, 3);
	use(49, 0, 2);
	expect_error(49, -ENOSPC);
	expect_error(50, -ENOENT);
}

static void machines_may_differ_in_size(void **state)
{
	const uint32_t machines[] = {0, 0, 1, 66, 70};

	(void)state;
	c.place.machines = machines;
	c.place.nr_machines = 4;
	c.place.nr_nodes = 70;
	request.policy = TALLY_PLACE_SINGLE_NODE;
	amounts[0].amount = 8;
	expect(1, 1);
	c.free[0][0] = 0;
	/* A machine with too many nodes */
	expect_error(TALLY_PLACE_ANY, -E2BIG);
	for (uint32_t n = 1; n < 66; n++)
		c.free[0][n] = 0;
	expect(3, 1);
}

static void sixteen_nodes_are_aligned(void **state)
{
	const uint32_t machines[] = {0, 64};

	(void)state;
	c.place.machines = machines;
	c.place.nr_machines = 1;
	c.place.nr_nodes = 64;
	expect_error(0, -E2BIG);
	request.policy = TALLY_PLACE_NONE;
	expect(0, 3);
	/* What one node does is found on all 64. */
	request.policy = TALLY_PLACE_RESTRICTED;
	amounts[0].amount = 8;
	for (uint32_t n = 0; n < 63; n++)
		c.free[0][n] = 1;
	expect(0, UINT64_C(1) << 63);
	/* Nodes that have nothing of it do not count. */
	amounts[0].amount = 12;
	part.nr_amounts = 1;
	for (uint32_t n = 0; n < 64; n++)
		if (n % 4)
			c.free[0][n] = c.capacity[0][n] = 0;
		else
			c.free[0][n] = 8;
	expect(0, 17);
	/* Hints of all 16 share nodes 0 and 4, which have too little. */
	c.free[0][0] = c.free[0][4] = c.free[1][4] = 1;
	c.free[1][0] = 0;
	part.nr_amounts = 2;
	request.policy = TALLY_PLACE_BEST_EFFORT;
	for (uint32_t n = 0; n < 64; n++)
		if (n % 4)
			c.free[1][n] = c.capacity[1][n] = 0;
	expect(0, 0x1111);
	part.nr_amounts = 2;
}

static void over_64_demands_are_too_many(void **state)
{
	int64_t *same[TALLY_PLACE_MAX_AMOUNTS];
	struct tally_amount many[TALLY_PLACE_MAX_AMOUNTS];
	const struct tally_place_part all = {many, TALLY_PLACE_MAX_AMOUNTS};

	(void)state;
	for (unsigned int r = 0; r < TALLY_PLACE_MAX_AMOUNTS; r++) {
		same[r] = c.free[0];
		many[r] = (struct tally_amount){r, 8};
	}
	c.place.free = c.place.capacity = same;
	c.place.nr_resources = TALLY_PLACE_MAX_AMOUNTS;
	c.place.weights = NULL;
	request.parts = &all;
	assert_int_equal(expect(0, 1).nr_demands, 64);
	many[63].amount = 9;
	expect_error(TALLY_PLACE_ANY, -E2BIG);
}

struct calls {
	unsigned int nr, filter_error, rate_error;
};

static int not_first(void *arg, const uint32_t *nodes, unsigned int nr,
		     bool *keep)
{
	const struct calls *calls = arg;

	assert_int_equal(nr, PER_MACHINE);
	for (unsigned int i = 0; i < nr; i++)
		keep[i] = nodes[i] % PER_MACHINE && nodes[i] > 10;
	return -(int)calls->filter_error;
}

static int far_down(void *arg, const uint32_t *nodes, unsigned int nr,
		    double *scores)
{
	struct calls *calls = arg;

	calls->nr++;
	assert_int_equal(nr, 2);
	for (unsigned int i = 0; i < nr; i++)
		scores[i] = nodes[i] / PER_MACHINE == 30;
	return (int)calls->rate_error;
}

static void the_callers_functions_decide(void **state)
{
	struct calls calls = {0};

	(void)state;
	request.arg = &calls;
	request.filter = not_first;
	expect(3, 6);
	request.rate = far_down;
	assert_true(expect(30, 6).score == 1);
	assert_int_equal(calls.nr, MACHINES - 3);
	calls.rate_error = 9;
	expect_error(TALLY_PLACE_ANY, 9);
	calls.filter_error = EPERM;
	expect_error(TALLY_PLACE_ANY, -EPERM);
}

static void bad_calls_are_refused(void **state)
{
	struct tally_fit fit = {.size = 1};

	(void)state;
	assert_int_equal(tally_place_fit(&c.place, &request, 0, NULL, &fit),
			 -EINVAL);
	amounts[0].amount = -1;
	expect_error(0, -EINVAL);
	amounts[0].amount = amounts[1].amount = 0;
	expect_error(0, -EINVAL);
	amounts[0].amount = 33;
	expect_error(TALLY_PLACE_ANY, -ERANGE);
	amounts[0].amount = 32;
	use(0, 0, 7);
	expect(1, 15);
	request.policy = TALLY_PLACE_SINGLE_NODE;
	expect_error(TALLY_PLACE_ANY, -ERANGE);
	request.size = 3;
	expect_error(0, -EINVAL);
}

static void a_container_may_ask_for_nothing(void **state)
{
	const struct tally_place_part parts[3] = {{NULL, 0}, part, {NULL, 0}};
	struct tally_fit fit = {.size = sizeof(fit)};
	struct tally_place_hint hints[3];

	(void)state;
	request.parts = parts;
	request.nr_parts = 3;
	assert_int_equal(tally_place_fit(&c.place, &request, 0, hints, &fit),
			 0);
	assert_int_equal(hints[0].nodes, 0);
	assert_true(hints[0].preferred);
	assert_int_equal(hints[1].nodes, 3);
	assert_int_equal(hints[2].nodes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(demands_are_of_the_hint_first, setup),
		cmocka_unit_test_setup(numbers_are_those_of_the_ledger, setup),
		cmocka_unit_test_setup(the_machine_has_the_highest_score,
				       setup),
		cmocka_unit_test_setup(
			of_as_many_nodes_those_are_taken_that_are_near, setup),
		cmocka_unit_test_setup(one_machine_is_asked_about, setup),
		cmocka_unit_test_setup(machines_may_differ_in_size, setup),
		cmocka_unit_test_setup(sixteen_nodes_are_aligned, setup),
		cmocka_unit_test_setup(over_64_demands_are_too_many, setup),
		cmocka_unit_test_setup(the_callers_functions_decide, setup),
		cmocka_unit_test_setup(bad_calls_are_refused, setup),
		cmocka_unit_test_setup(a_container_may_ask_for_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
