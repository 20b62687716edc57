// SPDX-License-Identifier: MIT
/*
 * The policies, beside a reference that goes through the cross product of all
 * hints, as Kubernetes describes it; and cases that Kubernetes documents.
 */
#include "support/test.h"

#include "place/columns.h"

#define NODES	  4u
#define RESOURCES 3u
#define PARTS	  2u
#define MASKS	  (1u << NODES)

/* A small machine, and what is asked of it. */
struct small {
	unsigned int nr_nodes, nr_resources, nr_parts;
	enum tally_place_policy policy;
	enum tally_place_scope scope;
	bool closest;
	int64_t free[RESOURCES][NODES], capacity[RESOURCES][NODES];
	int64_t amounts[PARTS][RESOURCES];
	int distances[NODES][NODES];
};

/* ---- the reference ------------------------------------------------------- */

struct hints {
	struct tally_place_hint of[MASKS];
	unsigned int nr;
};

static int64_t sum(const int64_t *of, uint64_t mask)
{
	int64_t all = 0;

	for (unsigned int n = 0; n < NODES; n++)
		if (mask >> n & 1)
			all += of[n];
	return all;
}

static int bits(uint64_t mask)
{
	return __builtin_popcountll(mask);
}

static void make_hints(const struct small *s, unsigned int r, int64_t amount,
		       uint64_t all, struct hints *hints)
{
	int least = 64;

	hints->nr = 0;
	for (uint64_t m = 1; m <= all; m++)
		if (!(m & ~all) && sum(s->capacity[r], m) >= amount &&
		    bits(m) < least)
			least = bits(m);
	for (uint64_t m = 1; m <= all; m++)
		if (!(m & ~all) && sum(s->free[r], m) >= amount &&
		    (s->policy != TALLY_PLACE_SINGLE_NODE || bits(m) == 1))
			hints->of[hints->nr++] =
				(struct tally_place_hint){m, bits(m) == least};
}

static int64_t distance(const struct small *s, uint64_t mask)
{
	int64_t all = 0;

	for (unsigned int i = 0; s->closest && i < s->nr_nodes; i++)
		for (unsigned int j = 0; j < s->nr_nodes; j++)
			if (mask >> i & mask >> j & 1)
				all += s->distances[i][j];
	return all;
}

static bool narrower(const struct small *s, uint64_t a, uint64_t b)
{
	if (bits(a) != bits(b))
		return bits(a) < bits(b);
	if (distance(s, a) != distance(s, b))
		return distance(s, a) < distance(s, b);
	return a < b;
}

/* Whether a merged hint is better than the best so far. */
static bool better(const struct small *s, int wanted,
		   const struct tally_place_hint *best,
		   const struct tally_place_hint *hint)
{
	int has = bits(best->nodes), gets = bits(hint->nodes);

	if (!hint->nodes)
		return false;
	if (!best->nodes || hint->preferred != best->preferred)
		return !best->nodes || hint->preferred;
	if (hint->preferred || has > wanted)
		return narrower(s, hint->nodes, best->nodes);
	if (has == wanted)
		return gets == wanted && narrower(s, hint->nodes, best->nodes);
	if (gets > wanted)
		return false;
	return gets > has ||
	       (gets == has && narrower(s, hint->nodes, best->nodes));
}

static void merge(const struct small *s, const struct hints *hints,
		  unsigned int nr, uint64_t all, struct tally_place_hint *best)
{
	unsigned int at[RESOURCES] = {0}, r = 0;
	int wanted = 0;

	*best = (struct tally_place_hint){0, false};
	for (r = 0; r < nr; r++) {
		int least = 64;

		if (!hints[r].nr)
			return;
		for (unsigned int i = 0; i < hints[r].nr; i++)
			if (bits(hints[r].of[i].nodes) < least)
				least = bits(hints[r].of[i].nodes);
		wanted = least > wanted ? least : wanted;
	}
	do {
		struct tally_place_hint merged = {all, true};

		for (r = 0; r < nr; r++) {
			const struct tally_place_hint *h = &hints[r].of[at[r]];

			merged.nodes &= h->nodes;
			merged.preferred &= h->preferred &&
					    h->nodes ==
						    hints[0].of[at[0]].nodes;
		}
		if (better(s, wanted, best, &merged))
			*best = merged;
		for (r = 0; r < nr && ++at[r] == hints[r].nr; r++)
			at[r] = 0;
	} while (r < nr);
}

static bool ref_part(const struct small *s, const int64_t *amounts,
		     struct tally_place_hint *hint)
{
	struct hints hints[RESOURCES];
	unsigned int nr = 0;
	uint64_t all = 0;

