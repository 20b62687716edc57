// SPDX-License-Identifier: MIT
/* Where a replay places what a trace asks for. */
#include "support/replay_made.h"

#define SWF	   "; MaxNodes: 4\n; MaxProcs: 8\n"
#define JOB(procs) "1 0 0 9 " procs " -1 -1 -1 -1 -1 1 1 1 1 1 1 -1 -1\n"

static void set_free(const struct made *m, size_t cell, int64_t amount)
{
	*replay_column_cell(&m->columns, cell) = amount;
}

static int place(struct made *m, enum replay_policy policy, size_t event)
{
	return replay_place(&m->columns, policy, &m->trace,
			    &m->trace.events[event], &m->place);
}

static void demand_is(const struct made *m, unsigned int i, int node,
		      unsigned int resource, int64_t amount)
{
	assert_true(i < m->place.nr);
	assert_int_equal(m->place.demands[i].node, node);
	assert_int_equal(m->place.demands[i].resource, resource);
	assert_int_equal(m->place.demands[i].amount, amount);
}

static const struct replay_wish two_by_two = {
	.nr_machines = 2,
	.per_machine = 2,
	.capacity = "cores=17,memory=40",
};

static void capacities_are_split(void **state)
{
	struct made m;

	(void)state;
	make(&m, CSV "0,a,reserve,,cores,1\n0,a,reserve,,memory,1\n",
	     &two_by_two);
	assert_int_equal(m.machines.nr_nodes, 4);
	assert_int_equal(m.machines.capacity[0], 9);
	assert_int_equal(m.machines.capacity[1], 20);
	assert_int_equal(m.machines.capacity[2], 8);
	assert_int_equal(m.machines.capacity[4], 9);
	unmake(&m);
}

static void on_one_node_by_policy(void **state)
{
	struct made m;

	(void)state;
	make(&m, CSV "0,a,reserve,,cores,4\n0,a,reserve,,memory,5\n",
	     &two_by_two);
	set_free(&m, 0, 3); /* node 0: too few cores */
	set_free(&m, 2, 6);
	set_free(&m, 4, 5);
	set_free(&m, 6, 8);
	assert_int_equal(place(&m, REPLAY_FIRST, 0), 0);
	demand_is(&m, 0, 1, 0, 4);
	demand_is(&m, 1, 1, 1, 5);
	assert_int_equal(place(&m, REPLAY_BEST, 0), 0);
	demand_is(&m, 0, 2, 0, 4);
	assert_int_equal(place(&m, REPLAY_SPREAD, 0), 0);
	demand_is(&m, 0, 3, 0, 4);
	set_free(&m, 3, 4); /* node 1: too little memory */
	assert_int_equal(place(&m, REPLAY_FIRST, 0), 0);
	demand_is(&m, 0, 2, 0, 4);
	unmake(&m);
}

static void over_both_nodes_of_one_machine(void **state)
{
	struct made m;

	(void)state;
	make(&m, CSV "0,a,reserve,,cores,10\n0,a,reserve,,memory,5\n",
	     &two_by_two);
	set_free(&m, 0, 1); /* machine 0 has 9 cores */
	assert_int_equal(place(&m, REPLAY_FIRST, 0), 0);
	assert_int_equal(m.place.nr, 3);
	demand_is(&m, 0, 2, 0, 9);
	demand_is(&m, 1, 2, 1, 5);
	demand_is(&m, 2, 3, 0, 1);
	set_free(&m, 4, 1); /* so has machine 1 */
	assert_int_equal(place(&m, REPLAY_FIRST, 0), -ENOSPC);
	/* Below zero is zero. */
	set_free(&m, 4, -5);
	set_free(&m, 6, 10);
	set_free(&m, 7, 0);
	assert_int_equal(place(&m, REPLAY_SPREAD, 0), 0);
	demand_is(&m, 0, 2, 1, 5);
	demand_is(&m, 1, 3, 0, 10);
	unmake(&m);
}

static void in_vain_where_most_is_free(void **state)
{
	struct made m;

	(void)state;
	make(&m, CSV "0,a,reserve,,cores,50\n0,a,reserve,,memory,5\n",
	     &two_by_two);
	set_free(&m, 0, 7);
	assert_int_equal(place(&m, REPLAY_FIRST, 0), -ENOSPC);
	replay_place_in_vain(&m.columns, &m.trace, &m.trace.events[0],
			     &m.place);
	demand_is(&m, 0, 2, 0, 50);
	demand_is(&m, 1, 2, 1, 5);
	unmake(&m);
}

