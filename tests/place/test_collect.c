// SPDX-License-Identifier: MIT
/* Candidates of a ledger: which accounts they are; and that the eviction of the
 * victims makes room, and of all but one does not. */
#include "place/cluster_scene.h"

static void accounts_of_a_machine_are_candidates(void **state)
{
	struct scene *s = *state;
	struct tally_account a;

	fill_others(s);
	a = reserved(s, "a", 0, 8);
	(void)reserved(s, "other", 1, 8);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(s->nr_described, 1);
	assert_int_equal(s->nr_demands, 1);
	assert_int_equal(s->reservation.state, TALLY_RESERVED);
	assert_int_equal(ask(s, 8, 0, 0), 0);
	assert_int_equal(s->room.nr_victims, 1);
	assert_int_equal(s->victims[0].row, a.row);
	assert_int_equal(s->victims[0].generation, a.generation);
	assert_int_equal(refresh(s, TALLY_PLACE_ANY), 0);
	assert_int_equal(s->nr_described, 2);
	/* Again, and without a callback. */
	assert_int_equal(refresh(s, 1), 0);
	assert_int_equal(s->nr_described, 1);
	assert_int_equal(tally_place_candidates_refresh(s->candidates, s->view,
							0, NULL, NULL),
			 0);
	assert_int_equal(ask(s, 8, 0, 0), 0);
}

static void what_an_account_has_on_all_nodes_is_read(void **state)
{
	struct scene *s = *state;
	struct tally_account a = account(s, "a");
	const struct tally_demand demands[] = {
		{cluster_node(0, 0), CORES, 8},
		{cluster_node(0, 0), MEMORY, 2},
		{cluster_node(1, 2), CORES, 1},
		{cluster_node(1, 3), MEMORY, 1},
	};
	struct tally_token token = reserve(s, a, demands, 4);

	fill_others(s);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(s->nr_described, 1);
	assert_int_equal(s->nr_demands, 4);
	assert_int_equal(refresh(s, TALLY_PLACE_ANY), 0);
	assert_int_equal(s->nr_described, 1);
	/* It leaves the machine. */
	assert_int_equal(ask(s, 4, 0, 0), 0);
	assert_int_equal(tally_limit_release(s->ledger, token, demands, 2), 0);
	(void)reserved(s, "kept", 0, 8);
	s->priority = 100;
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(s->nr_described, 2);
	assert_int_equal(s->nr_demands, 3);
	assert_int_equal(ask(s, 4, 0, 0), -ENOSPC);
}

/* Only an account that is ready, and has no pin. */
static void pinned_and_ending_accounts_stay(void **state)
{
	struct scene *s = *state;
	struct tally_account a, pending;
	const struct tally_demand demand = {0, CORES, 4};

	fill_others(s);
	a = reserved(s, "a", 0, 4);
	assert_int_equal(
		tally_account_declare(s->accounts, "pending", &pending), 0);
	(void)reserve(s, pending, &demand, 1);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(s->nr_described, 2);
	assert_int_equal(ask(s, 5, 0, 0), -ENOSPC);
	assert_int_equal(ask(s, 4, 0, 0), 0);
	assert_int_equal(s->victims[0].row, a.row);
	assert_int_equal(tally_account_ready(s->accounts, pending), 0);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 5, 0, 0), 0);
	assert_int_equal(s->room.nr_victims, 2);
	assert_int_equal(tally_account_pin(s->accounts, a, 3), 0);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 5, 0, 0), -ENOSPC);
	assert_int_equal(ask(s, 4, 0, 0), 0);
	assert_int_equal(s->victims[0].row, pending.row);
	assert_int_equal(tally_account_unpin(s->accounts, a, 3), 0);
	assert_int_equal(tally_account_end(s->accounts, pending), 0);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 5, 0, 0), -ENOSPC);
	/* A pin keeps the whole group. */
	s->group = 5;
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 4, 0, 0), -ENOSPC);
	s->group = 0;
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 4, 0, 0), 0);
	assert_int_equal(s->victims[0].row, a.row);
}