	*hint = (struct tally_place_hint){0, false};
	for (unsigned int n = 0; n < s->nr_nodes; n++)
		for (unsigned int r = 0; r < s->nr_resources; r++)
			if (amounts[r] && s->capacity[r][n])
				all |= UINT64_C(1) << n;
	for (unsigned int r = 0; r < s->nr_resources; r++) {
		if (!amounts[r])
			continue;
		if (sum(s->free[r], all) < amounts[r])
			return false;
		make_hints(s, r, amounts[r], all, &hints[nr++]);
	}
	if (!nr || s->policy == TALLY_PLACE_NONE) {
		*hint = (struct tally_place_hint){0, !nr};
		return true;
	}
	merge(s, hints, nr, all, hint);
	return hint->nodes &&
	       (s->policy == TALLY_PLACE_BEST_EFFORT || hint->preferred);
}

static void ref_take(struct small *s, const int64_t *amounts, uint64_t nodes)
{
	for (unsigned int r = 0; r < s->nr_resources; r++) {
		int64_t left = amounts[r];

		for (unsigned int i = 0; i < 2 * s->nr_nodes; i++) {
			unsigned int n = i % s->nr_nodes;
			int64_t has = s->free[r][n];

			if (i < s->nr_nodes && !(nodes >> n & 1))
				continue;
			has = has < left ? has : left;
			s->free[r][n] -= has;
			left -= has;
		}
	}
}

/* Whether the machine is taken; then hints[] and what is left free. */
static bool reference(struct small *s, struct tally_place_hint *hints)
{
	int64_t total[RESOURCES] = {0};

	for (unsigned int p = 0; p < s->nr_parts; p++)
		for (unsigned int r = 0; r < s->nr_resources; r++)
			total[r] += s->amounts[p][r];
	for (unsigned int p = 0; p < s->nr_parts; p++) {
		bool pod = s->scope == TALLY_PLACE_POD;
		const int64_t *amounts = pod ? total : s->amounts[p];

		if (pod && p) {
			hints[p] = hints[0];
			continue;
		}
		if (!ref_part(s, amounts, &hints[p]))
			return false;
		ref_take(s, amounts, hints[p].nodes);
	}
	return true;
}

/* ---- the library --------------------------------------------------------- */

static int library(struct small *s, struct tally_place_hint *hints,
		   struct tally_fit *fit)
{
	int64_t *free_of[RESOURCES], *capacity_of[RESOURCES];
	struct tally_amount amounts[PARTS][RESOURCES];
	struct tally_place_part parts[PARTS];
	const int *distances[NODES];
	const struct tally_place place = {
		.size = sizeof(place),
		.nr_nodes = s->nr_nodes,
		.nr_resources = s->nr_resources,
		.free = free_of,
		.capacity = capacity_of,
		.distances = distances,
	};
	const struct tally_place_request request = {
		.size = sizeof(request),
		.parts = parts,
		.nr_parts = s->nr_parts,
		.policy = s->policy,
		.scope = s->scope,
		.score = s->closest ? TALLY_PLACE_FEWEST_NODES
				    : TALLY_PLACE_FIRST,
	};

	for (unsigned int n = 0; n < NODES; n++)
		distances[n] = s->distances[n];
	for (unsigned int r = 0; r < RESOURCES; r++) {
		free_of[r] = s->free[r];
		capacity_of[r] = s->capacity[r];
	}
	for (unsigned int p = 0; p < s->nr_parts; p++) {
		parts[p] =
			(struct tally_place_part){amounts[p], s->nr_resources};
		for (unsigned int r = 0; r < s->nr_resources; r++)
			amounts[p][r] =
				(struct tally_amount){r, s->amounts[p][r]};
	}
	fit->size = sizeof(*fit);
	return tally_place_fit(&place, &request, 0, hints, fit);
}

static bool asks_nothing(const struct small *s)
{
	for (unsigned int p = 0; p < s->nr_parts; p++)
		for (unsigned int r = 0; r < s->nr_resources; r++)
			if (s->amounts[p][r])
				return false;
	return true;
}

static void agree(struct small *s)
{
	struct tally_place_hint hints[PARTS] = {{0}}, expected[PARTS] = {{0}};
	struct small after = *s;
	struct tally_fit fit;
	int err = library(s, hints, &fit);

	if (asks_nothing(s)) {
		assert_int_equal(err, -EINVAL);
		return;
	}
	if (!reference(&after, expected)) {
		struct small empty = *s;

		memcpy(empty.free, s->capacity, sizeof(empty.free));
		assert_int_equal(err, reference(&empty, expected) ? -ENOSPC
								  : -ERANGE);
		return;
	}
	assert_int_equal(err, 0);
	for (unsigned int p = 0; p < s->nr_parts; p++) {
		assert_int_equal(hints[p].nodes, expected[p].nodes);
		assert_int_equal(hints[p].preferred, expected[p].preferred);
	}
	for (unsigned int i = 0; i < fit.nr_demands; i++) {
		const struct tally_demand *d = &fit.demands[i];

		assert_true(d->amount > 0);
		s->free[d->resource][d->node] -= d->amount;
	}
	assert_memory_equal(s->free, after.free, sizeof(after.free));
}

