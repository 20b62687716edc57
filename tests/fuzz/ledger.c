// SPDX-License-Identifier: MIT
/* Any bytes as a ledger's file, opened for writing: everything that a writer
 * can do, as far as it gets. Any result is right if the call returns. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <numatally/ledger.h>
#include <numatally/limit.h>
#include <numatally/view.h>

#include "fuzz/fuzz.h"

#define TIMEOUT_NS 1000000

static void add(struct tally_ledger *ledger, const struct tally_view *view,
		struct tally_account account)
{
	unsigned int nr = tally_view_nr_resources(view);
	const struct tally_amount four[4] = {{0, 1}, {1, 2}, {2, 3}, {3, 4}};
	const struct tally_amount charged[2] = {{0, 5}, {nr / 3, 6}};

	for (int i = 0; i < 4; i++)
		(void)!tally_ledger_add(ledger, account, (unsigned int)i % nr,
					i);
	for (unsigned int n = 2; n <= 4; n += 2)
		(void)!tally_ledger_charge(ledger, account, TALLY_NODE_LOCAL,
					   four, n);
	for (unsigned int n = 0; n < tally_view_nr_nodes(view) && n < 8; n++) {
		int node = tally_view_node(view, n);

		(void)!tally_ledger_charge(ledger, account, node, charged, 2);
		(void)!tally_ledger_set(ledger, account, node, &charged[1], 1);
	}
}

static int see_problem(void *arg, const char *problem)
{
	(void)arg;
	return !*problem;
}

static void draw(struct tally_ledger *ledger, struct tally_token from,
		 const struct tally_request *request)
{
	struct tally_accounts *accounts = tally_ledger_accounts(ledger);
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct tally_account account;
	struct tally_token token = from;

	if (!tally_account_open(accounts, "batch/job-42/step", &account) &&
	    !tally_limit_draw(ledger, account, from, request, &token, &refusal))
		(void)!tally_limit_change(ledger, token, request, &refusal);
	if (!tally_account_open(accounts, "another", &account) &&
	    !tally_limit_draw(ledger, account, token, request, &token,
			      &refusal))
		(void)!tally_limit_commit(ledger, token);
	(void)!tally_limit_release(ledger, from, NULL, 0);
}

static void use_limits(struct tally_ledger *ledger,
		       const struct tally_view *view,
		       struct tally_account account)
{
	unsigned int last = tally_view_nr_resources(view) - 1;
	const struct tally_demand demands[2] = {
		{tally_view_node(view, 0), last, 3},
		{tally_view_node(view, tally_view_nr_nodes(view) - 1), last, 1},
	};
	const struct tally_request request = {sizeof(request), demands, 2, 0};
	const struct tally_request leased = {sizeof(leased), demands, 1,
					     1000 * INT64_C(1000000000)};
	const struct tally_request renewed = {sizeof(renewed), demands, 0, 1};
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct tally_credit credit;
	struct tally_token token;

	/*
	 * A process that keeps the lock would make each call wait for a second.
	 */
	if (tally_limit_set_capacity(ledger, demands[0].node, last, 5) ==
	    -EAGAIN)
		return;
	(void)!tally_limit_set_quota(ledger, account, last, 7);
	if (!tally_limit_reserve(ledger, account, &request, &token, &refusal))
		(void)!tally_limit_commit(ledger, token);
	(void)!tally_limit_reap(ledger);
	if (!tally_limit_credit(ledger, account, demands[0].node, last,
				&credit) &&
	    !tally_limit_take(&credit, 1))
		(void)!tally_limit_give(&credit, 1);
	if (!tally_limit_adopt(ledger, account, &request, &token))
		(void)!tally_limit_release(ledger, token, NULL, 0);
	if (!tally_limit_reserve(ledger, account, &leased, &token, &refusal)) {
		(void)!tally_limit_change(ledger, token, &renewed, &refusal);
		draw(ledger, token, &request);
	}
	(void)!tally_limit_repair(ledger, see_problem, NULL);
}

static void look(const struct tally_view *view)
{
	unsigned int nr = tally_view_nr_resources(view);
	int64_t *amounts = calloc(nr, sizeof(*amounts));

	if (!amounts)
		abort();
	(void)!tally_view_totals(view, TALLY_VIEW_ALL, amounts);
	free(amounts);
}

static void write_to(struct tally_ledger *ledger, const struct tally_view *view)
{
	static const struct tally_resource gpus = {"gpus", "",
						   TALLY_RESERVABLE};
	const struct tally_capacity four = {tally_view_node(view, 0), 0, 4};
	static const struct tally_quota two = {"d", 0, 2};
	static const char *const keys[] = {"a", "new", "batch/job-42", "c"};
	struct tally_view *snapshot;

	(void)!tally_ledger_declare_limited(ledger, &gpus, &four, 1, &two, 1);
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct tally_account account;

		if (tally_account_open(tally_ledger_accounts(ledger), keys[i],
				       &account))
			continue;
		add(ledger, view, account);
		use_limits(ledger, view, account);
		if (i % 2)
			continue;
		look(view);
		if (tally_view_snapshot(ledger, TALLY_SNAPSHOT_JOIN, TIMEOUT_NS,
					&snapshot))
			continue;
		look(snapshot);
		add(ledger, view, account);
		tally_view_close(snapshot);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct tally_ledger *ledger;
	struct tally_view *view;
	const char *path;
	uint32_t flags;

	path = fuzz_make(data, bytes, &flags);
	if (!path || tally_ledger_open(path, &ledger))
		return 0;
	if (!tally_view_open(ledger, &view)) {
		write_to(ledger, view);
		if (flags & FUZZ_CUT) {
			fuzz_cut();
			write_to(ledger, view);
		}
		tally_view_close(view);
	}
	tally_ledger_close(ledger);
	return 0;
}
