// SPDX-License-Identifier: MIT
/* One node with room: first and best fit, scores, and the caller's functions. */
#include "support/test.h"

#include <math.h>

#include "place/columns.h"

static struct columns c;

static struct tally_amount amounts[COLUMNS_RESOURCES];
static struct tally_place_part part = {amounts, 3};
static struct tally_place_request request;

/* Asks for 4 of resource 0, 2 of 1, and 1 of 2. */
static int setup(void **state)
{
	(void)state;
	columns_init(&c, COLUMNS_NODES, 8);
	for (unsigned int r = 0; r < COLUMNS_RESOURCES; r++)
		amounts[r] = (struct tally_amount){r, 4 >> r};
	part.nr_amounts = 3;
	request = (struct tally_place_request){
		.size = sizeof(request),
		.parts = &part,
		.nr_parts = 1,
	};
	return 0;
}

static void expect(enum tally_place_score score, int64_t node)
{
	uint32_t found = UINT32_MAX;

	request.score = score;
	assert_int_equal(tally_place_node(&c.place, &request, &found), 0);
	assert_int_equal(found, node);
}

static void expect_error(int err)
{
	uint32_t found = 77;

	assert_int_equal(tally_place_node(&c.place, &request, &found), err);
	assert_int_equal(found, 77);
}

static void first_fit_is_the_first_node_with_all(void **state)
{
	(void)state;
	for (uint32_t end = 0; end < COLUMNS_NODES; end++) {
		expect(TALLY_PLACE_FIRST, end);
		c.free[end % 3][end] = (4 >> end % 3) - 1;
	}
	expect_error(-ENOSPC);
}

static void best_fit_leaves_least(void **state)
{
	(void)state;
	c.free[0][700] = 7;
	expect(TALLY_PLACE_BEST, 700);
	c.free[0][800] = 4;
	expect(TALLY_PLACE_BEST, 800);
	c.free[1][1399] = 2;
	expect(TALLY_PLACE_BEST, 1399);
	/* The first of equal ones */
	c.free[1][1398] = 2;
	expect(TALLY_PLACE_BEST, 1398);
	c.weights[1] = 0.5;
	expect(TALLY_PLACE_BEST, 800);
	c.free[0][801] = 3;
	expect(TALLY_PLACE_BEST, 800);
}

/* In blocks, of which each finds one, and where the weights are not known. */
static void best_fit_of_blocks_is_the_least_of_all(void **state)
{
	(void)state;
	c.place.weights = NULL;
	for (uint32_t n = COLUMNS_NODES; n--;) {
		c.free[2][n] = 2;
		expect(TALLY_PLACE_BEST, n);
	}
}

static double cost_of(const struct columns *of, uint32_t n, unsigned int nr)
{
	double cost = 0;

	for (unsigned int r = 0; r < nr; r++) {
		if (of->free[r][n] < amounts[r].amount)
			return INFINITY;
		cost += (double)(of->free[r][n] - amounts[r].amount) *
			of->weights[r];
	}
	return cost;
}

static void best_fit_agrees_with_a_plain_search(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (unsigned int i = 0; i < (test_is_long() ? 100000u : 1000u); i++) {
		uint32_t nr = 1 + (uint32_t)columns_random(&random, 1300);
		double least = INFINITY;
		uint32_t found, first = nr;
		int err;

		part.nr_amounts = 1 + i % COLUMNS_RESOURCES;
		columns_init(&c, nr, 8);
		for (unsigned int r = 0; r < part.nr_amounts; r++) {
			amounts[r].amount =
				1 + (int64_t)columns_random(&random, 30);
			c.weights[r] = 1. / (double)(1 + r);
			for (uint32_t n = 0; n < nr; n++)
				c.free[r][n] =
					(int64_t)columns_random(&random, 32) -
					1;
		}
		for (uint32_t n = 0; n < nr; n++) {
			double cost = cost_of(&c, n, part.nr_amounts);

			if (first == nr && cost < INFINITY)
				first = n;
			least = cost < least ? cost : least;
		}
		request.score = TALLY_PLACE_BEST;
		err = tally_place_node(&c.place, &request, &found);
		if (first == nr) {
			assert_true(err == -ENOSPC || err == -ERANGE);
			continue;
		}
		assert_int_equal(err, 0);
		assert_true(cost_of(&c, found, part.nr_amounts) <=
			    least * (1 + 1e-11));
		expect(TALLY_PLACE_FIRST, first);
	}
}