static void draw(uint64_t *random, struct small *s)
{
	uint64_t most = 1 + columns_random(random, 6);

	memset(s, 0, sizeof(*s));
	s->nr_nodes = 1 + (unsigned int)columns_random(random, NODES);
	s->nr_resources = 1 + (unsigned int)columns_random(random, RESOURCES);
	s->nr_parts = 1 + (unsigned int)columns_random(random, PARTS);
	s->policy = (enum tally_place_policy)columns_random(random, 4);
	s->scope = (enum tally_place_scope)columns_random(random, 2);
	s->closest = columns_random(random, 2);
	for (unsigned int r = 0; r < s->nr_resources; r++) {
		for (unsigned int n = 0; n < s->nr_nodes; n++) {
			int64_t *capacity = &s->capacity[r][n];

			*capacity = (int64_t)columns_random(random, most + 2);
			s->free[r][n] = (int64_t)columns_random(
				random, (uint64_t)*capacity + 1);
			if (columns_random(random, 2))
				s->free[r][n] = *capacity;
		}
		for (unsigned int p = 0; p < s->nr_parts; p++)
			s->amounts[p][r] =
				(int64_t)columns_random(random, 2 * most);
	}
	for (unsigned int i = 0; i < NODES; i++)
		for (unsigned int j = 0; j < i; j++)
			s->distances[i][j] = s->distances[j][i] =
				15 + (int)columns_random(random, 3);
	for (unsigned int i = 0; i < NODES; i++)
		s->distances[i][i] = 10;
}

static void policies_agree_with_a_cross_product(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0, nr = test_is_long() ? 1000000 : test_cases(100000);
	     i < nr; i++) {
		struct small s;

		draw(&random, &s);
		agree(&s);
	}
}

/* ---- cases --------------------------------------------------------------- */

/* Resources 0, 1 and 2 are CPUs, devices and memory. */
static struct small two_nodes(int64_t cpus, int64_t devices, int64_t memory)
{
	struct small s = {
		.nr_nodes = 2,
		.nr_resources = 3,
		.nr_parts = 1,
		.capacity = {{8, 8}, {2, 2}, {64, 64}},
		.free = {{8, 8}, {2, 2}, {64, 64}},
		.amounts = {{cpus, devices, memory}},
	};

	return s;
}

static void expect(struct small s, enum tally_place_policy policy, int rc,
		   uint64_t nodes, bool preferred)
{
	struct tally_place_hint hint = {77, false};
	struct tally_fit fit;

	s.policy = policy;
	assert_int_equal(library(&s, &hint, &fit), rc);
	assert_int_equal(hint.nodes, rc ? 77 : nodes);
	if (!rc)
		assert_int_equal(hint.preferred, preferred);
	agree(&s);
}

#define NONE	    TALLY_PLACE_NONE
#define BEST_EFFORT TALLY_PLACE_BEST_EFFORT
#define RESTRICTED  TALLY_PLACE_RESTRICTED
#define SINGLE	    TALLY_PLACE_SINGLE_NODE

/* A device is free beside the second node alone: so are the CPUs taken there. */
static void hints_meet_on_the_node_of_the_device(void **state)
{
	struct small s = two_nodes(2, 1, 0);

	(void)state;
	s.free[1][0] = 0;
	expect(s, NONE, 0, 0, false);
	expect(s, BEST_EFFORT, 0, 2, true);
	expect(s, RESTRICTED, 0, 2, true);
	expect(s, SINGLE, 0, 2, true);
}

/* CPUs are free on one node, devices on the other. */
static void hints_that_do_not_meet_are_not_preferred(void **state)
{
	struct small s = two_nodes(2, 1, 0);

	(void)state;
	s.free[1][0] = s.free[0][1] = 0;
	expect(s, NONE, 0, 0, false);
	expect(s, BEST_EFFORT, 0, 1, false);
	expect(s, RESTRICTED, -ENOSPC, 0, false);
	expect(s, SINGLE, -ENOSPC, 0, false);
}

/* More than a node has: both nodes are the fewest, and so preferred. */
static void two_nodes_are_preferred_where_one_never_does(void **state)
{
	(void)state;
	expect(two_nodes(12, 3, 100), BEST_EFFORT, 0, 3, true);
	expect(two_nodes(12, 3, 100), RESTRICTED, 0, 3, true);
	expect(two_nodes(12, 3, 100), SINGLE, -ERANGE, 0, false);
	/* The devices would do with one node. */
	expect(two_nodes(12, 1, 0), RESTRICTED, -ERANGE, 0, false);
	expect(two_nodes(12, 1, 0), BEST_EFFORT, 0, 3, false);
	expect(two_nodes(17, 0, 0), NONE, -ERANGE, 0, false);
	expect(two_nodes(17, 0, 0), BEST_EFFORT, -ERANGE, 0, false);
}

