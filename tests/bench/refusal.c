// SPDX-License-Identifier: MIT
/* Being refused, beside reservations of others that are not committed. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/limit.h>
#include <numatally/topo.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND_NS    INT64_C(1000000000)

/* A ledger in which others have all. */
struct full {
	int nr;
	struct tally_ledger *ledger;
	struct tally_account account;
	struct tally_demand demand;
	pid_t other; /* a process that has half of it */
};
static struct full fulls[] = {{.nr = 0}, {.nr = 50000}, {.nr = 500000}};

static void *none_arg(unsigned int thread)
{
	(void)thread;
	return &fulls[0];
}

static void *some_arg(unsigned int thread)
{
	(void)thread;
	return &fulls[1];
}

static void *many_arg(unsigned int thread)
{
	(void)thread;
	return &fulls[2];
}

BENCH_LOOP void refused(void *arg, uint64_t nr)
{
	const struct full *full = (const struct full *)arg;
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &full->demand,
					      .nr_demands = 1};
	struct tally_token token;

	for (uint64_t i = 0; i < nr; i++)
		if (tally_limit_reserve(full->ledger, full->account, &request,
					&token, NULL) != -ENOSPC)
			abort();
}
BENCH_ALIGN(refused)

/* Every other one has a lease, of up to two hours. */
static int fill(const struct full *full, int first, int end)
{
	struct tally_request request = {.size = sizeof(request),
					.demands = &full->demand,
					.nr_demands = 1};
	uint64_t random = (uint64_t)first + 1;

	for (int i = first; i < end; i++) {
		struct tally_account account;
		struct tally_token token;
		char key[16];
		int err;

		random = random * UINT64_C(6364136223846793005) + 1;
		request.lease_ns =
			i % 2 ? (3600 + (int64_t)(random >> 52)) * SECOND_NS
			      : 0;
		snprintf(key, sizeof(key), "%d", i);
		err = tally_account_open(tally_ledger_accounts(full->ledger),
					 key, &account);
		if (!err)
			err = tally_limit_reserve(full->ledger, account,
						  &request, &token, NULL);
		if (err)
			return err;
	}
	return 0;
}

/* A process that reserves, and then waits to be killed. */
static int start_other(struct full *full)
{
	int ready[2];
	char byte;

	if (pipe(ready))
		return -errno;
	full->other = fork();
	if (full->other < 0)
		return -errno;
	if (!full->other) {
		if (fill(full, 0, full->nr / 2) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return -ECHILD;
	close(ready[0]);
	return 0;
}

static int open_full(struct full *full, const struct tally_topo *topo)
{
	static const struct tally_resource cores = {"cores", "",
						    TALLY_RESERVABLE};
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = (uint32_t)full->nr + 64};
	int node = tally_topo_node(topo, 0)->id;
	int err = tally_ledger_create(NULL, topo, &cores, 1, &options,
				      &full->ledger);

	full->demand = (struct tally_demand){node, 0, 1};
	if (!err)
		err = tally_limit_set_capacity(full->ledger, node, 0, full->nr);
	if (!err)
		err = start_other(full);
	if (!err)
		err = fill(full, full->nr / 2, full->nr);
	return err ? err
		   : tally_account_open(tally_ledger_accounts(full->ledger),
					"refused", &full->account);
}

static int set_up(void)
{
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	for (size_t i = 0; !err && i < COUNT(fulls); i++)
		err = open_full(&fulls[i], topo);
	tally_topo_close(topo);
	return err;
}

static void tear_down(void)
{
	for (size_t i = 0; i < COUNT(fulls); i++) {
		if (fulls[i].other > 0) {
			kill(fulls[i].other, SIGKILL);
			waitpid(fulls[i].other, NULL, 0);
		}
		tally_ledger_close(fulls[i].ledger);
		fulls[i].ledger = NULL;
		fulls[i].other = 0;
	}
}

#define ALONE "numatally: beside none"
#define BESIDE(how_many, which)                                            \
	{                                                                  \
		.name = "numatally: beside " how_many, .kind = BENCH_OURS, \
		.loops = &refused_loops, .arg = (which), .alone = true,    \
		.row = "being refused beside " how_many                    \
		       " reservations that are not committed",             \
		.base = ALONE, .target_ratio = 1.2                         \
	}
static const struct bench_contender ones[] = {
	{.name = ALONE,
	 .kind = BENCH_OURS,
	 .loops = &refused_loops,
	 .arg = none_arg,
	 .alone = true},
	BESIDE("50,000", some_arg),
	BESIDE("500,000", many_arg),
};

const struct bench_group bench_refusal_groups[] = {
	{.name = "refused-beside",
	 .title = "Being refused, beside reservations of others",
	 .unit = "request",
	 .contenders = ones,
	 .nr_contenders = COUNT(ones),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_refusal_groups = COUNT(bench_refusal_groups);
