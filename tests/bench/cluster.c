// SPDX-License-Identifier: MIT
/* Reserving in a cluster's ledger, beside the same in a small one. */
#include "config.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <numatally/limit.h>

#include "bench.h"
#include "support/cluster.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_RESOURCES 3
#define MAX_HOLDINGS 4

/* An account, and where it has something: on 1 to 4 nodes. */
struct job {
	struct tally_account account;
	struct tally_token token;
	int nodes[MAX_HOLDINGS];
	int nr_nodes;
};

struct cluster {
	unsigned int nr_machines, nr_nodes;
	uint32_t nr_jobs;
	struct tally_ledger *ledger;
	struct job *jobs;
	struct job one; /* of one account on one node */
	double seconds; /* to make and fill it */
	double mebibytes;
	uint64_t random;
};
static struct cluster clusters[] = {
	{.nr_machines = 1, .nr_nodes = 2, .nr_jobs = 100},
	{.nr_machines = 5000, .nr_nodes = 8, .nr_jobs = 150000},
	{.nr_machines = 5000, .nr_nodes = 8, .nr_jobs = 1000000},
};

static void *small_arg(unsigned int thread)
{
	(void)thread;
	return &clusters[0];
}

static void *large_arg(unsigned int thread)
{
	(void)thread;
	return &clusters[1];
}

static void *huge_arg(unsigned int thread)
{
	(void)thread;
	return &clusters[2];
}

static uint64_t some(struct cluster *c, uint64_t end)
{
	c->random = c->random * UINT64_C(6364136223846793005) + 1;
	return (c->random >> 32) * end >> 32;
}

static int start(const struct cluster *c, struct job *job)
{
	struct tally_demand demands[MAX_HOLDINGS];
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = demands,
		.nr_demands = (unsigned int)job->nr_nodes};
	int err;

	for (int i = 0; i < job->nr_nodes; i++)
		demands[i] = (struct tally_demand){job->nodes[i], 0, 1};
	err = tally_limit_reserve(c->ledger, job->account, &request,
				  &job->token, NULL);
	return err ? err : tally_limit_commit(c->ledger, job->token);
}

static void restart(const struct cluster *c, struct job *job)
{
	if (tally_limit_release(c->ledger, job->token, NULL, 0) ||
	    start(c, job))
		abort();
}

BENCH_LOOP void of_one(void *arg, uint64_t nr)
{
	struct cluster *c = (struct cluster *)arg;

	for (uint64_t i = 0; i < nr; i++)
		restart(c, &c->one);
}
BENCH_ALIGN(of_one)

BENCH_LOOP void of_any(void *arg, uint64_t nr)
{
	struct cluster *c = (struct cluster *)arg;

	for (uint64_t i = 0; i < nr; i++)
		restart(c, &c->jobs[some(c, c->nr_jobs)]);
}
BENCH_ALIGN(of_any)

/* ---- ledgers ------------------------------------------------------------- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of this process, with the file's pages that it has touched. */
static double resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all = 0, pages = 0;

	if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static int node_of(const struct cluster *c, uint64_t any)
{
	return cluster_node((unsigned int)(any / c->nr_nodes),
			    (int)(any % c->nr_nodes));
}

static int fill(struct cluster *c)
{
	struct tally_accounts *accounts = tally_ledger_accounts(c->ledger);
	int err = 0;

	for (uint32_t i = 0; !err && i < c->nr_jobs; i++) {
		struct job *job = &c->jobs[i];
		char key[32];

		snprintf(key, sizeof(key), "batch/job-%u", i);
		job->nr_nodes = 1 + (int)(i % MAX_HOLDINGS);
		for (int n = 0; n < job->nr_nodes; n++)
			job->nodes[n] = node_of(
				c, some(c, c->nr_machines * c->nr_nodes));
		err = tally_account_open(accounts, key, &job->account);
		if (!err)
			err = start(c, job);
	}
	c->one.nr_nodes = 1;
	c->one.nodes[0] = node_of(c, c->nr_machines * c->nr_nodes / 2);
	if (!err)
		err = tally_account_open(accounts, "one", &c->one.account);
	return err ? err : start(c, &c->one);
}

