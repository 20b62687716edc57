// SPDX-License-Identifier: MIT
/*
 * A scheduler's decisions in a cluster: look, best fit, reserve, commit; beside
 * the same on states that are copied for each decision, wholly or where they
 * changed, as schedulers do it that keep their state in objects.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <numatally/error.h>
#include <numatally/limit.h>
#include <numatally/place.h>

#include "decide.h"
#include "support/cluster.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_PROCESSES 4u
#define LOOKED_AT    32u /* nodes whose columns a decision fills again */
#define NR_TIMED     20000u

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- numatally ----------------------------------------------------------- */

struct pending {
	uint32_t number;
	bool placed;
	struct tally_account account;
	struct tally_token token;
};

/* One that looks at nodes in turn, and again at one that others had taken. */
struct scheduler {
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct tally_place *place;
	struct pending *pending;
	uint32_t next, looks_at;
	uint64_t nr_decisions, nr_conflicts;
};

static char path[64];
static uint32_t nr_jobs; /* in the ledger and in the peers' states */
static struct tally_ledger *ledger;
static struct scheduler alone;

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "bench: decide: %s\n", tally_strerror(err));
	abort();
}

static void take(const struct scheduler *s, const struct tally_demand *demands)
{
	must(tally_place_take(s->place, demands, NR_RESOURCES));
}

static void give_back(struct scheduler *s, struct pending *p)
{
	if (p->placed)
		must(tally_limit_release(s->ledger, p->token, NULL, 0));
	p->placed = false;
}

static void look(struct scheduler *s)
{
	must(tally_place_refresh(s->place, s->view, s->looks_at, LOOKED_AT));
	s->looks_at = (s->looks_at + LOOKED_AT) % NR_NODES;
}

static void decide(struct scheduler *s, struct pending *p)
{
	struct tally_amount amounts[NR_RESOURCES];
	const struct tally_place_part part = {amounts, NR_RESOURCES};
	const struct tally_place_request asked = {
		.size = sizeof(asked),
		.parts = &part,
		.nr_parts = 1,
		.score = TALLY_PLACE_BEST,
	};
	struct tally_demand demands[NR_RESOURCES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = NR_RESOURCES,
	};
	uint32_t node;
	int err;

	amounts_of(p->number, amounts);
	look(s);
	for (;;) {
		must(tally_place_node(s->place, &asked, &node));
		for (unsigned int i = 0; i < NR_RESOURCES; i++)
			demands[i] = (struct tally_demand){
				s->place->numbers ? s->place->numbers[node]
						  : (int)node,
				i, amounts[i].amount};
		err = tally_limit_reserve(s->ledger, p->account, &request,
					  &p->token, NULL);
		if (err != -ENOSPC)
			break;
		s->nr_conflicts++;
		must(tally_place_refresh(s->place, s->view, node, 1));
	}
	must(err);
	must(tally_limit_commit(s->ledger, p->token));
	take(s, demands);
	p->placed = true;
	s->nr_decisions++;
}

static struct pending *next(struct scheduler *s)
{
	struct pending *p = &s->pending[s->next];

	s->next = (s->next + 1) % NR_PENDING;
	return p;
}

BENCH_LOOP void ours(void *arg, uint64_t nr)
{
	struct scheduler *s = arg;

	for (uint64_t i = 0; i < nr; i++) {
		struct pending *p = next(s);

		give_back(s, p);
		decide(s, p);
	}
}
BENCH_ALIGN(ours)

static int open_scheduler(struct scheduler *s, const char *name)
{
	char key[48];
	int err;

	memset(s, 0, sizeof(*s));
	s->pending = calloc(NR_PENDING, sizeof(*s->pending));
	if (!s->pending)
		return -ENOMEM;
	err = tally_ledger_open(path, &s->ledger);
	if (!err)
		err = tally_view_open(s->ledger, &s->view);
	if (!err)
		err = tally_place_create(s->view, NULL, &s->place);
	for (uint32_t i = 0; !err && i < NR_PENDING; i++) {
		snprintf(key, sizeof(key), "pending/%s-%u", name, i);
		s->pending[i].number = i * 31;
		err = tally_account_open(tally_ledger_accounts(s->ledger), key,
					 &s->pending[i].account);
	}
	return err;
}