/* One node would do, but what is free is spread. */
static void what_is_spread_is_restricted(void **state)
{
	struct small s = two_nodes(6, 0, 0);

	(void)state;
	s.free[0][0] = s.free[0][1] = 4;
	expect(s, BEST_EFFORT, 0, 3, false);
	expect(s, RESTRICTED, -ENOSPC, 0, false);
	expect(s, SINGLE, -ENOSPC, 0, false);
}

/* As many nodes as the CPUs need, not as few as the hints share. */
static void best_effort_has_the_nodes_of_the_widest(void **state)
{
	struct small s = {
		.nr_nodes = 4,
		.nr_resources = 2,
		.nr_parts = 1,
		.capacity = {{8, 8, 8, 8}, {1, 1, 1, 1}},
		.free = {{8, 8, 0, 0}, {0, 0, 1, 0}},
		.amounts = {{12, 1}},
	};

	(void)state;
	expect(s, BEST_EFFORT, 0, 3, false);
}

/* Neither resource has enough on nodes 0 and 1, which both hints share; nodes
 * 2 and 3 have enough of both. */
static void hints_may_share_what_has_too_little(void **state)
{
	struct small s = {
		.nr_nodes = 4,
		.nr_resources = 2,
		.nr_parts = 1,
		.capacity = {{6, 6, 6, 6}, {6, 6, 6, 6}},
		.free = {{1, 1, 3, 3}, {1, 1, 3, 3}},
		.amounts = {{5, 5}},
	};

	(void)state;
	expect(s, BEST_EFFORT, 0, 3, false);
}

/*
 * Kubernetes #128669 and #123816 tell of pods that fit one node and are refused,
 * because of what another resource's hints cross. They are taken here.
 */
static void a_pod_that_fits_a_node_is_taken(void **state)
{
	struct small s = two_nodes(2, 0, 60);

	(void)state;
	/* The memory of the first node is nearly used: hints {1}, {0, 1}. */
	s.free[2][0] = 10;
	expect(s, RESTRICTED, 0, 2, true);
	expect(s, SINGLE, 0, 2, true);
	/* So much memory is only on the larger node. */
	s = two_nodes(2, 0, 70);
	s.capacity[2][1] = s.free[2][1] = 80;
	expect(s, RESTRICTED, 0, 2, true);
	expect(s, SINGLE, 0, 2, true);
	/* A pod has memory of both nodes: the next one fits what it left. */
	s = two_nodes(2, 1, 20);
	s.free[2][0] = 0;
	s.free[2][1] = 28;
	expect(s, BEST_EFFORT, 0, 2, true);
	expect(s, RESTRICTED, 0, 2, true);
	expect(s, SINGLE, 0, 2, true);
}

static void scopes_align_containers_or_the_pod(void **state)
{
	struct tally_place_hint hints[PARTS];
	struct small s = two_nodes(6, 1, 0);
	struct tally_fit fit;

	(void)state;
	s.nr_parts = 2;
	memcpy(s.amounts[1], s.amounts[0], sizeof(s.amounts[0]));
	s.policy = SINGLE;
	assert_int_equal(library(&s, hints, &fit), 0);
	assert_int_equal(hints[0].nodes, 1);
	assert_int_equal(hints[1].nodes, 2);
	assert_int_equal(fit.nodes, 3);
	assert_true(fit.preferred);
	s.scope = TALLY_PLACE_POD;
	assert_int_equal(library(&s, hints, &fit), -ERANGE);
	s.amounts[1][0] = 2;
	assert_int_equal(library(&s, hints, &fit), 0);
	assert_int_equal(hints[0].nodes, 1);
	assert_int_equal(hints[1].nodes, 1);
	assert_int_equal(fit.nr_demands, 2);
	assert_int_equal(fit.demands[0].amount, 8);
	assert_int_equal(fit.demands[1].amount, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_agree_with_a_cross_product),
		cmocka_unit_test(hints_meet_on_the_node_of_the_device),
		cmocka_unit_test(hints_that_do_not_meet_are_not_preferred),
		cmocka_unit_test(two_nodes_are_preferred_where_one_never_does),
		cmocka_unit_test(what_is_spread_is_restricted),
		cmocka_unit_test(best_effort_has_the_nodes_of_the_widest),
		cmocka_unit_test(hints_may_share_what_has_too_little),
		cmocka_unit_test(a_pod_that_fits_a_node_is_taken),
		cmocka_unit_test(scopes_align_containers_or_the_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