static int set_capacities(const struct cluster *c)
{
	int err = 0;

	for (unsigned int n = 0; n < c->nr_machines * c->nr_nodes; n++)
		for (unsigned int i = 0; !err && i < NR_RESOURCES; i++)
			err = tally_limit_set_capacity(c->ledger, node_of(c, n),
						       i, 1 << 30);
	return err;
}

static int open_cluster(struct cluster *c)
{
	static const struct tally_resource resources[NR_RESOURCES] = {
		{"cores", "", TALLY_RESERVABLE},
		{"memory_bytes", "bytes", TALLY_RESERVABLE},
		{"gpus", "", TALLY_RESERVABLE},
	};
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = c->nr_jobs + 64,
		.max_key_bytes = 31,
	};
	struct tally_topo *topo = NULL;
	double began, had;
	int err;

	if (bench_options.quick && c->nr_jobs > 2000)
		c->nr_jobs = 2000;
	/* What is not the ledger's exists before. */
	c->random = 1;
	c->jobs = malloc(c->nr_jobs * sizeof(*c->jobs));
	if (!c->jobs)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->nr_jobs; i++)
		c->jobs[i] = (struct job){.nr_nodes = 1};
	err = cluster_create(NULL, c->nr_machines, c->nr_nodes, &topo);
	if (err)
		return err;
	had = resident();
	began = now();
	err = tally_ledger_create(NULL, topo, resources, NR_RESOURCES, &options,
				  &c->ledger);
	tally_topo_close(topo);
	if (!err)
		err = set_capacities(c);
	if (!err)
		err = fill(c);
	c->seconds = now() - began;
	c->mebibytes = resident() - had;
	return err;
}

static int set_up(void)
{
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(clusters); i++)
		err = open_cluster(&clusters[i]);
	return err;
}

static void tear_down(void)
{
	for (size_t i = 0; i < COUNT(clusters); i++) {
		tally_ledger_close(clusters[i].ledger);
		clusters[i].ledger = NULL;
		free(clusters[i].jobs);
		clusters[i].jobs = NULL;
	}
}

static void note(FILE *to)
{
	for (size_t i = 1; i < COUNT(clusters); i++)
		fprintf(to,
			"%u nodes, %u accounts, %d resources: made and filled in %.2f s; %.0f MiB resident\n",
			clusters[i].nr_machines * clusters[i].nr_nodes,
			clusters[i].nr_jobs, NR_RESOURCES, clusters[i].seconds,
			clusters[i].mebibytes);
}

#define SMALL "numatally: 2 nodes, 100 accounts"
#define AMONG(what, how_many, loop, which)                                \
	{                                                                 \
		.name = "numatally: 40,000 nodes, " how_many " accounts", \
		.kind = BENCH_OURS, .loops = &(loop), .arg = (which),     \
		.alone = true,                                            \
		.row = what " of 40,000 nodes and " how_many " accounts", \
		.base = SMALL, .target_ratio = 1.5                        \
	}
#define GROUP(what, loop)                                         \
	{                                                         \
		{.name = SMALL,                                   \
		 .kind = BENCH_OURS,                              \
		 .loops = &(loop),                                \
		 .arg = small_arg,                                \
		 .alone = true},                                  \
			AMONG(what, "150,000", loop, large_arg),  \
			AMONG(what, "1,000,000", loop, huge_arg), \
	}
static const struct bench_contender one[] =
	GROUP("release, reserve, commit of one account", of_one_loops);
static const struct bench_contender any[] =
	GROUP("release, reserve, commit of any account", of_any_loops);

const struct bench_group bench_cluster_groups[] = {
	{.name = "cluster-one",
	 .title = "Release, reserve and commit of one account, again and again",
	 .unit = "reservation",
	 .contenders = one,
	 .nr_contenders = COUNT(one),
	 .setup = set_up,
	 .teardown = tear_down,
	 .note = note},
	{.name = "cluster-any",
	 .title =
		 "Release, reserve and commit of any account, on its 1 to 4 nodes",
	 .unit = "reservation",
	 .contenders = any,
	 .nr_contenders = COUNT(any),
	 .setup = set_up,
	 .teardown = tear_down,
	 .note = note},
};
const size_t bench_nr_cluster_groups = COUNT(bench_cluster_groups);
