// SPDX-License-Identifier: MIT
/* Candidates that a caller adds and removes, and what is wrong with calls. */
#include "place/scene.h"

static int add_one(struct scene *s, uint32_t row, struct tally_demand demand)
{
	struct tally_candidate c = has(row, 1);

	c.demands = &demand;
	c.nr_demands = 1;
	return tally_place_candidates_add(s->candidates, &c, 1);
}

static void what_is_wrong_is_not_added(void **state)
{
	struct scene *s = one_machine(state);
	const struct tally_demand demands[] = {{0, 0, 8}, {6, 0, 1}};
	struct tally_candidate two[] = {has(1, 1), has(2, 1)};

	fill(s, 0);
	fill(s, 1);
	s->columns.free_of[3] = NULL;
	assert_int_equal(add_one(s, 1, (struct tally_demand){6, 0, 1}),
			 -ENOENT);
	assert_int_equal(add_one(s, 1, (struct tally_demand){-1, 0, 1}),
			 -ENOENT);
	assert_int_equal(add_one(s, 1, (struct tally_demand){0, 0, -1}),
			 -EINVAL);
	assert_int_equal(add_one(s, 1, (struct tally_demand){0, 3, 1}),
			 -EINVAL);
	assert_int_equal(add_one(s, 1, (struct tally_demand){0, 4, 1}),
			 -EINVAL);
	/* All or none. */
	two[0].demands = &demands[0];
	two[1].demands = &demands[1];
	two[0].nr_demands = two[1].nr_demands = 1;
	assert_int_equal(tally_place_candidates_add(s->candidates, two, 2),
			 -ENOENT);
	two[1] = two[0];
	assert_int_equal(tally_place_candidates_add(s->candidates, two, 2),
			 -EEXIST);
	assert_string_equal(victims(s), "error -28");
	assert_int_equal(tally_place_candidates_add(s->candidates, two, 1), 0);
	assert_int_equal(add_one(s, 1, demands[0]), -EEXIST);
	assert_int_equal(tally_place_candidates_add(s->candidates, NULL, 0), 0);
	assert_string_equal(victims(s), "1 ");
}

static void more_than_63_bits_are_refused(void **state)
{
	struct scene *s = one_machine(state);
	const struct tally_demand most[] = {{0, 0, INT64_MAX}, {0, 0, 1}};
	struct tally_candidate c = has(9, 1);

	fill(s, 0);
	fill(s, 1);
	c.demands = most;
	c.nr_demands = 2;
	assert_int_equal(tally_place_candidates_add(s->candidates, &c, 1),
			 -EOVERFLOW);
	assert_int_equal(add_one(s, 1, most[0]), 0);
	assert_int_equal(add_one(s, 2, most[1]), -EOVERFLOW);
	assert_string_equal(victims(s), "1 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){1, 1}, 1);
	assert_int_equal(add_one(s, 2, (struct tally_demand){0, 0, 8}), 0);
	assert_string_equal(victims(s), "2 ");
	/* What is free, and what is released, are more than 63 bits: enough for
	 * what asks for nearly all. */
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){2, 1}, 1);
	s->columns.free[0][0] = INT64_MAX - 3;
	s->columns.capacity[0][0] = INT64_MAX;
	assert_int_equal(add_one(s, 1, (struct tally_demand){0, 0, 7}), 0);
	s->amounts[0].amount = INT64_MAX - 2;
	assert_string_equal(victims(s), "1 ");
}

static void removed_accounts_are_no_victims(void **state)
{
	struct scene *s = one_machine(state);
	const struct tally_account gone[] = {{4, 1}, {1, 2}, {1, 1}, {1, 1}};

	fill(s, 1);
	put(s, has(1, 1), 0, 4);
	put(s, has(2, 1), 0, 4);
	assert_string_equal(victims(s), "1 2 ");
	/* Others, another generation, and one twice. */
	tally_place_candidates_remove(s->candidates, gone, 4);
	assert_string_equal(victims(s), "error -28");
	put_amount(s, has(1, 3), 0, 0, 0);
	assert_string_equal(victims(s), "error -28");
	tally_place_candidates_remove(s->candidates, gone, 4);
	s->columns.free[0][0] = 4;
	assert_string_equal(victims(s), "2 ");
}

/* Many come and leave, so that each table grows, and holes are filled. */
static void any_number_come_and_leave(void **state)
{
	enum { NR = 3000, OFTEN = 20000 };
	struct scene *s = one_machine(state);
	static bool in[NR];
	uint64_t random = 1;
	uint32_t nr = 0, first = 0;

	fill(s, 0);
	fill(s, 1);
	for (int i = 0; i < OFTEN; i++) {
		uint32_t row = (uint32_t)columns_random(&random, NR);

		if (in[row])
			tally_place_candidates_remove(
				s->candidates, &(struct tally_account){row, 1},
				1);
		else
			assert_int_equal(
				add_one(s, row, (struct tally_demand){0, 0, 1}),
				0);
		nr += in[row] ? -1u : 1;
		in[row] = !in[row];
	}
	s->columns.capacity[0][0] = NR;
	s->amounts[0].amount = nr + 1;
	assert_string_equal(victims(s), "error -28");
	/* The least important one has the highest row. */
	s->amounts[0].amount = 1;
	for (uint32_t row = 0; row < NR; row++)
		first = in[row] ? row : first;
	assert_int_equal(ask(s), 0);
	assert_int_equal(s->room.nr_victims, 1);
	assert_int_equal(s->victims[0].row, first);
	for (uint32_t row = 0; row < NR; row++)
		tally_place_candidates_remove(
			s->candidates, &(struct tally_account){row, 1}, 1);
	assert_string_equal(victims(s), "error -28");
	memset(in, 0, sizeof(in));
}

