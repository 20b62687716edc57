// SPDX-License-Identifier: MIT
/* Whose eviction makes room on a machine; groups, and what is not evicted. */
#include "place/scene.h"

/* ---- on one machine ------------------------------------------------------ */

static void nobody_is_evicted_where_there_is_room(void **state)
{
	struct scene *s = *state;

	put(s, has(1, 0), 0, 8);
	assert_string_equal(victims(s), "");
	assert_int_equal(s->fit.machine, 0);
	assert_int_equal(s->fit.demands[0].node, 1);
	assert_int_equal(s->room.nr_over_budget, 0);
}

static void only_lower_priorities_are_evicted(void **state)
{
	struct scene *s = one_machine(state);

	put(s, has(1, 1000), 0, 8);
	put(s, has(2, 1001), 1, 8);
	assert_string_equal(victims(s), "error -28");
	s->eviction.priority = 1001;
	assert_string_equal(victims(s), "1 ");
	assert_int_equal(s->fit.nr_demands, 1);
	assert_int_equal(s->fit.demands[0].node, 0);
	assert_int_equal(s->fit.demands[0].amount, 8);
	s->eviction.priority = INT32_MIN;
	assert_string_equal(victims(s), "error -28");
}

/* Kubernetes: "a smaller set than all of lower priority" is evicted. */
static void the_most_important_are_brought_back_first(void **state)
{
	struct scene *s = one_machine(state);

	fill(s, 1);
	put(s, has(1, 10), 0, 3);
	put(s, has(2, 20), 0, 3);
	put(s, has(3, 30), 0, 2);
	s->amounts[0].amount = 5;
	assert_string_equal(victims(s), "2 1 ");
	s->amounts[0].amount = 3;
	assert_string_equal(victims(s), "1 ");
	/* Of equal priority, what started earlier. */
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){1, 1}, 1);
	s->columns.free[0][0] += 3;
	put_at(s, 4, 20, -1, 0, 3);
	assert_string_equal(victims(s), "2 ");
}

/* Enough would be free in sum, but not on a node. */
static void what_frees_no_aligned_slot_is_no_victim(void **state)
{
	struct scene *s = one_machine(state);

	put(s, has(1, 1), 0, 4); /* beside 4 of what stays */
	s->columns.free[0][0] = 0;
	put(s, has(2, 2), 1, 4);
	put(s, has(3, 3), 1, 4);
	assert_string_equal(victims(s), "3 2 ");
	s->request.policy = TALLY_PLACE_BEST_EFFORT;
	assert_string_equal(victims(s), "2 1 ");
	s->amounts[0].amount = 4;
	assert_string_equal(victims(s), "1 ");
	/* It has what is not asked for, on the right node. */
	put_amount(s, has(4, 0), 1, 1, 8);
	assert_string_equal(victims(s), "1 ");
	s->amounts[1].amount = 1;
	s->request.policy = TALLY_PLACE_SINGLE_NODE;
	assert_string_equal(victims(s), "1 ");
	s->columns.free[1][0] = 0;
	assert_string_equal(victims(s), "2 4 ");
}

static void restricted_needs_the_fewest_nodes(void **state)
{
	struct scene *s = one_machine(state);

	put(s, has(1, 1), 0, 4);
	put(s, has(2, 2), 0, 4);
	put(s, has(3, 3), 1, 8);
	s->request.policy = TALLY_PLACE_RESTRICTED;
	s->amounts[0].amount = 8;
	assert_string_equal(victims(s), "2 1 ");
	assert_true(s->fit.preferred);
	/* What no node has: both. */
	s->amounts[0].amount = 12;
	assert_string_equal(victims(s), "3 1 ");
	assert_true(s->fit.preferred);
	assert_int_equal(s->fit.nodes, 3);
}

static void each_container_is_aligned(void **state)
{
	struct scene *s = one_machine(state);
	const struct tally_amount four = {0, 4};
	const struct tally_place_part parts[] = {{&four, 1}, {&four, 1}};

	s->request.parts = parts;
	s->request.nr_parts = 2;
	put(s, has(1, 1), 0, 8);
	put(s, has(2, 2), 1, 4);
	fill(s, 1);
	/* Both of the first node's, or one of each. */
	assert_string_equal(victims(s), "1 ");
	put_amount(s, has(3, 3), 0, 0, 0);
	s->columns.free[0][0] = -4;
	assert_string_equal(victims(s), "2 1 ");
	s->request.scope = TALLY_PLACE_POD;
	assert_string_equal(victims(s), "error -28");
}

