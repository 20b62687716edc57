// SPDX-License-Identifier: MIT
/* Folding what a snapshot left: of all accounts, of few of them, of none. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include <numatally/view.h>

#include "bench.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One ledger, and how many of its accounts change between two snapshots. */
struct subject {
	struct bench_ledger *ledger;
	uint32_t share; /* one of so many; 0: none */
};
static struct bench_ledger ledger;
static struct subject all = {&ledger, 1}, some = {&ledger, 64},
		      none = {&ledger, 0};

static void *all_arg(unsigned int thread)
{
	(void)thread;
	return &all;
}

static void *some_arg(unsigned int thread)
{
	(void)thread;
	return &some;
}

static void *none_arg(unsigned int thread)
{
	(void)thread;
	return &none;
}

/* Untimed: accounts change, and a snapshot is taken and closed. */
static void change(void *arg, uint64_t nr)
{
	const struct subject *s = (const struct subject *)arg;
	uint32_t nr_changed = s->share ? ledger.nr_accounts / s->share : 0;
	struct tally_view *view;

	(void)nr;
	for (uint32_t i = 0; i < nr_changed; i++)
		if (tally_ledger_add(ledger.ledger, ledger.accounts[i], 0, 1))
			abort();
	if (tally_view_snapshot(ledger.ledger, 0, 1000000000, &view))
		abort();
	tally_view_close(view);
}

static int set_up(void)
{
	int err = bench_ledger_create(0, bench_options.quick ? 10000 : 1000000,
				      1, &ledger);

	/* Both banks are touched, and folded once. */
	for (int bank = 0; bank < 2 && !err; bank++) {
		change(&all, 0);
		err = tally_ledger_fold(ledger.ledger, 1000000000);
	}
	return err;
}

static void tear_down(void)
{
	bench_ledger_destroy(&ledger);
}

BENCH_LOOP void fold(void *arg, uint64_t nr)
{
	const struct subject *s = (const struct subject *)arg;

	for (uint64_t i = 0; i < nr; i++)
		if (tally_ledger_fold(s->ledger->ledger, 1000000000))
			abort();
}
BENCH_ALIGN(fold)

#define ONCE .before = change, .max_nr = 1, .alone = true
#define ALL  "numatally: fold, all of 1,000,000 accounts"

static const struct bench_contender contenders[] = {
	{.name = ALL,
	 .kind = BENCH_OURS,
	 .loops = &fold_loops,
	 .arg = all_arg,
	 ONCE},
	{.name = "numatally: fold, 1/64 of them",
	 .kind = BENCH_OURS,
	 .loops = &fold_loops,
	 .arg = some_arg,
	 ONCE,
	 .row = "folding 1/64 of 1,000,000 accounts",
	 .base = ALL,
	 .target_ratio = 0.1},
	{.name = "numatally: fold, none of them",
	 .kind = BENCH_OURS,
	 .loops = &fold_loops,
	 .arg = none_arg,
	 ONCE},
};

const struct bench_group bench_fold_groups[] = {
	{.name = "fold",
	 .title = "Folding what a snapshot left",
	 .unit = "fold",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_fold_groups = COUNT(bench_fold_groups);
