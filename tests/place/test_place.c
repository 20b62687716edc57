// SPDX-License-Identifier: MIT
/* Columns of a ledger: made, filled again, kept by hand. */
#include "support/test.h"

#include <numatally/limit.h>
#include <numatally/place.h>

#include "support/cluster.h"
#include "support/machine.h"

#define MACHINES 3u
#define NODES	 4u

static const struct tally_resource resources[] = {
	{"faults", "", TALLY_COUNTER},
	{"cores", "", TALLY_RESERVABLE},
	{"memory_bytes", "bytes", TALLY_RESERVABLE},
};

struct cluster {
	struct tally_ledger *ledger;
	struct tally_topo *topo;
	struct tally_view *view;
	struct tally_place *place;
};

/* The first machine is the made-up one, with nodes 0, 5 and 9. */
static struct cluster make(const struct machine *m)
{
	struct cluster c = {0};

	assert_int_equal(cluster_create(m->topo, MACHINES, NODES, &c.topo), 0);
	assert_int_equal(tally_ledger_create(NULL, c.topo, resources, 3, NULL,
					     &c.ledger),
			 0);
	for (unsigned int n = 0; n < tally_topo_nr_nodes(c.topo); n++)
		assert_int_equal(tally_limit_set_capacity(
					 c.ledger, tally_topo_number(c.topo, n),
					 1, 10 + n),
				 0);
	assert_int_equal(tally_view_open(c.ledger, &c.view), 0);
	assert_int_equal(tally_place_create(c.view, c.topo, &c.place), 0);
	return c;
}

static void destroy(const struct cluster *c)
{
	tally_place_destroy(c->place);
	tally_place_destroy(NULL);
	tally_view_close(c->view);
	tally_ledger_close(c->ledger);
	tally_topo_close(c->topo);
}

static void columns_have_what_the_ledger_has(void **state)
{
	const struct cluster c = make(*state);
	const struct tally_place *place = c.place;

	assert_int_equal(place->nr_nodes, 11);
	assert_int_equal(place->nr_resources, 3);
	assert_int_equal(place->nr_machines, MACHINES);
	assert_int_equal(place->machines[0], 0);
	assert_int_equal(place->machines[1], 3);
	assert_int_equal(place->machines[2], 7);
	assert_int_equal(place->machines[3], 11);
	assert_null(place->free[0]);
	for (uint32_t n = 0; n < place->nr_nodes; n++) {
		assert_int_equal(place->numbers[n],
				 tally_topo_number(c.topo, n));
		assert_int_equal(place->free[1][n], 10 + n);
		assert_int_equal(place->capacity[1][n], 10 + n);
		assert_int_equal(place->free[2][n], TALLY_LIMIT_NONE);
	}
	assert_true(place->weights[1] == 1. / 20);
	assert_true(place->weights[2] == 0);
	destroy(&c);
}

static void a_fit_can_be_reserved_and_is_seen_after_a_refresh(void **state)
{
	const struct cluster c = make(*state);
	const struct tally_amount amounts[] = {{1, 30}, {2, 5}};
	const struct tally_place_part part = {amounts, 2};
	const struct tally_place_request request = {
		.size = sizeof(request),
		.parts = &part,
		.nr_parts = 1,
		.policy = TALLY_PLACE_BEST_EFFORT,
		.score = TALLY_PLACE_BEST,
	};
	struct tally_fit fit = {.size = sizeof(fit)};
	struct tally_request reserve = {.size = sizeof(reserve)};
	struct tally_token token;

	assert_int_equal(tally_place_fit(c.place, &request, 2, NULL, &fit), 0);
	reserve.demands = fit.demands;
	reserve.nr_demands = fit.nr_demands;
	assert_int_equal(tally_limit_reserve(c.ledger,
					     machine_account(c.ledger, "job"),
					     &reserve, &token, NULL),
			 0);
	assert_int_equal(c.place->free[1][7], 17);
	assert_int_equal(tally_place_refresh(c.place, c.view, 7, 1), 0);
	assert_int_equal(c.place->free[1][7], 0);
	assert_int_equal(c.place->free[1][8], 18);
	assert_int_equal(c.place->capacity[1][7], 17);
	assert_int_equal(tally_place_refresh(c.place, c.view, 0, 11), 0);
	assert_int_equal(c.place->free[1][8], 18 - 13);
	assert_int_equal(tally_limit_release(c.ledger, token, NULL, 0), 0);
	assert_int_equal(tally_place_refresh(c.place, c.view, 0, 11), 0);
	assert_int_equal(c.place->free[1][8], 18);
	destroy(&c);
}