static void close_scheduler(struct scheduler *s)
{
	tally_place_destroy(s->place);
	tally_view_close(s->view);
	tally_ledger_close(s->ledger);
	free(s->pending);
	memset(s, 0, sizeof(*s));
}

static int fill(void)
{
	struct tally_amount amounts[NR_RESOURCES];
	struct tally_demand demands[NR_RESOURCES];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = NR_RESOURCES,
	};
	struct tally_account account;
	struct tally_token token;
	char key[32];
	int err = 0;

	for (uint32_t n = 0; n < NR_NODES; n++)
		for (unsigned int i = 0; !err && i < NR_RESOURCES; i++)
			err = tally_limit_set_capacity(
				ledger,
				cluster_node(n / PER_MACHINE,
					     (int)(n % PER_MACHINE)),
				i, node_has[i]);
	for (uint32_t i = 0; !err && i < nr_jobs; i++) {
		amounts_of(i, amounts);
		snprintf(key, sizeof(key), "job-%u", i);
		err = tally_account_open(tally_ledger_accounts(ledger), key,
					 &account);
		for (uint32_t at = first_of(i); !err;
		     at = (at + 1) % NR_NODES) {
			for (unsigned int r = 0; r < NR_RESOURCES; r++)
				demands[r] = (struct tally_demand){
					cluster_node(at / PER_MACHINE,
						     (int)(at % PER_MACHINE)),
					r, amounts[r].amount};
			err = tally_limit_reserve(ledger, account, &request,
						  &token, NULL);
			if (err != -ENOSPC)
				break;
			err = 0;
		}
		if (!err)
			err = tally_limit_commit(ledger, token);
	}
	return err;
}

/* ---- several processes, and single decisions ------------------------------ */

static struct race {
	unsigned int ready, go;
	double times[NR_PROCESSES][NR_TIMED];
	uint64_t nr_decisions[NR_PROCESSES], nr_conflicts[NR_PROCESSES];
	double seconds[NR_PROCESSES];
} * race;
static double one_p50, one_p99, one_rate, race_p50, race_p99, race_rate,
	race_conflicts;

static unsigned int nr_timed(void)
{
	return bench_options.quick ? 200 : NR_TIMED;
}

/* Each decision by itself. */
static double time_each(struct scheduler *s, double *times)
{
	double began = now_ns();

	for (unsigned int i = 0; i < nr_timed(); i++) {
		struct pending *p = next(s);
		double start;

		give_back(s, p);
		start = now_ns();
		decide(s, p);
		times[i] = now_ns() - start;
	}
	return (now_ns() - began) / 1e9;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void quantiles(double *times, size_t nr, double *p50, double *p99)
{
	qsort(times, nr, sizeof(*times), ascending);
	*p50 = times[nr / 2];
	*p99 = times[nr * 99 / 100];
}

static void race_as(unsigned int number)
{
	struct scheduler s;
	char name[16];

	snprintf(name, sizeof(name), "racer%u", number);
	must(open_scheduler(&s, name));
	__atomic_fetch_add(&race->ready, 1, __ATOMIC_ACQ_REL);
	while (!__atomic_load_n(&race->go, __ATOMIC_ACQUIRE))
		usleep(100);
	race->seconds[number] = time_each(&s, race->times[number]);
	race->nr_decisions[number] = s.nr_decisions;
	race->nr_conflicts[number] = s.nr_conflicts;
	_exit(0);
}

static void run_race(void)
{
	unsigned int nr = nr_timed(), together = 0;
	uint64_t decisions = 0, conflicts = 0;
	double longest = 0;
	double *times = malloc(NR_PROCESSES * sizeof(*race->times));

	for (unsigned int i = 0; i < NR_PROCESSES; i++) {
		pid_t pid = fork();

		if (!pid)
			race_as(i);
		if (pid < 0)
			abort();
	}
	while (__atomic_load_n(&race->ready, __ATOMIC_ACQUIRE) < NR_PROCESSES)
		usleep(100);
	__atomic_store_n(&race->go, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < NR_PROCESSES; i++) {
		int status;

		if (wait(&status) < 0 || status)
			abort();
	}
	for (unsigned int i = 0; times && i < NR_PROCESSES; i++) {
		memcpy(times + together, race->times[i], nr * sizeof(*times));
		together += nr;
		decisions += race->nr_decisions[i];
		conflicts += race->nr_conflicts[i];
		if (race->seconds[i] > longest)
			longest = race->seconds[i];
	}
	race_rate = (double)decisions / longest;
	race_conflicts = (double)conflicts / (double)decisions;
	if (times)
		quantiles(times, together, &race_p50, &race_p99);
	free(times);
}

/* ---- the group ------------------------------------------------------------ */

static int set_up(void)
{
	static const struct tally_resource resources[NR_RESOURCES] = {
		{"cores", "", TALLY_RESERVABLE},
		{"memory_bytes", "bytes", TALLY_RESERVABLE},
		{"gpus", "", TALLY_RESERVABLE},
	};
	struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_key_bytes = 31,
	};
	struct tally_topo *topo = NULL;
	int err;

	nr_jobs = bench_options.quick ? 2000 : NR_JOBS;
	options.max_accounts = nr_jobs + (NR_PROCESSES + 1) * NR_PENDING + 64;
	snprintf(path, sizeof(path), "/dev/shm/numatally-bench-%d", getpid());
	err = cluster_create(NULL, NR_MACHINES, PER_MACHINE, &topo);
	if (err)
		return err;
	err = tally_ledger_create(path, topo, resources, NR_RESOURCES, &options,
				  &ledger);
	tally_topo_close(topo);
	if (!err)
		err = fill();
	if (!err)
		err = open_scheduler(&alone, "alone");
	if (!err)
		err = objects_open(nr_jobs);
	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return race == MAP_FAILED ? -errno : err;
}

