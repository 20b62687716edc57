// SPDX-License-Identifier: MIT
/* Whose eviction makes room, in a full cluster of a ledger. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/place_room.h>
#include <numatally/topo.h>

#include "bench.h"
#include "support/cluster.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define NR_RESOURCES  3
#define NR_MACHINES   500u
#define NR_NODES      8u /* on a machine */
#define PER_NODE      5u
#define PER_MACHINE   (NR_NODES * PER_NODE)
#define NR_JOBS	      (NR_MACHINES * PER_MACHINE)
#define NR_PRIORITIES 100
#define ABOVE	      NR_PRIORITIES /* all of them */

struct job {
	struct tally_account account;
	struct tally_token token;
	struct tally_demand demands[NR_RESOURCES];
	int32_t priority;
	int64_t start_ns;
};

static struct {
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct tally_place *place;
	struct tally_candidates *any, *equal; /* priorities */
	struct job *jobs; /* by row, then by importance on each machine */
	uint64_t random;
} b;

static uint64_t some(uint64_t end)
{
	b.random = b.random * UINT64_C(6364136223846793005) + 1;
	return (b.random >> 32) * end >> 32;
}

/* ---- requests ------------------------------------------------------------ */

#define GIB(n)	 (INT64_C(n) << 30)
#define NR_SIZES 8

/* On a node; on two of a machine. */
static struct tally_amount small[NR_SIZES][NR_RESOURCES],
	large[NR_SIZES][NR_RESOURCES];

struct ask {
	struct tally_candidates **of;
	enum tally_place_policy policy;
	struct tally_amount (*amounts)[NR_RESOURCES];
	unsigned int nr_parts;
};
static const struct ask asks[] = {
	{&b.any, TALLY_PLACE_SINGLE_NODE, small, 1},
	{&b.equal, TALLY_PLACE_SINGLE_NODE, small, 1},
	{&b.any, TALLY_PLACE_RESTRICTED, large, 1},
	{&b.any, TALLY_PLACE_SINGLE_NODE, small, 2},
	{&b.any, TALLY_PLACE_NONE, large, 1},
};

#define ARG(name, which)                             \
	static void *name##_arg(unsigned int thread) \
	{                                            \
		(void)thread;                        \
		return (void *)&asks[which];         \
	}
ARG(any, 0)
ARG(equal, 1)
ARG(two_nodes, 2)
ARG(two_parts, 3)
ARG(none, 4)

static void fill_request(const struct ask *ask, uint64_t turn,
			 struct tally_place_part *parts,
			 struct tally_place_request *request)
{
	for (unsigned int p = 0; p < ask->nr_parts; p++)
		parts[p] = (struct tally_place_part){
			ask->amounts[(turn + p) % NR_SIZES], NR_RESOURCES};
	*request = (struct tally_place_request){
		.size = sizeof(*request),
		.parts = parts,
		.nr_parts = ask->nr_parts,
		.policy = ask->policy,
	};
}

BENCH_LOOP void decide(void *arg, uint64_t nr)
{
	const struct tally_eviction eviction = {.size = sizeof(eviction),
						.priority = ABOVE};
	const struct ask *ask = arg;
	struct tally_account victims[PER_MACHINE];
	struct tally_fit fit = {.size = sizeof(fit)};
	struct tally_room room = {.size = sizeof(room),
				  .victims = victims,
				  .max_victims = PER_MACHINE};

	for (uint64_t i = 0; i < nr; i++) {
		struct tally_place_request request;
		struct tally_place_part parts[2];

		fill_request(ask, i, parts, &request);
		if (tally_place_make_room(*ask->of, &request, TALLY_PLACE_ANY,
					  &eviction, &room, &fit) ||
		    !room.nr_victims)
			abort();
		bench_used(victims[0].row);
	}
}
BENCH_ALIGN(decide)

/* ---- the same, step by step ---------------------------------------------- */

static void change(const struct job *job, int sign)
{
	for (unsigned int r = 0; r < NR_RESOURCES; r++) {
		struct tally_demand d = job->demands[r];

		d.amount *= sign;
		if (tally_place_take(b.place, &d, 1))
			abort();
	}
}

static bool fits(const struct tally_place_request *request, uint32_t machine)
{
	struct tally_fit fit = {.size = sizeof(fit)};

	return !tally_place_fit(b.place, request, machine, NULL, &fit);
}

