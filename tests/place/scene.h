/* SPDX-License-Identifier: MIT */
/* Three machines of two nodes, and candidates there. */
#ifndef TEST_PLACE_SCENE_H
#define TEST_PLACE_SCENE_H

#include "support/test.h"

#include <numatally/place_room.h>

#include "place/columns.h"

#define MOST 16u

/* Machines of two nodes, which have 8 of each resource. */
struct scene {
	struct columns columns;
	struct tally_candidates *candidates;
	struct tally_amount amounts[3];
	struct tally_place_part part;
	struct tally_place_request request;
	struct tally_eviction eviction;
	struct tally_account victims[MOST];
	struct tally_room room;
	struct tally_fit fit;
	uint32_t budgets[2];
};

static inline int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	columns_init(&s->columns, 6, 2);
	s->part = (struct tally_place_part){s->amounts, 3};
	s->request = (struct tally_place_request){
		.size = sizeof(s->request),
		.parts = &s->part,
		.nr_parts = 1,
		.policy = TALLY_PLACE_SINGLE_NODE,
	};
	for (unsigned int r = 0; r < 3; r++)
		s->amounts[r].resource = r;
	s->amounts[0].amount = 8;
	s->eviction = (struct tally_eviction){
		.size = sizeof(s->eviction),
		.priority = 1000,
		.budgets = s->budgets,
		.nr_budgets = 2,
	};
	s->room = (struct tally_room){
		.size = sizeof(s->room),
		.victims = s->victims,
		.max_victims = MOST,
	};
	s->fit.size = sizeof(s->fit);
	*state = s;
	return tally_place_candidates_create(&s->columns.place, &s->candidates);
}

static inline int scene_teardown(void **state)
{
	struct scene *s = *state;

	tally_place_candidates_destroy(s->candidates);
	tally_place_candidates_destroy(NULL);
	free(s);
	return 0;
}

#define SCENE(name) \
	cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* An account that has so much of the first resource on a node. */
static inline struct tally_candidate has(uint32_t row, int32_t priority)
{
	return (struct tally_candidate){
		.account = {.row = row, .generation = 1},
		.priority = priority,
	};
}

static inline void put_amount(struct scene *s, struct tally_candidate c,
			      int node, unsigned int resource, int64_t amount)
{
	const struct tally_demand demand = {node, resource, amount};

	c.demands = &demand;
	c.nr_demands = 1;
	assert_int_equal(tally_place_candidates_add(s->candidates, &c, 1), 0);
	assert_int_equal(tally_place_take(&s->columns.place, &demand, 1), 0);
}

static inline void put(struct scene *s, struct tally_candidate c, int node,
		       int64_t amount)
{
	put_amount(s, c, node, 0, amount);
}

static inline void put_at(struct scene *s, uint32_t row, int32_t priority,
			  int64_t start_ns, int node, int64_t amount)
{
	struct tally_candidate c = has(row, priority);

	c.start_ns = start_ns;
	put(s, c, node, amount);
}

/* Of what nobody evicts. */
static inline void fill(struct scene *s, int node)
{
	int64_t *left = &s->columns.free[0][node];

	*left = 0;
}

static inline int ask(struct scene *s)
{
	return tally_place_make_room(s->candidates, &s->request,
				     TALLY_PLACE_ANY, &s->eviction, &s->room,
				     &s->fit);
}

/* The rows of the victims, as "3 7 ". */
static inline const char *victims(struct scene *s)
{
	static char text[256];
	size_t used = 0;
	int err = ask(s);

	text[0] = '\0';
	if (err) {
		snprintf(text, sizeof(text), "error %d", err);
		return text;
	}
	for (uint32_t i = 0; i < s->room.nr_victims; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%u ", s->victims[i].row);
	return text;
}

/* The first machine alone counts. */
static inline struct scene *one_machine(void **state)
{
	struct scene *s = *state;

	for (int n = 2; n < 6; n++)
		fill(s, n);
	return s;
}

/* One node of each of three machines counts. */
static inline struct scene *three_nodes(void **state)
{
	struct scene *s = *state;

	for (int n = 1; n < 6; n += 2)
		fill(s, n);
	return s;
}

#endif
