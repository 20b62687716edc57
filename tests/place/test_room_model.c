// SPDX-License-Identifier: MIT
/*
 * Making room, beside a reference that does it step by step: on small clusters at
 * random, with groups over machines, budgets and filters.
 */
#include "support/test.h"

#include <numatally/place_room.h>

#include "place/columns.h"
#include "place/room_reference.h"

static int filter(void *arg, const uint32_t *nodes, unsigned int nr, bool *keep)
{
	const struct small *s = arg;

	for (unsigned int i = 0; i < nr; i++)
		keep[i] = !(s->refused >> nodes[i] & 1);
	return 0;
}

static int spare(void *arg, const struct tally_account *accounts,
		 unsigned int nr, bool *spared)
{
	const struct small *s = arg;

	for (unsigned int i = 0; i < nr; i++)
		spared[i] = s->spared[accounts[i].row];
	return 0;
}

/* ---- the library --------------------------------------------------------- */

/* Candidates come and leave, until those that are wanted are there. */
static struct tally_candidates *collected(uint64_t *random, struct small *s)
{
	struct tally_candidates *c;
	unsigned int half = (unsigned int)columns_random(random, s->nr + 1);

	assert_int_equal(tally_place_candidates_create(&s->place, &c), 0);
	assert_int_equal(tally_place_candidates_add(c, s->candidates, half), 0);
	for (unsigned int i = 0; i < half; i++)
		if (columns_random(random, 3) == 0) {
			tally_place_candidates_remove(
				c, &s->candidates[i].account, 1);
			assert_int_equal(tally_place_candidates_add(
						 c, &s->candidates[i], 1),
					 0);
		}
	assert_int_equal(tally_place_candidates_add(c, s->candidates + half,
						    s->nr - half),
			 0);
	return c;
}

static struct answer library(uint64_t *random, struct small *s, uint32_t only)
{
	struct answer a = {.fit = {.size = sizeof(a.fit)}};
	struct tally_room room = {
		.size = sizeof(room),
		.victims = a.victims,
		.max_victims = CANDIDATES,
	};
	struct tally_candidates *c = collected(random, s);

	a.rc = tally_place_make_room(c, &s->request, only, &s->eviction, &room,
				     &a.fit);
	tally_place_candidates_destroy(c);
	a.nr = room.nr_victims;
	a.nr_over = room.nr_over_budget;
	return a;
}

/* Without the eviction of each unit of victims, it would not fit. */
static void none_is_too_much(struct small *s, const struct answer *a)
{
	struct tally_fit fit = {.size = sizeof(fit)};
	struct unit all = {0};

	for (unsigned int i = 0; i < s->nr; i++)
		for (uint32_t v = 0; v < a->nr; v++)
			if (a->victims[v].row == s->candidates[i].account.row)
				all.members |= 1u << i;
	change(s, &all, 1);
	assert_true(fits(s, a->fit.machine, &fit));
	for (unsigned int i = 0; i < s->nr; i++) {
		struct unit u = {0};

		if (!(all.members >> i & 1))
			continue;
		for (unsigned int j = 0; j < s->nr; j++)
			if (j == i ||
			    (s->candidates[i].group &&
			     s->candidates[j].group == s->candidates[i].group))
				u.members |= 1u << j;
		assert_int_equal(u.members & ~all.members, 0);
		change(s, &u, -1);
		assert_false(fits(s, a->fit.machine, &fit));
		change(s, &u, 1);
	}
	change(s, &all, -1);
}

static void agree(uint64_t *random, struct small *s)
{
	uint32_t only =
		columns_random(random, 4)
			? TALLY_PLACE_ANY
			: (uint32_t)columns_random(random, s->nr_machines);
	struct answer expected = reference(s, only);
	struct answer got = library(random, s, only);

	assert_int_equal(got.rc, expected.rc);
	if (got.rc)
		return;
	assert_int_equal(got.nr, expected.nr);
	for (uint32_t v = 0; v < got.nr; v++)
		assert_int_equal(got.victims[v].row, expected.victims[v].row);
	assert_int_equal(got.nr_over, expected.nr_over);
	assert_int_equal(got.fit.machine, expected.fit.machine);
	assert_int_equal(got.fit.nr_demands, expected.fit.nr_demands);
	for (unsigned int i = 0; i < got.fit.nr_demands; i++)
		assert_memory_equal(&got.fit.demands[i],
				    &expected.fit.demands[i],
				    sizeof(got.fit.demands[i]));
	assert_int_equal(got.fit.preferred, expected.fit.preferred);
	assert_true(got.fit.score == expected.fit.score);
	none_is_too_much(s, &got);
}

/* ---- at random ----------------------------------------------------------- */

static uint64_t some(uint64_t *random, uint64_t end)
{
	return columns_random(random, end);
}