/*
 * With more free, the first container takes the node that the second one needs.
 * Account 2 can't come back before account 1 has: then the first container lies on
 * another node.
 */
static void what_can_come_back_later_does(void **state)
{
	struct scene *s = *state;
	const struct tally_amount three = {0, 3}, two[] = {{0, 2}, {1, 1}};
	const struct tally_place_part parts[] = {{&three, 1}, {two, 2}};
	static const int64_t cores[] = {2, 3, 2}, devices[] = {1, 0, 0};

	tally_place_candidates_destroy(s->candidates);
	s->columns.place.nr_machines = 1;
	s->columns.machines[1] = 6;
	assert_int_equal(tally_place_candidates_create(&s->columns.place,
						       &s->candidates),
			 0);
	for (int n = 0; n < 6; n++) {
		s->columns.free[0][n] = n < 3 ? cores[n] : 0;
		s->columns.free[1][n] = n < 3 ? devices[n] : 0;
	}
	s->request.parts = parts;
	s->request.nr_parts = 2;
	/* It fits, until the first node has more. */
	assert_string_equal(victims(s), "");
	s->columns.free[0][0]++;
	s->columns.free[1][2]++;
	put(s, has(1, 1), 0, 1);
	put_amount(s, has(2, 2), 2, 1, 1);
	put(s, has(3, 0), 1, 1);
	assert_string_equal(victims(s), "3 ");
}

/* Without account 3 the first container would take the node of the second one: as
 * Kubernetes has it, the second machine will not do, though account 2 is less
 * important than 1. */
static void a_machine_must_do_without_all(void **state)
{
	struct scene *s = *state;
	const struct tally_amount three = {0, 3}, two[] = {{0, 2}, {1, 1}};
	const struct tally_place_part parts[] = {{&three, 1}, {two, 2}};

	for (int n = 0; n < 6; n++) {
		s->columns.free[0][n] = n == 4 || n == 5 ? 0 : 3;
		s->columns.free[1][n] = n == 0 || n == 2;
	}
	s->columns.free[0][0] = 2;
	s->request.parts = parts;
	s->request.nr_parts = 2;
	put(s, has(1, 5), 1, 3);
	put(s, has(2, 1), 3, 3);
	put(s, has(3, 9), 2, 1);
	assert_string_equal(victims(s), "1 ");
	s->eviction.priority = 9;
	assert_string_equal(victims(s), "2 ");
}

/* ---- groups, and what is not evicted ------------------------------------- */

static void put_member(struct scene *s, uint32_t row, int32_t priority,
		       bool kept, int node, int64_t amount)
{
	struct tally_candidate c = has(row, priority);

	c.group = 7;
	c.kept = kept;
	put(s, c, node, amount);
}

