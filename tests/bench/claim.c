// SPDX-License-Identifier: MIT
/* Placing an account by a claim that grows, beside reserving for it at once; and
 * claims that another has. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <numatally/limit_claim.h>
#include <numatally/topo.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tally_ledger *ledger;
static struct tally_account account, claimed;
static struct tally_demand demand;
static const struct tally_request request = {
	.size = sizeof(request), .demands = &demand, .nr_demands = 1};

BENCH_LOOP void at_once(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_reserve(ledger, account, &request, &token,
					NULL) ||
		    tally_limit_commit(ledger, token) ||
		    tally_limit_release(ledger, token, NULL, 0))
			abort();
	}
}
BENCH_ALIGN(at_once)

BENCH_LOOP void by_claim(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_claim(ledger, account, 0, &token) ||
		    tally_limit_change(ledger, token, &request, NULL) ||
		    tally_limit_commit(ledger, token) ||
		    tally_limit_release(ledger, token, NULL, 0))
			abort();
	}
}
BENCH_ALIGN(by_claim)

BENCH_LOOP void alone(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_claim(ledger, account, 0, &token) ||
		    tally_limit_cancel(ledger, token))
			abort();
	}
}
BENCH_ALIGN(alone)

BENCH_LOOP void in_vain(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_claim(ledger, claimed, 0, &token) != -EBUSY)
			abort();
	}
}
BENCH_ALIGN(in_vain)

static int set_up(void)
{
	static const struct tally_resource cores = {"cores", "",
						    TALLY_RESERVABLE};
	struct tally_topo *topo;
	struct tally_token token;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	demand = (struct tally_demand){tally_topo_node(topo, 0)->id, 0, 1};
	err = tally_ledger_create(NULL, topo, &cores, 1, NULL, &ledger);
	tally_topo_close(topo);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(ledger),
					 "account", &account);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(ledger),
					 "claimed", &claimed);
	return err ? err : tally_limit_claim(ledger, claimed, 0, &token);
}

static void tear_down(void)
{
	tally_ledger_close(ledger);
	ledger = NULL;
}

#define AT_ONCE "numatally: reserve, commit, release"
static const struct bench_contender contenders[] = {
	{.name = AT_ONCE,
	 .kind = BENCH_OURS,
	 .loops = &at_once_loops,
	 .alone = true},
	{.name = "numatally: claim, reserve, commit, release",
	 .kind = BENCH_OURS,
	 .loops = &by_claim_loops,
	 .alone = true,
	 .row = "claim, reserve, commit and release",
	 .base = AT_ONCE,
	 .target_ratio = 1.5},
	{.name = "numatally: claim, cancel",
	 .kind = BENCH_OURS,
	 .loops = &alone_loops,
	 .alone = true},
	{.name = "numatally: claim what another has",
	 .kind = BENCH_OURS,
	 .loops = &in_vain_loops,
	 .alone = true},
};

const struct bench_group bench_claim_groups[] = {
	{.name = "claim",
	 .title = "Claiming an account, and placing it",
	 .unit = "account",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_claim_groups = COUNT(bench_claim_groups);