static void draw_candidate(uint64_t *random, struct small *s, unsigned int i)
{
	struct tally_candidate *c = &s->candidates[i];
	uint64_t machine = some(random, s->nr_machines);

	*c = (struct tally_candidate){
		.account = {.row = i, .generation = 7},
		.demands = s->demands[i],
		.nr_demands = (unsigned int)some(random, 4),
		.priority = (int32_t)some(random, 4) - 1,
		.start_ns = (int64_t)some(random, 3) - 1,
		.group = some(random, 4) ? 0 : 1 + (uint32_t)some(random, 3),
		.budget = some(random, 3) ? 0
					  : 1 + (uint32_t)some(random, BUDGETS),
		.kept = some(random, 12) == 0,
	};
	for (unsigned int d = 0; d < c->nr_demands; d++) {
		/* Now and then on another machine, too. */
		if (!some(random, 8))
			machine = some(random, s->nr_machines);
		s->demands[i][d] = (struct tally_demand){
			.node = (int)(machine * s->nr_nodes +
				      some(random, s->nr_nodes)),
			.resource = (unsigned int)some(random, s->nr_resources),
			.amount = (int64_t)some(random, 5),
		};
	}
}

static void draw_columns(uint64_t *random, struct small *s)
{
	const unsigned int nr_nodes = s->nr_machines * s->nr_nodes;
	uint64_t most = 1 + some(random, 4);

	for (unsigned int r = 0; r < s->nr_resources; r++)
		for (unsigned int n = 0; n < nr_nodes; n++)
			/* Sometimes more is held than there is. */
			s->free[r][n] =
				(int64_t)some(random, most) - !some(random, 10);
	memcpy(s->capacity, s->free, sizeof(s->free));
	for (unsigned int i = 0; i < s->nr; i++)
		for (unsigned int d = 0; d < s->candidates[i].nr_demands; d++) {
			const struct tally_demand *demand = &s->demands[i][d];

			s->capacity[demand->resource][demand->node] +=
				demand->amount;
		}
	for (unsigned int r = 0; r < s->nr_resources; r++)
		for (unsigned int n = 0; n < nr_nodes; n++)
			if (!some(random, 3))
				s->capacity[r][n] += (int64_t)some(random, 4);
	for (unsigned int p = 0; p < s->nr_parts; p++)
		for (unsigned int r = 0; r < s->nr_resources; r++)
			s->amounts[p][r] = (struct tally_amount){
				r, (int64_t)some(random, 7)};
}

static void draw(uint64_t *random, struct small *s)
{
	memset(s, 0, sizeof(*s));
	s->nr_machines = 1 + (unsigned int)some(random, MACHINES);
	s->nr_nodes = 1 + (unsigned int)some(random, NODES);
	s->nr_resources = 1 + (unsigned int)some(random, RESOURCES);
	s->nr_parts = 1 + (unsigned int)some(random, PARTS);
	s->nr = (unsigned int)some(random, CANDIDATES + 1);
	for (unsigned int i = 0; i < s->nr; i++) {
		draw_candidate(random, s, i);
		s->spared[i] = some(random, 8) == 0;
	}
	draw_columns(random, s);
	for (unsigned int b = 0; b < BUDGETS; b++)
		s->budgets[b] = (uint32_t)some(random, 3);
	s->refused = some(random, 3) ? 0 : 1u << some(random, ALL_NODES);
	for (unsigned int r = 0; r < s->nr_resources; r++) {
		s->free_of[r] = s->free[r];
		s->capacity_of[r] = s->capacity[r];
	}
	for (uint32_t m = 0; m <= s->nr_machines; m++)
		s->machines[m] = m * s->nr_nodes;
	for (unsigned int p = 0; p < s->nr_parts; p++)
		s->parts[p] = (struct tally_place_part){s->amounts[p],
							s->nr_resources};
	s->place = (struct tally_place){
		.size = sizeof(s->place),
		.nr_nodes = s->nr_machines * s->nr_nodes,
		.nr_machines = s->nr_machines,
		.nr_resources = s->nr_resources,
		.free = s->free_of,
		.capacity = s->capacity_of,
		.machines = s->machines,
	};
	s->request = (struct tally_place_request){
		.size = sizeof(s->request),
		.parts = s->parts,
		.nr_parts = s->nr_parts,
		.policy = (enum tally_place_policy)some(random, 4),
		.scope = (enum tally_place_scope)some(random, 2),
		.score = (enum tally_place_score)some(random, 6),
		.filter = some(random, 3) ? NULL : filter,
		.arg = s,
	};
	s->eviction = (struct tally_eviction){
		.size = sizeof(s->eviction),
		.priority = (int32_t)some(random, 4),
		.budgets = s->budgets,
		.nr_budgets = (uint32_t)some(random, BUDGETS + 1),
		.spare = some(random, 4) ? NULL : spare,
		.arg = s,
	};
}

static void victims_are_those_of_a_plain_search(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0, nr = test_is_long() ? 2000000 : test_cases(100000);
	     i < nr; i++) {
		struct small s;

		draw(&random, &s);
		agree(&random, &s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(victims_are_those_of_a_plain_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