static void a_child_goes_with_its_parent(void **state)
{
	struct scene *s = *state;
	const struct tally_demand demands[] = {{0, CORES, 8}, {0, CORES, 3}};
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &demands[1],
					      .nr_demands = 1};
	struct tally_account job = account(s, "job"), step = account(s, "step");
	struct tally_token token = reserve(s, job, demands, 1), drawn;

	fill_others(s);
	assert_int_equal(tally_limit_draw(s->ledger, step, token, &request,
					  &drawn, NULL),
			 0);
	assert_int_equal(refresh(s, TALLY_PLACE_ANY), 0);
	assert_int_equal(s->nr_described, 1);
	assert_int_equal(ask(s, 2, 0, 0), 0);
	assert_int_equal(s->room.nr_victims, 1);
	assert_int_equal(s->victims[0].row, job.row);
}

/* What was taken with a credit is not given back by a release. */
static void credits_are_not_evicted(void **state)
{
	struct scene *s = *state;
	struct tally_account a;
	struct tally_credit credit;

	fill_others(s);
	a = reserved(s, "a", 0, 4);
	assert_int_equal(tally_limit_credit(s->ledger, a, 0, CORES, &credit),
			 0);
	assert_int_equal(tally_limit_take(&credit, 4), 0);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(ask(s, 5, 0, 0), -ENOSPC);
	assert_int_equal(ask(s, 4, 0, 0), 0);
	assert_int_equal(tally_limit_give(&credit, 4), 0);
}

static void what_fails_is_returned(void **state)
{
	struct scene *s = *state;
	int64_t amount = 8, *columns[] = {NULL, &amount, &amount};
	const int gone = 4711;
	const struct tally_place other = {
		.size = sizeof(other),
		.nr_nodes = 1,
		.nr_resources = 3,
		.free = columns,
		.capacity = columns,
		.numbers = &gone,
	};
	struct tally_candidates *c;

	fill_others(s);
	(void)reserved(s, "a", 0, 8);
	assert_int_equal(refresh(s, MACHINES), -ENOENT);
	assert_int_equal(refresh(s, 0), 0);
	s->rc = -ENOENT;
	s->priority = 200;
	assert_int_equal(refresh(s, 0), -ENOENT);
	s->rc = 12345;
	assert_int_equal(refresh(s, TALLY_PLACE_ANY), 12345);
	/* As it was. */
	assert_int_equal(ask(s, 8, 0, 0), 0);
	assert_int_equal(tally_place_candidates_create(&other, &c), 0);
	assert_int_equal(
		tally_place_candidates_refresh(c, s->view, 0, NULL, NULL),
		-ENOENT);
	tally_place_candidates_destroy(c);
}

/* Columns of a part of the ledger: what lies elsewhere is no matter. */
static void columns_may_be_of_some_nodes(void **state)
{
	struct scene *s = *state;
	int64_t amount = 0, most = 8, *columns[] = {NULL, &amount},
		*capacities[] = {NULL, &most};
	const int number = cluster_node(1, 1);
	const struct tally_place some = {
		.size = sizeof(some),
		.nr_nodes = 1,
		.nr_resources = 2,
		.free = columns,
		.capacity = capacities,
		.numbers = &number,
	};
	const struct tally_demand demands[] = {{cluster_node(1, 0), CORES, 1},
					       {number, CORES, 8},
					       {number, MEMORY, 8}};
	struct tally_candidates *c = s->candidates;
	struct tally_place *place = s->place;

	(void)reserve(s, account(s, "a"), demands, 3);
	assert_int_equal(tally_place_candidates_create(&some, &s->candidates),
			 0);
	assert_int_equal(refresh(s, 0), 0);
	assert_int_equal(s->nr_demands, 1);
	s->place = (struct tally_place *)&some;
	assert_int_equal(ask(s, 8, 0, 0), 0);
	assert_int_equal(s->room.nr_victims, 1);
	s->place = place;
	tally_place_candidates_destroy(s->candidates);
	s->candidates = c;
}