static void tear_down(void)
{
	if (alone.place && !bench_options.counting) {
		one_rate = nr_timed() / time_each(&alone, race->times[0]);
		quantiles(race->times[0], nr_timed(), &one_p50, &one_p99);
		run_race();
	}
	munmap(race, sizeof(*race));
	close_scheduler(&alone);
	tally_ledger_close(ledger);
	ledger = NULL;
	(void)!tally_ledger_remove(path, 0);
	objects_close();
}

static void note(FILE *to)
{
	fprintf(to,
		"  a decision, one process: P50 %.1f us, P99 %.1f us, %.0f a second with its release\n"
		"  four processes: P50 %.1f us, P99 %.1f us, %.0f a second in all, %.2g conflicts a decision\n",
		one_p50 / 1e3, one_p99 / 1e3, one_rate, race_p50 / 1e3,
		race_p99 / 1e3, race_rate, race_conflicts);
}

static void *ours_arg(unsigned int thread)
{
	(void)thread;
	return &alone;
}

static void *one_arg(unsigned int thread)
{
	static uint32_t one = 1;

	(void)thread;
	return &one;
}

static void *many_arg(unsigned int thread)
{
	static uint32_t many = NR_SCHEDULERS;

	(void)thread;
	return &many;
}

#define OURS "numatally: look, best fit, reserve, commit"
static const struct bench_contender contenders[] = {
	{.name = OURS,
	 .kind = BENCH_OURS,
	 .loops = &ours_loops,
	 .arg = ours_arg,
	 .alone = true,
	 .row = "a decision among 40,000 nodes and 150,000 accounts",
	 .target_ns = 60000},
	{.name = "objects, copied whole for each decision",
	 .kind = BENCH_PEER,
	 .loops = &whole_loops,
	 .alone = true},
	{.name = "objects, copied where they changed",
	 .kind = BENCH_PEER,
	 .loops = &changed_loops,
	 .arg = one_arg,
	 .alone = true},
	{.name = "the same, by 16 schedulers in turn",
	 .kind = BENCH_PEER,
	 .loops = &changed_loops,
	 .arg = many_arg,
	 .alone = true},
};

const struct bench_group bench_decide_groups[] = {
	{.name = "decide",
	 .title = "A decision among 40,000 nodes and 150,000 accounts",
	 .unit = "decision",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down,
	 .note = note},
};
const size_t bench_nr_decide_groups = COUNT(bench_decide_groups);