static void more_may_be_held_than_the_capacity(void **state)
{
	const struct cluster c = make(*state);
	const struct tally_demand demand = {0, 1, 50};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token token;

	assert_int_equal(tally_limit_adopt(c.ledger,
					   machine_account(c.ledger, "old"),
					   &request, &token),
			 0);
	assert_int_equal(tally_place_refresh(c.place, c.view, 0, 1), 0);
	assert_int_equal(c.place->free[1][0], -40);
	destroy(&c);
}

static void nodes_that_are_not_there_are_refused(void **state)
{
	const struct cluster c = make(*state);
	int64_t amount = 7, *column = &amount, *columns[] = {NULL, column};
	const int gone = 4711;
	struct tally_place other = {
		.size = sizeof(other),
		.nr_nodes = 1,
		.nr_resources = 2,
		.free = columns,
		.numbers = &gone,
	};

	assert_int_equal(tally_place_refresh(c.place, c.view, 11, 1), -ENOENT);
	assert_int_equal(tally_place_refresh(c.place, c.view, 10, 2), -ENOENT);
	assert_int_equal(tally_place_refresh(c.place, c.view, 12, UINT32_MAX),
			 -ENOENT);
	assert_int_equal(tally_place_refresh(c.place, c.view, 11, 0), 0);
	assert_int_equal(tally_place_refresh(&other, c.view, 0, 1), -ENOENT);
	assert_int_equal(amount, 7);
	destroy(&c);
}

static void what_is_taken_is_taken_whole(void **state)
{
	const struct cluster c = make(*state);
	const int number = tally_topo_number(c.topo, 8);
	struct tally_demand demands[] = {{number, 1, 3}, {5, 1, 20}};

	assert_int_equal(tally_place_take(c.place, demands, 2), 0);
	assert_int_equal(c.place->free[1][8], 15);
	assert_int_equal(c.place->free[1][1], -9);
	demands[0].amount = -3;
	demands[1].node = 6;
	assert_int_equal(tally_place_take(c.place, demands, 2), -ENOENT);
	demands[1].node = 5;
	demands[1].resource = 0;
	assert_int_equal(tally_place_take(c.place, demands, 2), -EINVAL);
	demands[1].resource = 3;
	assert_int_equal(tally_place_take(c.place, demands, 2), -EINVAL);
	demands[1] = (struct tally_demand){5, 1, INT64_MAX};
	assert_int_equal(tally_place_take(c.place, demands, 2), -EOVERFLOW);
	assert_int_equal(c.place->free[1][8], 15);
	assert_int_equal(c.place->free[1][1], -9);
	assert_int_equal(tally_place_take(c.place, demands, 1), 0);
	assert_int_equal(c.place->free[1][8], 18);
	destroy(&c);
}

static void distances_are_the_topologys(void **state)
{
	static const int rows[2][2] = {{10, 21}, {21, 10}};
	static const int cpu;
	const struct tally_node nodes[2] = {
		{.size = sizeof(*nodes),
		 .id = 3,
		 .tier = -1,
		 .memory_bytes = -1,
		 .cpus = &cpu,
		 .nr_cpus = 1,
		 .distances = rows[0]},
		{.size = sizeof(*nodes),
		 .id = 7,
		 .tier = -1,
		 .memory_bytes = -1,
		 .distances = rows[1]},
	};
	const struct tally_machine machines[2] = {
		{.size = sizeof(*machines),
		 .name = "one",
		 .nodes = nodes,
		 .nr_nodes = 1},
		{.size = sizeof(*machines),
		 .name = "two",
		 .nodes = nodes,
		 .nr_nodes = 2},
	};
	struct cluster c = {0};

	(void)state;
	assert_int_equal(tally_topo_create(machines, 2, &c.topo), 0);
	assert_int_equal(tally_ledger_create(NULL, c.topo, resources, 3, NULL,
					     &c.ledger),
			 0);
	assert_int_equal(tally_view_open(c.ledger, &c.view), 0);
	assert_int_equal(tally_place_create(c.view, c.topo, &c.place), 0);
	assert_int_equal(c.place->distances[0][0], 10);
	assert_memory_equal(c.place->distances[1], rows[0], sizeof(rows[0]));
	assert_memory_equal(c.place->distances[2], rows[1], sizeof(rows[1]));
	tally_place_destroy(c.place);
	assert_int_equal(tally_place_create(c.view, NULL, &c.place), 0);
	assert_null(c.place->distances);
	destroy(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(columns_have_what_the_ledger_has),
		MACHINE_TEST(a_fit_can_be_reserved_and_is_seen_after_a_refresh),
		MACHINE_TEST(more_may_be_held_than_the_capacity),
		MACHINE_TEST(nodes_that_are_not_there_are_refused),
		MACHINE_TEST(what_is_taken_is_taken_whole),
		MACHINE_TEST(distances_are_the_topologys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
