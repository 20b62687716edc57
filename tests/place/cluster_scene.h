/* SPDX-License-Identifier: MIT */
/* A ledger over a small cluster, and its candidates. */
#ifndef TEST_PLACE_CLUSTER_SCENE_H
#define TEST_PLACE_CLUSTER_SCENE_H

#include "support/test.h"

#include <numatally/place_room.h>

#include "place/columns.h"
#include "support/cluster.h"

#define MACHINES 3u
#define NODES	 4u
#define MOST	 400u

static const struct tally_resource resources[] = {
	{"faults", "", TALLY_COUNTER},
	{"cores", "", TALLY_RESERVABLE},
	{"memory_bytes", "bytes", TALLY_RESERVABLE},
};
enum { CORES = 1, MEMORY };

struct scene {
	struct tally_ledger *ledger;
	struct tally_accounts *accounts;
	struct tally_topo *topo;
	struct tally_view *view;
	struct tally_place *place;
	struct tally_candidates *candidates;
	struct tally_account victims[MOST];
	struct tally_room room;
	struct tally_fit fit;
	/* What describe() does, and has seen. */
	int32_t priority;
	uint32_t group;
	int rc;
	unsigned int nr_described, nr_demands;
	struct tally_reservation reservation;
};

/* Each node has 8 of each. */
static inline struct scene *scene_at(const char *path)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	assert_int_equal(cluster_create(NULL, MACHINES, NODES, &s->topo), 0);
	assert_int_equal(tally_ledger_create(path, s->topo, resources, 3, NULL,
					     &s->ledger),
			 0);
	for (unsigned int n = 0; n < tally_topo_nr_nodes(s->topo); n++)
		for (unsigned int r = CORES; r <= MEMORY; r++)
			assert_int_equal(tally_limit_set_capacity(
						 s->ledger,
						 tally_topo_number(s->topo, n),
						 r, 8),
					 0);
	s->accounts = tally_ledger_accounts(s->ledger);
	assert_int_equal(tally_view_open(s->ledger, &s->view), 0);
	assert_int_equal(tally_place_create(s->view, s->topo, &s->place), 0);
	assert_int_equal(
		tally_place_candidates_create(s->place, &s->candidates), 0);
	s->room = (struct tally_room){
		.size = sizeof(s->room),
		.victims = s->victims,
		.max_victims = MOST,
	};
	s->fit.size = sizeof(s->fit);
	return s;
}

static inline int scene_setup(void **state)
{
	*state = scene_at(NULL);
	return 0;
}

static inline int scene_teardown(void **state)
{
	struct scene *s = *state;

	tally_place_candidates_destroy(s->candidates);
	tally_place_destroy(s->place);
	tally_view_close(s->view);
	tally_ledger_close(s->ledger);
	tally_topo_close(s->topo);
	free(s);
	return 0;
}

#define SCENE(name) \
	cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static inline struct tally_account account(const struct scene *s,
					   const char *key)
{
	struct tally_account a;

	assert_int_equal(tally_account_open(s->accounts, key, &a), 0);
	return a;
}

static inline struct tally_token reserve(const struct scene *s,
					 struct tally_account a,
					 const struct tally_demand *demands,
					 unsigned int nr)
{
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = nr};
	struct tally_token token;

	assert_int_equal(
		tally_limit_reserve(s->ledger, a, &request, &token, NULL), 0);
	return token;
}

static inline struct tally_account reserved(const struct scene *s,
					    const char *key,
					    unsigned int machine, int64_t cores)
{
	const struct tally_demand demand = {cluster_node(machine, 0), CORES,
					    cores};
	struct tally_account a = account(s, key);

	(void)reserve(s, a, &demand, 1);
	return a;
}

static inline int describe(void *arg,
			   const struct tally_reservation *reservation,
			   struct tally_candidate *candidate)
{
	struct scene *s = arg;

	assert_int_equal(candidate->priority, 0);
	assert_int_equal(candidate->group, 0);
	s->nr_described++;
	s->nr_demands += candidate->nr_demands;
	for (unsigned int i = 0; i < candidate->nr_demands; i++)
		assert_true(candidate->demands[i].amount > 0);
	s->reservation = *reservation;
	candidate->priority = s->priority;
	candidate->group = s->group;
	candidate->kept = false;
	return s->rc;
}

static inline int refresh(struct scene *s, uint32_t machine)
{
	s->nr_described = s->nr_demands = 0;
	return tally_place_candidates_refresh(s->candidates, s->view, machine,
					      describe, s);
}

static inline int ask(struct scene *s, int64_t cores, int64_t memory,
		      uint32_t machine)
{
	const struct tally_amount amounts[] = {{CORES, cores},
					       {MEMORY, memory}};
	const struct tally_place_part part = {amounts, memory ? 2 : 1};
	const struct tally_place_request request = {
		.size = sizeof(request),
		.parts = &part,
		.nr_parts = 1,
		.policy = TALLY_PLACE_SINGLE_NODE,
	};
	const struct tally_eviction eviction = {.size = sizeof(eviction),
						.priority = 100};

	assert_int_equal(
		tally_place_refresh(s->place, s->view, 0, s->place->nr_nodes),
		0);
	return tally_place_make_room(s->candidates, &request, machine,
				     &eviction, &s->room, &s->fit);
}

/* The first node of the first machine alone counts. */
static inline void fill_others(const struct scene *s)
{
	for (int n = 1; n < (int)NODES; n++)
		assert_int_equal(
			tally_limit_set_capacity(s->ledger, n, CORES, 0), 0);
}

#endif