/* ---- a full cluster ------------------------------------------------------ */

/* Amounts at random, until a node takes no more. */
static void fill_at_random(const struct scene *s, uint64_t *random)
{
	char key[16];

	for (unsigned int i = 0, refused = 0; i < MOST && refused < 300; i++) {
		const int node = cluster_node(
			(unsigned int)columns_random(random, MACHINES),
			(int)columns_random(random, NODES));
		const struct tally_demand demands[] = {
			{node, CORES, 1 + (int64_t)columns_random(random, 3)},
			{node, MEMORY, (int64_t)columns_random(random, 4)},
		};
		const struct tally_request request = {.size = sizeof(request),
						      .demands = demands,
						      .nr_demands = 2};
		struct tally_token token;

		snprintf(key, sizeof(key), "job-%u", i);
		refused += tally_limit_reserve(s->ledger, account(s, key),
					       &request, &token, NULL) != 0;
	}
}

static void release(const struct scene *s, struct tally_account a)
{
	struct tally_reservation found = {.size = sizeof(found)};

	assert_int_equal(tally_limit_find(s->view, a, &found), 0);
	assert_int_equal(tally_limit_release(s->ledger, found.token, NULL, 0),
			 0);
}

static int try(const struct scene *s)
{
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = s->fit.demands,
		.nr_demands = s->fit.nr_demands,
	};

	return tally_limit_fits(s->ledger, account(s, "new"), &request, NULL);
}

static void evict(const struct scene *s, uint32_t all_but)
{
	struct tally_demand had[MOST][2];
	struct tally_account but = s->victims[all_but];
	const int node = s->fit.demands[0].node;

	for (uint32_t v = 0; v < s->room.nr_victims; v++) {
		int64_t amounts[3];

		assert_int_equal(tally_limit_holding(s->view, s->victims[v],
						     node, amounts),
				 0);
		had[v][0] = (struct tally_demand){node, CORES, amounts[CORES]};
		had[v][1] =
			(struct tally_demand){node, MEMORY, amounts[MEMORY]};
		if (v != all_but)
			release(s, s->victims[v]);
	}
	assert_int_equal(try(s), -ENOSPC);
	release(s, but);
	assert_int_equal(try(s), 0);
	for (uint32_t v = 0; v < s->room.nr_victims; v++)
		(void)reserve(s, s->victims[v], had[v], 2);
}

static int at_random(void *arg, const struct tally_reservation *reservation,
		     struct tally_candidate *candidate)
{
	(void)reservation;
	candidate->priority = (int32_t)columns_random(arg, 4);
	candidate->start_ns = (int64_t)columns_random(arg, 4);
	return 0;
}

static void victims_make_room_and_all_but_one_do_not(void **state)
{
	struct scene *s = *state;
	unsigned int nr = 0;
	uint64_t random = 1;

	fill_at_random(s, &random);
	for (unsigned int i = 0; i < 50; i++) {
		int64_t cores = 4 + (int64_t)columns_random(&random, 5);
		int64_t memory = (int64_t)columns_random(&random, 9);

		assert_int_equal(tally_place_candidates_refresh(
					 s->candidates, s->view,
					 TALLY_PLACE_ANY, at_random, &random),
				 0);
		assert_int_equal(ask(s, cores, memory, TALLY_PLACE_ANY), 0);
		for (uint32_t v = 0; v < s->room.nr_victims; v++)
			evict(s, v);
		nr += s->room.nr_victims;
	}
	assert_true(nr > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(accounts_of_a_machine_are_candidates),
		SCENE(what_an_account_has_on_all_nodes_is_read),
		SCENE(pinned_and_ending_accounts_stay),
		SCENE(a_child_goes_with_its_parent),
		SCENE(credits_are_not_evicted),
		SCENE(what_fails_is_returned),
		SCENE(columns_may_be_of_some_nodes),
		SCENE(victims_make_room_and_all_but_one_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