static void a_group_leaves_whole(void **state)
{
	struct scene *s = three_nodes(state);

	put_member(s, 1, 1, false, 0, 8);
	put_member(s, 2, 5, false, 2, 2);
	put(s, has(3, 6), 4, 8);
	fill(s, 2);
	/* Its member on the second machine counts. */
	assert_string_equal(victims(s), "2 1 ");
	put_member(s, 4, 7, false, 3, 1);
	assert_string_equal(victims(s), "3 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){4, 1}, 1);
	assert_string_equal(victims(s), "2 1 ");
	/* One that must stay, or is not of lower priority, keeps all. */
	put_member(s, 4, 0, true, 3, 1);
	assert_string_equal(victims(s), "3 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){4, 1}, 1);
	put_member(s, 4, 1000, false, 3, 1);
	assert_string_equal(victims(s), "3 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){3, 1}, 1);
	assert_string_equal(victims(s), "error -28");
}

static void members_together_make_room(void **state)
{
	struct scene *s = one_machine(state);

	put_member(s, 1, 1, false, 0, 4);
	put_member(s, 2, 1, false, 0, 2);
	put(s, has(3, 3), 0, 2);
	fill(s, 1);
	s->amounts[0].amount = 5;
	assert_string_equal(victims(s), "1 2 ");
	s->amounts[0].amount = 7;
	assert_string_equal(victims(s), "3 1 2 ");
	/* Two of them cost more than one. */
	s->amounts[0].amount = 2;
	assert_string_equal(victims(s), "1 2 ");
}

struct sparing {
	uint32_t row;
	int rc;
	unsigned int nr_asked;
};

static int spare(void *arg, const struct tally_account *accounts,
		 unsigned int nr, bool *spared)
{
	struct sparing *s = arg;

	assert_in_range(nr, 1, TALLY_PLACE_BATCH);
	s->nr_asked += nr;
	for (unsigned int i = 0; i < nr; i++) {
		assert_false(spared[i]);
		spared[i] = accounts[i].row == s->row;
	}
	return s->rc;
}

static void the_caller_spares_accounts(void **state)
{
	struct scene *s = three_nodes(state);
	struct sparing sparing = {.row = 1};

	put(s, has(1, 1), 0, 8);
	put_member(s, 2, 2, false, 2, 4);
	put_member(s, 3, 2, false, 2, 4);
	fill(s, 4);
	put(s, has(4, 2000), 4, 8);
	s->eviction.spare = spare;
	s->eviction.arg = &sparing;
	assert_string_equal(victims(s), "2 3 ");
	assert_int_equal(sparing.nr_asked, 3);
	sparing.row = 3;
	assert_string_equal(victims(s), "1 ");
	tally_place_candidates_remove(s->candidates,
				      &(struct tally_account){1, 1}, 1);
	fill(s, 0);
	assert_string_equal(victims(s), "error -28");
	sparing.rc = -77;
	assert_string_equal(victims(s), "error -77");
}

/* More than a batch, of one unit. */
static void many_accounts_are_asked_about_in_batches(void **state)
{
	enum { NR = 2 * TALLY_PLACE_BATCH + 3 };
	struct scene *s = one_machine(state);
	struct sparing sparing = {.row = NR - 1};

	fill(s, 1);
	s->columns.free[0][0] = NR + 1;
	for (uint32_t i = 0; i < NR; i++)
		put_member(s, i, 1, false, 0, 1);
	s->eviction.spare = spare;
	s->eviction.arg = &sparing;
	assert_string_equal(victims(s), "error -28");
	assert_int_equal(sparing.nr_asked, NR);
	sparing.row = NR;
	s->room.victims = calloc(NR, sizeof(*s->room.victims));
	s->room.max_victims = NR - 1;
	assert_non_null(s->room.victims);
	assert_string_equal(victims(s), "error -75");
	s->room.max_victims = NR;
	assert_int_equal(ask(s), 0);
	assert_int_equal(s->room.nr_victims, NR);
	free(s->room.victims);
}

static int filter(void *arg, const uint32_t *nodes, unsigned int nr, bool *keep)
{
	const int *rc = arg;

	for (unsigned int i = 0; i < nr; i++)
		keep[i] = nodes[i] != 0;
	return *rc;
}

static void nodes_that_are_refused_get_no_room(void **state)
{
	struct scene *s = three_nodes(state);
	int rc = 0;

	put(s, has(1, 1), 0, 8);
	put(s, has(2, 2), 2, 8);
	fill(s, 4);
	s->request.filter = filter;
	s->request.arg = &rc;
	assert_string_equal(victims(s), "2 ");
	s->request.policy = TALLY_PLACE_NONE;
	assert_string_equal(victims(s), "2 ");
	rc = -88;
	assert_string_equal(victims(s), "error -88");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(nobody_is_evicted_where_there_is_room),
		SCENE(only_lower_priorities_are_evicted),
		SCENE(the_most_important_are_brought_back_first),
		SCENE(what_frees_no_aligned_slot_is_no_victim),
		SCENE(restricted_needs_the_fewest_nodes),
		SCENE(each_container_is_aligned),
		SCENE(what_can_come_back_later_does),
		SCENE(a_machine_must_do_without_all),
		SCENE(a_group_leaves_whole),
		SCENE(members_together_make_room),
		SCENE(the_caller_spares_accounts),
		SCENE(many_accounts_are_asked_about_in_batches),
		SCENE(nodes_that_are_refused_get_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