static void amounts_of_any_size_fit(void **state)
{
	const int64_t odd[] = {INT64_MIN, -1, 0, 3};

	(void)state;
	for (uint32_t n = 0; n < COLUMNS_NODES; n++)
		c.free[0][n] = odd[n % 4];
	c.free[0][600] = INT64_MAX;
	c.free[0][601] = INT64_MAX - 1;
	expect(TALLY_PLACE_FIRST, 600);
	expect(TALLY_PLACE_BEST, 600);
	c.free[0][0] = ((int64_t)1 << 52) + 4;
	expect(TALLY_PLACE_BEST, 0);
	c.free[0][602] = (int64_t)1 << 51;
	expect(TALLY_PLACE_BEST, 602);
	c.free[0][0] = 0;
	c.capacity[0][600] = c.capacity[0][601] = INT64_MAX;
	c.capacity[0][602] = (int64_t)1 << 52;
	amounts[0].amount = INT64_MAX;
	expect(TALLY_PLACE_BEST, 600);
	c.free[0][600] = 0;
	expect_error(-ENOSPC);
}

static void scores_choose_by_shares(void **state)
{
	(void)state;
	/* Twice as large, and as much free */
	c.capacity[0][10] = 16;
	expect(TALLY_PLACE_MOST_ALLOCATED, 10);
	expect(TALLY_PLACE_LEAST_ALLOCATED, 0);
	c.free[0][20] = 16;
	c.capacity[0][20] = 16;
	expect(TALLY_PLACE_LEAST_ALLOCATED, 20);
	/* Little is left, but not of each as much. */
	c.free[0][25] = 4;
	c.free[1][25] = 4;
	c.free[2][25] = 3;
	/* Half of each is in use then. */
	c.free[0][30] = 8;
	c.free[1][30] = 6;
	c.free[2][30] = 5;
	expect(TALLY_PLACE_BALANCED, 30);
	expect(TALLY_PLACE_FEWEST_NODES, 0);
}

struct calls {
	unsigned int filters, rates, nodes;
	int filter_error, rate_error;
};

static int only_odd(void *arg, const uint32_t *nodes, unsigned int nr,
		    bool *keep)
{
	struct calls *calls = arg;

	assert_true(nr && nr <= TALLY_PLACE_BATCH);
	calls->filters++;
	calls->nodes += nr;
	for (unsigned int i = 0; i < nr; i++)
		keep[i] &= nodes[i] % 2;
	return calls->filter_error;
}

static int by_index(void *arg, const uint32_t *nodes, unsigned int nr,
		    double *scores)
{
	struct calls *calls = arg;

	calls->rates++;
	for (unsigned int i = 0; i < nr; i++) {
		assert_int_equal(nodes[i] % 2, 1);
		scores[i] = nodes[i] == 901 ? 2 : 1 / (1. + nodes[i]);
	}
	return calls->rate_error;
}

static void callbacks_are_asked_in_batches(void **state)
{
	struct calls calls = {0};

	(void)state;
	c.free[0][4] = 0;
	request.filter = only_odd;
	request.arg = &calls;
	expect(TALLY_PLACE_FIRST, 1);
	assert_int_equal(calls.filters, 1);
	c.free[0][300] = c.free[0][501] = 4;
	expect(TALLY_PLACE_BEST, 501);
	request.rate = by_index;
	calls = (struct calls){0};
	expect(TALLY_PLACE_FIRST, 901);
	assert_int_equal(calls.nodes, COLUMNS_NODES - 1);
	assert_int_equal(calls.filters, (calls.nodes + 255) / 256);
	assert_int_equal(calls.rates, calls.filters);
}

