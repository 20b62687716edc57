// SPDX-License-Identifier: MIT
/* Drawing 1 from another reservation and giving it back, beside reserving it from
 * the node; and among many children, and below many parents. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <numatally/limit.h>
#include <numatally/topo.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MANY	     1000 /* children */
#define DEEP	     24	  /* reservations above, the most */

/* A parent, from which an account draws, and what is in its way. */
struct family {
	const char *name;
	unsigned int nr_children, nr_above;
	int64_t has; /* of the one that is drawn from */
	struct tally_token parent;
	struct tally_account account;
};
static struct family families[] = {
	{"alone", 0, 1, MANY + 1, {0, 0}, {0, 0}},
	{"many", MANY, 1, MANY + 1, {0, 0}, {0, 0}},
	{"deep", 0, DEEP, MANY + 1, {0, 0}, {0, 0}},
	{"full", 0, 1, 0, {0, 0}, {0, 0}},
};

static struct tally_ledger *ledger;
static struct tally_account free_one;
static struct tally_demand demand;
static const struct tally_request request = {
	.size = sizeof(request), .demands = &demand, .nr_demands = 1};

static void *alone_arg(unsigned int thread)
{
	(void)thread;
	return &families[0];
}

static void *many_arg(unsigned int thread)
{
	(void)thread;
	return &families[1];
}

static void *deep_arg(unsigned int thread)
{
	(void)thread;
	return &families[2];
}

static void *full_arg(unsigned int thread)
{
	(void)thread;
	return &families[3];
}

/* ---- the contenders ------------------------------------------------------ */

BENCH_LOOP void from_node(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_reserve(ledger, free_one, &request, &token,
					NULL) ||
		    tally_limit_release(ledger, token, NULL, 0))
			abort();
	}
}
BENCH_ALIGN(from_node)

BENCH_LOOP void from_parent(void *arg, uint64_t nr)
{
	const struct family *f = (const struct family *)arg;

	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_draw(ledger, f->account, f->parent, &request,
				     &token, NULL) ||
		    tally_limit_release(ledger, token, NULL, 0))
			abort();
	}
}
BENCH_ALIGN(from_parent)

BENCH_LOOP void refused_draw(void *arg, uint64_t nr)
{
	const struct family *f = (const struct family *)arg;

	for (uint64_t i = 0; i < nr; i++) {
		struct tally_token token;

		if (tally_limit_draw(ledger, f->account, f->parent, &request,
				     &token, NULL) != -ENOSPC)
			abort();
	}
}
BENCH_ALIGN(refused_draw)

/* ---- families ------------------------------------------------------------ */

static int account_of(const struct family *f, const char *what, unsigned int i,
		      struct tally_account *account)
{
	char key[64];

	snprintf(key, sizeof(key), "%s-%s-%u", f->name, what, i);
	return tally_account_open(tally_ledger_accounts(ledger), key, account);
}

/* Reserve, or draw if there is a parent, and commit. */
static int start(const struct family *f, const char *what, unsigned int i,
		 const struct tally_token *parent, int64_t amount,
		 struct tally_token *token)
{
	const struct tally_demand one = {demand.node, 0, amount};
	const struct tally_request all = {
		.size = sizeof(all), .demands = &one, .nr_demands = 1};
	struct tally_account account;
	int err = account_of(f, what, i, &account);

	if (!err)
		err = parent ? tally_limit_draw(ledger, account, *parent, &all,
						token, NULL)
			     : tally_limit_reserve(ledger, account, &all, token,
						   NULL);
	return err ? err : tally_limit_commit(ledger, *token);
}

static int open_family(struct family *f)
{
	struct tally_token above, child;
	int err = 0;

	for (unsigned int i = 0; !err && i < f->nr_above; i++) {
		above = f->parent;
		err = start(f, "above", i, i ? &above : NULL, f->has,
			    &f->parent);
	}
	for (unsigned int i = 0; !err && i < f->nr_children; i++)
		err = start(f, "child", i, &f->parent, 1, &child);
	return err ? err : account_of(f, "account", 0, &f->account);
}

static int set_up(void)
{
	static const struct tally_resource cores = {"cores", "",
						    TALLY_RESERVABLE};
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	demand = (struct tally_demand){tally_topo_node(topo, 0)->id, 0, 1};
	err = tally_ledger_create(NULL, topo, &cores, 1, NULL, &ledger);
	tally_topo_close(topo);
	if (!err)
		err = tally_account_open(tally_ledger_accounts(ledger), "free",
					 &free_one);
	for (size_t i = 0; !err && i < COUNT(families); i++)
		err = open_family(&families[i]);
	return err;
}

static void tear_down(void)
{
	tally_ledger_close(ledger);
	ledger = NULL;
}

#define FROM_NODE   "numatally: reserve, release"
#define FROM_PARENT "numatally: draw, release"
static const struct bench_contender contenders[] = {
	{.name = FROM_NODE,
	 .kind = BENCH_OURS,
	 .loops = &from_node_loops,
	 .alone = true},
	{.name = FROM_PARENT,
	 .kind = BENCH_OURS,
	 .loops = &from_parent_loops,
	 .arg = alone_arg,
	 .alone = true,
	 .row = "draw and release",
	 .base = FROM_NODE,
	 .target_ratio = 1.5},
	{.name = FROM_PARENT ", beside 1,000 children",
	 .kind = BENCH_OURS,
	 .loops = &from_parent_loops,
	 .arg = many_arg,
	 .alone = true,
	 .row = "draw and release, beside 1,000 children",
	 .base = FROM_PARENT,
	 .target_ratio = 1.2},
	{.name = FROM_PARENT ", below 24 parents",
	 .kind = BENCH_OURS,
	 .loops = &from_parent_loops,
	 .arg = deep_arg,
	 .alone = true},
	{.name = "numatally: draw, refused by the parent",
	 .kind = BENCH_OURS,
	 .loops = &refused_draw_loops,
	 .arg = full_arg,
	 .alone = true},
};

const struct bench_group bench_draw_groups[] = {
	{.name = "draw",
	 .title = "Drawing from another reservation, and giving back",
	 .unit = "reservation",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_draw_groups = COUNT(bench_draw_groups);