static void tasks_over_machines(void **state)
{
	const struct replay_wish none = {.nr_machines = 0};
	struct made m;

	(void)state;
	make(&m, SWF JOB("2") JOB("5"), &none);
	assert_int_equal(m.machines.nr_nodes, 4);
	assert_int_equal(m.machines.capacity[3], 2);
	set_free(&m, 0, 1);
	assert_int_equal(place(&m, REPLAY_FIRST, 0), 0);
	demand_is(&m, 0, 1, 0, 2);
	assert_int_equal(place(&m, REPLAY_FIRST, 2), 0);
	assert_int_equal(m.place.nr, 3);
	demand_is(&m, 0, 0, 0, 1);
	demand_is(&m, 1, 1, 0, 2);
	demand_is(&m, 2, 2, 0, 2);
	set_free(&m, 1, 0);
	set_free(&m, 2, 0);
	assert_int_equal(place(&m, REPLAY_FIRST, 2), -ENOSPC);
	/* It held none of them. */
	assert_int_equal(*replay_column_cell(&m.columns, 0), 1);
	assert_int_equal(*replay_column_cell(&m.columns, 3), 2);
	unmake(&m);
}

/* Each of 70 nodes has one. */
static void over_more_nodes_than_a_request_has(void **state)
{
	struct replay_wish seventy = {
		.nr_machines = 70,
		.per_machine = 1,
		.capacity = "procs=1",
	};
	struct made m;

	(void)state;
	make(&m, SWF JOB("64") JOB("65") JOB("71"), &seventy);
	assert_int_equal(place(&m, REPLAY_FIRST, 0), 0);
	assert_int_equal(m.place.nr, 64);
	demand_is(&m, 63, 63, 0, 1);
	assert_int_equal(place(&m, REPLAY_FIRST, 2), -E2BIG);
	assert_int_equal(place(&m, REPLAY_FIRST, 4), -ENOSPC);
	unmake(&m);
	seventy.nr_machines = 1;
	seventy.per_machine = 70;
	seventy.capacity = "cores=70";
	make(&m, CSV "0,a,reserve,,cores,2\n", &seventy);
	assert_int_equal(place(&m, REPLAY_FIRST, 0), -E2BIG);
	unmake(&m);
}

static int wish_for(struct replay_texts *texts, struct replay_trace *trace)
{
	const struct replay_wish wish = {
		.nr_machines = 1,
		.capacity = texts->paths[1],
	};
	struct replay_machines machines;
	int err = replay_machines(trace, &wish, &machines);

	if (!err)
		replay_machines_free(&machines);
	return err;
}

static void capacities_that_are_none(void **state)
{
	static char lists[][32] = {
		"cores",	  "cores=",   "cores=x",
		"cores=-1",	  "cores=1x", "=1",
		"cores=1,gold=2", "core=1",   "cores=99999999999999999999",
	};
	static const char text[] = CSV "0,a,reserve,,cores,1\n";
	static char good[] = "cores=1";
	struct replay_texts texts = {.nr = 0};
	struct replay_trace trace = {0};

	(void)state;
	replay_put(&texts, text, strlen(text));
	assert_int_equal(replay_load_texts(&texts, &trace), 0);
	texts.paths[1] = NULL;
	assert_int_equal(replay_hear(&texts, wish_for, &trace), -EINVAL);
	assert_non_null(strstr(texts.said, "--capacity cores=..."));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		texts.paths[1] = lists[i];
		assert_int_equal(replay_hear(&texts, wish_for, &trace),
				 -EINVAL);
		assert_non_null(strstr(texts.said, "--capacity: invalid"));
	}
	texts.paths[1] = good;
	assert_int_equal(replay_hear(&texts, wish_for, &trace), 0);
	replay_free(&trace);
	replay_remove(&texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacities_are_split),
		cmocka_unit_test(on_one_node_by_policy),
		cmocka_unit_test(over_both_nodes_of_one_machine),
		cmocka_unit_test(in_vain_where_most_is_free),
		cmocka_unit_test(tasks_over_machines),
		cmocka_unit_test(over_more_nodes_than_a_request_has),
		cmocka_unit_test(capacities_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
