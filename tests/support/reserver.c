// SPDX-License-Identifier: MIT
/*
 * Reads commands for a ledger from standard input:
 *
 *	reserver [-r ROOT] LEDGER
 *
 *	create				with cores and memory, both reservable
 *	capacity NODE RESOURCE AMOUNT
 *	quota KEY RESOURCE AMOUNT
 *	reserve KEY NODE RESOURCE AMOUNT
 *	adopt KEY NODE RESOURCE AMOUNT
 *	draw KEY NODE RESOURCE AMOUNT PARENT
 *	commit KEY
 *	release KEY
 *
 * The ledger is created over the machine captured below ROOT, or over this one.
 * Nodes are counted from the machine's first one. Prints each call that fails.
 */
#include "config.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/limit.h>

static struct tally_ledger *ledger;
static const char *path, *root;

static void create(void)
{
	static const struct tally_resource resources[] = {
		{"cores", "", TALLY_RESERVABLE},
		{"memory_bytes", "bytes", TALLY_RESERVABLE},
	};
	struct tally_topo *topo;
	int err = tally_topo_open(root, &topo);

	if (!err)
		err = tally_ledger_create(path, topo, resources, 2, NULL,
					  &ledger);
	if (err)
		errx(1, "%s: %s", path, strerror(-err));
	tally_topo_close(topo);
}

static int node_at(int index)
{
	struct tally_view *view;
	int node = -1;

	if (!tally_view_open(ledger, &view)) {
		node = tally_view_node(view, (unsigned int)index);
		tally_view_close(view);
	}
	return node;
}

static struct tally_account account_of(const char *key)
{
	struct tally_account account;

	if (tally_account_open(tally_ledger_accounts(ledger), key, &account))
		errx(1, "no account %s", key);
	return account;
}

static struct tally_token token_of(const char *key)
{
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_view *view;

	if (tally_view_open(ledger, &view))
		return found.token;
	/* Without a reservation the token stays 0. */
	(void)!tally_limit_find(view, account_of(key), &found);
	tally_view_close(view);
	return found.token;
}

static int reserve(const char *key, int index, const char *resource,
		   long long amount, bool adopt)
{
	const struct tally_demand demand = {
		node_at(index),
		(unsigned int)tally_ledger_resource(ledger, resource),
		amount,
	};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token token;

	return adopt ? tally_limit_adopt(ledger, account_of(key), &request,
					 &token)
		     : tally_limit_reserve(ledger, account_of(key), &request,
					   &token, NULL);
}

static int draw(const char *key, int index, const char *resource,
		long long amount, const char *parent)
{
	const struct tally_demand demand = {
		node_at(index),
		(unsigned int)tally_ledger_resource(ledger, resource),
		amount,
	};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token token;

	return tally_limit_draw(ledger, account_of(key), token_of(parent),
				&request, &token, NULL);
}

static int do_line(const char *line)
{
	char key[192], resource[32], parent[192];
	long long amount;
	int index;

	if (sscanf(line, "capacity %d %31s %lld", &index, resource, &amount) ==
	    3)
		return tally_limit_set_capacity(
			ledger, node_at(index),
			(unsigned int)tally_ledger_resource(ledger, resource),
			amount);
	if (sscanf(line, "quota %191s %31s %lld", key, resource, &amount) == 3)
		return tally_limit_set_quota(
			ledger, account_of(key),
			(unsigned int)tally_ledger_resource(ledger, resource),
			amount);
	if (sscanf(line, "reserve %191s %d %31s %lld", key, &index, resource,
		   &amount) == 4)
		return reserve(key, index, resource, amount, false);
	if (sscanf(line, "adopt %191s %d %31s %lld", key, &index, resource,
		   &amount) == 4)
		return reserve(key, index, resource, amount, true);
	if (sscanf(line, "draw %191s %d %31s %lld %191s", key, &index, resource,
		   &amount, parent) == 5)
		return draw(key, index, resource, amount, parent);
	if (sscanf(line, "commit %191s", key) == 1)
		return tally_limit_commit(ledger, token_of(key));
	if (sscanf(line, "release %191s", key) == 1)
		return tally_limit_release(ledger, token_of(key), NULL, 0);
	errx(2, "what is '%s'?", line);
}

int main(int argc, char **argv)
{
	char line[512];
	int opt, result;

	while ((opt = getopt(argc, argv, "r:")) != -1) {
		if (opt != 'r')
			return 2;
		root = optarg;
	}
	if (optind + 1 != argc)
		errx(2, "missing LEDGER");
	path = argv[optind];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "create")) {
			create();
			continue;
		}
		if (!ledger && tally_ledger_open(path, &ledger))
			errx(1, "can't open %s", path);
		result = do_line(line);
		if (result)
			printf("%s: %s\n", line, strerror(-result));
	}
	tally_ledger_close(ledger);
	return 0;
}