static void an_error_of_a_callback_is_returned(void **state)
{
	struct calls calls = {.filter_error = -EPERM};

	(void)state;
	request.filter = only_odd;
	request.rate = by_index;
	request.arg = &calls;
	expect_error(-EPERM);
	assert_int_equal(calls.filters, 1);
	assert_int_equal(calls.rates, 0);
	calls = (struct calls){.rate_error = 5};
	expect_error(5);
	assert_int_equal(calls.rates, 1);
}

static void bad_requests_are_refused(void **state)
{
	static struct tally_amount many[TALLY_PLACE_MAX_AMOUNTS + 1];
	static int64_t *same[TALLY_PLACE_MAX_AMOUNTS + 1];
	uint32_t node;

	(void)state;
	amounts[1].amount = 9;
	expect_error(-ERANGE);
	amounts[1].amount = -1;
	expect_error(-EINVAL);
	amounts[1] = (struct tally_amount){COLUMNS_RESOURCES, 1};
	expect_error(-EINVAL);
	amounts[1].resource = 3;
	c.free_of[3] = NULL;
	expect_error(-EINVAL);
	part.nr_amounts = 0;
	expect_error(-EINVAL);
	amounts[0].amount = 0;
	part.nr_amounts = 1;
	expect_error(-EINVAL);
	amounts[0].amount = 1;
	request.score = TALLY_PLACE_FEWEST_NODES + 1;
	expect_error(-EINVAL);
	request.score = TALLY_PLACE_FIRST;
	request.policy = TALLY_PLACE_SINGLE_NODE + 1;
	expect_error(-EINVAL);
	request.policy = TALLY_PLACE_NONE;
	request.scope = TALLY_PLACE_POD + 1;
	expect_error(-EINVAL);
	request.scope = TALLY_PLACE_CONTAINER;
	request.size = 0;
	expect_error(-EINVAL);
	request.size = sizeof(request);
	c.place.size = 1;
	expect_error(-EINVAL);
	c.place.size = sizeof(c.place);
	/* 64 resources, and one more */
	c.place.free = c.place.capacity = same;
	c.place.weights = NULL;
	c.place.nr_resources = TALLY_PLACE_MAX_AMOUNTS + 1;
	for (unsigned int r = 0; r <= TALLY_PLACE_MAX_AMOUNTS; r++) {
		same[r] = c.free[r % 3];
		many[r] = (struct tally_amount){r, 8};
	}
	c.free[1][0] = 7;
	part = (struct tally_place_part){many, TALLY_PLACE_MAX_AMOUNTS};
	assert_int_equal(tally_place_node(&c.place, &request, &node), 0);
	assert_int_equal(node, 1);
	part.nr_amounts++;
	expect_error(-E2BIG);
}

static void amounts_of_one_resource_count_together(void **state)
{
	struct tally_place_part parts[2] = {{amounts, 2}, {amounts, 2}};

	(void)state;
	amounts[1].resource = 0;
	request.parts = parts;
	request.nr_parts = 1;
	expect(TALLY_PLACE_FIRST, 0);
	c.free[0][0] = 5;
	expect(TALLY_PLACE_FIRST, 1);
	request.nr_parts = 2;
	expect_error(-ERANGE);
	amounts[0].amount = amounts[1].amount = INT64_MAX;
	expect_error(-ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_fit_is_the_first_node_with_all,
				       setup),
		cmocka_unit_test_setup(best_fit_leaves_least, setup),
		cmocka_unit_test_setup(best_fit_of_blocks_is_the_least_of_all,
				       setup),
		cmocka_unit_test_setup(best_fit_agrees_with_a_plain_search,
				       setup),
		cmocka_unit_test_setup(amounts_of_any_size_fit, setup),
		cmocka_unit_test_setup(scores_choose_by_shares, setup),
		cmocka_unit_test_setup(callbacks_are_asked_in_batches, setup),
		cmocka_unit_test_setup(an_error_of_a_callback_is_returned,
				       setup),
		cmocka_unit_test_setup(bad_requests_are_refused, setup),
		cmocka_unit_test_setup(amounts_of_one_resource_count_together,
				       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