/* The priority of the most important victim; ABOVE: there are none. */
static int32_t victims_of(const struct tally_place_request *request,
			  uint32_t machine)
{
	const struct job *jobs = &b.jobs[machine * PER_MACHINE];
	int32_t highest = ABOVE;
	uint64_t out = 0;
	bool room;

	for (unsigned int i = 0; i < PER_MACHINE; i++)
		change(&jobs[i], -1);
	room = fits(request, machine);
	for (unsigned int i = 0; i < PER_MACHINE; i++) {
		change(&jobs[i], 1);
		if (!room || fits(request, machine))
			continue;
		change(&jobs[i], -1);
		if (!out)
			highest = jobs[i].priority;
		out |= UINT64_C(1) << i;
	}
	for (unsigned int i = 0; i < PER_MACHINE; i++)
		if (out >> i & 1)
			change(&jobs[i], 1);
	return highest;
}

BENCH_LOOP void by_steps(void *arg, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_place_request request;
		struct tally_place_part parts[2];
		int32_t lowest = ABOVE;

		fill_request(arg, i, parts, &request);
		for (uint32_t m = 0; m < NR_MACHINES; m++) {
			int32_t highest = victims_of(&request, m);

			lowest = highest < lowest ? highest : lowest;
		}
		if (lowest == ABOVE)
			abort();
	}
}
BENCH_ALIGN(by_steps)

/* ---- keeping candidates -------------------------------------------------- */

static int32_t priority_of(struct tally_account account)
{
	return (int32_t)((account.row * UINT64_C(0x9e3779b97f4a7c15) >> 40) %
			 NR_PRIORITIES);
}

static int64_t start_of(struct tally_account account)
{
	return account.row * INT64_C(7919) % NR_JOBS;
}

static int describe(void *arg, const struct tally_reservation *reservation,
		    struct tally_candidate *candidate)
{
	(void)reservation;
	if (arg != &b.equal)
		candidate->priority = priority_of(candidate->account);
	candidate->start_ns = start_of(candidate->account);
	return 0;
}

BENCH_LOOP void refresh_all(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		if (tally_place_candidates_refresh(
			    b.any, b.view, TALLY_PLACE_ANY, describe, &b.any))
			abort();
}
BENCH_ALIGN(refresh_all)

BENCH_LOOP void refresh_one(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		if (tally_place_candidates_refresh(b.any, b.view,
						   (uint32_t)(i % NR_MACHINES),
						   describe, b.any))
			abort();
}
BENCH_ALIGN(refresh_one)

BENCH_LOOP void replace(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		const struct job *job = &b.jobs[i * 7919 % NR_JOBS];
		struct tally_candidate candidate = {
			.account = job->account,
			.demands = job->demands,
			.nr_demands = NR_RESOURCES,
			.priority = job->priority,
			.start_ns = job->start_ns,
		};

		tally_place_candidates_remove(b.any, &job->account, 1);
		if (tally_place_candidates_add(b.any, &candidate, 1))
			abort();
	}
}
BENCH_ALIGN(replace)

/* ---- the cluster --------------------------------------------------------- */

