// SPDX-License-Identifier: MIT
/* Looking for room in columns of free amounts. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <numatally/place.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_RESOURCES 3
#define NR_NODES     40960u
#define PER_MACHINE  8u
#define NR_MACHINES  (NR_NODES / PER_MACHINE)

static int64_t *columns[2 * NR_RESOURCES]; /* free, then capacity */
static double weights[NR_RESOURCES];
static uint32_t machines[NR_MACHINES + 1];
static const struct tally_place place = {
	.size = sizeof(place),
	.nr_nodes = NR_NODES,
	.nr_machines = NR_MACHINES,
	.nr_resources = NR_RESOURCES,
	.free = columns,
	.capacity = columns + NR_RESOURCES,
	.weights = weights,
	.machines = machines,
};

static const struct tally_amount some[] = {
	{0, 4}, {1, INT64_C(8) << 30}, {2, 1}};
static const struct tally_amount rare[] = {
	{0, 64}, {1, INT64_C(8) << 30}, {2, 1}};
static const struct tally_place_part parts[] = {{some, COUNT(some)},
						{rare, COUNT(rare)}};

#define REQUEST(part, by, how)                                         \
	{                                                              \
		.size = sizeof(struct tally_place_request),            \
		.parts = &parts[part], .nr_parts = 1, .policy = (how), \
		.score = (by)                                          \
	}
static struct tally_place_request requests[] = {
	REQUEST(0, TALLY_PLACE_BEST, TALLY_PLACE_SINGLE_NODE),
	REQUEST(1, TALLY_PLACE_FIRST, TALLY_PLACE_SINGLE_NODE),
	REQUEST(0, TALLY_PLACE_FIRST, TALLY_PLACE_SINGLE_NODE),
	REQUEST(0, TALLY_PLACE_MOST_ALLOCATED, TALLY_PLACE_RESTRICTED),
};

#define ARG(name, which)                             \
	static void *name##_arg(unsigned int thread) \
	{                                            \
		(void)thread;                        \
		return &requests[which];             \
	}
ARG(best, 0)
ARG(last, 1)
ARG(first, 2)
ARG(machine, 3)

BENCH_LOOP void find(void *arg, uint64_t nr)
{
	uint32_t node = 0;

	for (uint64_t i = 0; i < nr; i++) {
		if (tally_place_node(&place, arg, &node))
			abort();
		bench_used(node);
	}
}
BENCH_ALIGN(find)

BENCH_LOOP void fit(void *arg, uint64_t nr)
{
	struct tally_fit found = {.size = sizeof(found)};

	for (uint64_t i = 0; i < nr; i++)
		if (tally_place_fit(&place, arg, TALLY_PLACE_ANY, NULL, &found))
			abort();
	bench_used(found.machine);
}
BENCH_ALIGN(fit)

/* As one would write it, node by node. */
BENCH_LOOP void by_hand(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		double least = 1e300;
		uint32_t node = 0;

		for (uint32_t n = 0; n < NR_NODES; n++) {
			double cost = 0;
			bool room = true;

			for (unsigned int r = 0; r < NR_RESOURCES && room;
			     r++) {
				int64_t left = columns[r][n] - some[r].amount;

				room = left >= 0;
				cost += (double)left * weights[r];
			}
			if (room && cost < least) {
				least = cost;
				node = n;
			}
		}
		bench_used(node);
	}
}
BENCH_ALIGN(by_hand)

static int set_up(void)
{
	static const uint64_t units[NR_RESOURCES] = {64, 256, 8};
	static const int shifts[NR_RESOURCES] = {0, 30, 0};
	uint64_t random = 1;

	for (unsigned int i = 0; i < COUNT(columns); i++) {
		unsigned int r = i % NR_RESOURCES;

		columns[i] = malloc(NR_NODES * sizeof(**columns));
		if (!columns[i])
			return -ENOMEM;
		for (uint32_t n = 0; n < NR_NODES; n++) {
			uint64_t some_units = units[r];

			random = random * UINT64_C(6364136223846793005) + 1;
			if (i < NR_RESOURCES && n < NR_NODES - 1)
				some_units = (random >> 32) % units[r];
			columns[i][n] = (int64_t)(some_units << shifts[r]);
		}
		weights[r] = 1 / (double)(units[r] << shifts[r]);
	}
	for (uint32_t m = 0; m <= NR_MACHINES; m++)
		machines[m] = m * PER_MACHINE;
	return 0;
}

static void tear_down(void)
{
	for (unsigned int i = 0; i < COUNT(columns); i++) {
		free(columns[i]);
		columns[i] = NULL;
	}
}

static const struct bench_contender nodes[] = {
	{.name = "best fit by hand, node by node",
	 .kind = BENCH_PEER,
	 .loops = &by_hand_loops,
	 .scale = NR_NODES,
	 .alone = true},
	{.name = "numatally: best fit",
	 .kind = BENCH_OURS,
	 .loops = &find_loops,
	 .arg = best_arg,
	 .scale = NR_NODES,
	 .alone = true,
	 .row = "best fit of 3 resources, a node of 40,960",
	 .target_ns = 0.5},
	{.name = "numatally: first fit, which is the last node",
	 .kind = BENCH_OURS,
	 .loops = &find_loops,
	 .arg = last_arg,
	 .scale = NR_NODES,
	 .alone = true},
};
static const struct bench_contender whole[] = {
	{.name = "numatally: first fit",
	 .kind = BENCH_OURS,
	 .loops = &find_loops,
	 .arg = first_arg,
	 .alone = true},
	{.name = "numatally: best fit of all nodes",
	 .kind = BENCH_OURS,
	 .loops = &find_loops,
	 .arg = best_arg,
	 .alone = true},
	{.name = "numatally: restricted, most allocated, of 5,120 machines",
	 .kind = BENCH_OURS,
	 .loops = &fit_loops,
	 .arg = machine_arg,
	 .alone = true},
};

const struct bench_group bench_place_groups[] = {
	{.name = "place-node",
	 .title = "Looking for a node with room, for each that is looked at",
	 .unit = "node",
	 .contenders = nodes,
	 .nr_contenders = COUNT(nodes),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "place",
	 .title = "Looking for room among 40,960 nodes of 5,120 machines",
	 .unit = "search",
	 .contenders = whole,
	 .nr_contenders = COUNT(whole),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_place_groups = COUNT(bench_place_groups);