/* ---- errors -------------------------------------------------------------- */

static void columns_that_will_not_do_are_refused(void **state)
{
	struct scene *s = *state;
	struct {
		struct tally_place place;
		uint64_t more;
	} newer = {.place = s->columns.place, .more = 1};
	struct tally_place place = s->columns.place;
	struct tally_candidates *c = (void *)&place;

	place.capacity = NULL;
	assert_int_equal(tally_place_candidates_create(&place, &c), -EINVAL);
	place = s->columns.place;
	place.size = 0;
	assert_int_equal(tally_place_candidates_create(&place, &c), -EINVAL);
	newer.place.size = sizeof(newer);
	assert_int_equal(tally_place_candidates_create(&newer.place, &c),
			 -E2BIG);
	assert_ptr_equal(c, &place);
	newer.more = 0;
	assert_int_equal(tally_place_candidates_create(&newer.place, &c), 0);
	tally_place_candidates_destroy(c);
}

/* A failure sets nothing. */
static void expect(struct scene *s, uint32_t machine, int rc)
{
	s->room.nr_victims = s->room.nr_over_budget = 77;
	s->fit.machine = 88;
	s->victims[0].row = 99;
	assert_int_equal(tally_place_make_room(s->candidates, &s->request,
					       machine, &s->eviction, &s->room,
					       &s->fit),
			 rc);
	assert_int_equal(s->room.nr_victims, 77);
	assert_int_equal(s->room.nr_over_budget, 77);
	assert_int_equal(s->fit.machine, 88);
	assert_int_equal(s->victims[0].row, 99);
}

static void requests_that_will_not_do_are_refused(void **state)
{
	struct scene *s = one_machine(state);

	fill(s, 1);
	put(s, has(1, 1), 0, 8);
	expect(s, 3, -ENOENT);
	s->amounts[0].amount = 0;
	expect(s, 0, -EINVAL);
	s->amounts[0].amount = -1;
	expect(s, 0, -EINVAL);
	s->amounts[0].amount = 9;
	expect(s, TALLY_PLACE_ANY, -ERANGE);
	s->amounts[0].amount = 8;
	expect(s, 1, -ENOSPC);
	s->request.policy = (enum tally_place_policy)4;
	expect(s, 0, -EINVAL);
	s->request.policy = TALLY_PLACE_SINGLE_NODE;
	s->room.max_victims = 0;
	expect(s, TALLY_PLACE_ANY, -EOVERFLOW);
}

/* One resource more than a request may have. */
static void requests_of_65_resources_are_refused(void **state)
{
	enum { NR = TALLY_PLACE_MAX_AMOUNTS + 1 };
	int64_t amount = 8, *columns[NR];
	struct tally_amount amounts[NR];
	struct scene *s = *state;
	struct tally_place place = {
		.size = sizeof(place),
		.nr_nodes = 1,
		.nr_resources = NR,
		.free = columns,
		.capacity = columns,
	};
	const struct tally_place_part part = {amounts, NR};

	for (unsigned int r = 0; r < NR; r++) {
		columns[r] = &amount;
		amounts[r] = (struct tally_amount){r, 1};
	}
	tally_place_candidates_destroy(s->candidates);
	assert_int_equal(tally_place_candidates_create(&place, &s->candidates),
			 0);
	s->request.parts = &part;
	expect(s, 0, -E2BIG);
}

static void structures_without_a_size_are_refused(void **state)
{
	struct scene *s = *state;
	struct {
		struct tally_eviction eviction;
		uint64_t more;
	} newer = {.more = 1};

	s->room.size = 0;
	expect(s, 0, -EINVAL);
	s->room.size = sizeof(s->room);
	s->fit.size = 0;
	expect(s, 0, -EINVAL);
	s->fit.size = sizeof(s->fit);
	s->request.size = 0;
	expect(s, 0, -EINVAL);
	s->request.size = sizeof(s->request);
	s->eviction.size = 0;
	expect(s, 0, -EINVAL);
	newer.eviction = s->eviction;
	newer.eviction.size = sizeof(newer);
	assert_int_equal(tally_place_make_room(s->candidates, &s->request, 0,
					       &newer.eviction, &s->room,
					       &s->fit),
			 -E2BIG);
	newer.more = 0;
	assert_int_equal(tally_place_make_room(s->candidates, &s->request, 0,
					       &newer.eviction, &s->room,
					       &s->fit),
			 0);
}

static void machines_of_over_64_nodes_are_refused(void **state)
{
	struct scene *s = *state;
	struct columns *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	columns_init(c, 65, 65);
	for (uint32_t n = 0; n < 65; n++)
		c->free[0][n] = 0;
	tally_place_candidates_destroy(s->candidates);
	assert_int_equal(
		tally_place_candidates_create(&c->place, &s->candidates), 0);
	assert_int_equal(add_one(s, 1, (struct tally_demand){0, 0, 8}), 0);
	expect(s, 0, -E2BIG);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(what_is_wrong_is_not_added),
		SCENE(more_than_63_bits_are_refused),
		SCENE(removed_accounts_are_no_victims),
		SCENE(any_number_come_and_leave),
		SCENE(columns_that_will_not_do_are_refused),
		SCENE(requests_that_will_not_do_are_refused),
		SCENE(requests_of_65_resources_are_refused),
		SCENE(structures_without_a_size_are_refused),
		SCENE(machines_of_over_64_nodes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