static int by_importance(const void *a, const void *other)
{
	const struct job *x = a, *y = other;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* 15 of 16 cores, 45 to 60 of 64 GiB, 0 to 2 of 2 GPUs. */
static int start(uint32_t i)
{
	struct job *job = &b.jobs[i];
	const int node =
		cluster_node(i / PER_MACHINE, (int)(i / PER_NODE % NR_NODES));
	const struct tally_request request = {.size = sizeof(request),
					      .demands = job->demands,
					      .nr_demands = NR_RESOURCES};
	char key[32];
	int err;

	snprintf(key, sizeof(key), "batch/job-%u", i);
	job->demands[0] = (struct tally_demand){node, 0, 3};
	job->demands[1] = (struct tally_demand){
		node, 1, GIB(9) + ((int64_t)some(4) << 30)};
	job->demands[2] = (struct tally_demand){
		node, 2, i % PER_NODE < 2 ? (int64_t)some(2) : 0};
	err = tally_account_open(tally_ledger_accounts(b.ledger), key,
				 &job->account);
	if (!err)
		err = tally_limit_reserve(b.ledger, job->account, &request,
					  &job->token, NULL);
	if (!err)
		err = tally_limit_commit(b.ledger, job->token);
	return err;
}

static int fill(void)
{
	static const int64_t capacities[NR_RESOURCES] = {16, GIB(64), 2};
	int err = 0;

	for (unsigned int n = 0; !err && n < NR_MACHINES * NR_NODES; n++)
		for (unsigned int r = 0; !err && r < NR_RESOURCES; r++)
			err = tally_limit_set_capacity(
				b.ledger,
				cluster_node(n / NR_NODES, (int)(n % NR_NODES)),
				r, capacities[r]);
	for (uint32_t i = 0; !err && i < NR_JOBS; i++) {
		err = start(i);
		b.jobs[i].priority = priority_of(b.jobs[i].account);
		b.jobs[i].start_ns = start_of(b.jobs[i].account);
	}
	for (uint32_t m = 0; !err && m < NR_MACHINES; m++)
		qsort(&b.jobs[m * PER_MACHINE], PER_MACHINE, sizeof(*b.jobs),
		      by_importance);
	for (unsigned int i = 0; i < NR_SIZES; i++)
		for (unsigned int r = 0; r < NR_RESOURCES; r++) {
			const int64_t amounts[NR_RESOURCES] = {
				4 + i / 3, GIB(16) + ((int64_t)i << 30), i / 4};

			small[i][r] = (struct tally_amount){r, amounts[r]};
			large[i][r] = (struct tally_amount){
				r, r == 2 ? 3 : 5 * amounts[r]};
		}
	return err;
}

static int collect(void)
{
	int err = tally_place_create(b.view, NULL, &b.place);

	if (!err)
		err = tally_place_candidates_create(b.place, &b.any);
	if (!err)
		err = tally_place_candidates_create(b.place, &b.equal);
	if (!err)
		err = tally_place_candidates_refresh(
			b.any, b.view, TALLY_PLACE_ANY, describe, &b.any);
	if (!err)
		err = tally_place_candidates_refresh(
			b.equal, b.view, TALLY_PLACE_ANY, describe, &b.equal);
	return err;
}

static int set_up(void)
{
	static const struct tally_resource resources[NR_RESOURCES] = {
		{"cores", "", TALLY_RESERVABLE},
		{"memory_bytes", "bytes", TALLY_RESERVABLE},
		{"gpus", "", TALLY_RESERVABLE},
	};
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = NR_JOBS,
		.max_key_bytes = 31,
	};
	struct tally_topo *topo = NULL;
	int err;

	b.random = 1;
	b.jobs = calloc(NR_JOBS, sizeof(*b.jobs));
	if (!b.jobs)
		return -ENOMEM;
	err = cluster_create(NULL, NR_MACHINES, NR_NODES, &topo);
	if (!err)
		err = tally_ledger_create(NULL, topo, resources, NR_RESOURCES,
					  &options, &b.ledger);
	tally_topo_close(topo);
	if (!err)
		err = fill();
	if (!err)
		err = tally_view_open(b.ledger, &b.view);
	return err ? err : collect();
}

static void tear_down(void)
{
	tally_place_candidates_destroy(b.any);
	tally_place_candidates_destroy(b.equal);
	tally_place_destroy(b.place);
	tally_view_close(b.view);
	tally_ledger_close(b.ledger);
	free(b.jobs);
	memset(&b, 0, sizeof(b));
}

#define OURS(what, loop, which)                         \
	.name = "numatally: " what, .kind = BENCH_OURS, \
	.loops = &loop##_loops, .arg = (which), .alone = true
static const struct bench_contender decisions[] = {
	{.name = "step by step, with tally_place_fit()",
	 .kind = BENCH_PEER,
	 .loops = &by_steps_loops,
	 .arg = any_arg,
	 .alone = true},
	{OURS("on one node", decide, any_arg),
	 .row = "whose eviction makes room, of 20,000 accounts",
	 .target_ns = 1e6},
	{OURS("on one node, all of one priority", decide, equal_arg),
	 .row = "the same, all of one priority", .target_ns = 1e6},
	{OURS("on any nodes of a machine", decide, none_arg)},
	{OURS("on two nodes, restricted", decide, two_nodes_arg)},
	{OURS("two containers, each on one node", decide, two_parts_arg)},
};
static const struct bench_contender upkeep[] = {
	{OURS("collect 20,000 candidates of a ledger", refresh_all, NULL)},
	{OURS("collect those of one machine, 40", refresh_one, NULL)},
	{OURS("remove and add one", replace, NULL)},
};

const struct bench_group bench_room_groups[] = {
	{.name = "room",
	 .title =
		 "Whose eviction makes room, of 20,000 accounts on 500 machines "
		 "of 8 nodes",
	 .unit = "decision",
	 .contenders = decisions,
	 .nr_contenders = COUNT(decisions),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "room-candidates",
	 .title = "Keeping the candidates of 500 machines",
	 .unit = "call",
	 .contenders = upkeep,
	 .nr_contenders = COUNT(upkeep),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_room_groups = COUNT(bench_room_groups);
