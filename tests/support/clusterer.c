// SPDX-License-Identifier: MIT
/* clusterer LEDGER MACHINES: makes a ledger over this machine and others of two
 * nodes, on each of which a job has reserved a core of four. */
#include "config.h"

#include <err.h>
#include <string.h>

#include <numatally.h>

#include "support/cluster.h"

static const struct tally_resource cores = {"cores", "", TALLY_RESERVABLE};

static int reserve(struct tally_ledger *ledger, unsigned int machine)
{
	const struct tally_demand demand = {cluster_node(machine, 1), 0, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account account = {0, 0};
	struct tally_token token;
	char key[32];
	int rc;

	snprintf(key, sizeof(key), "job-%u", machine);
	rc = tally_limit_set_capacity(ledger, demand.node, 0, 4);
	if (!rc)
		rc = tally_account_open(tally_ledger_accounts(ledger), key,
					&account);
	if (!rc)
		rc = tally_limit_reserve(ledger, account, &request, &token,
					 NULL);
	return rc ? rc : tally_limit_commit(ledger, token);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc == 3 ? (unsigned int)strtoul(argv[2], NULL, 10)
				    : 0;
	struct tally_topo *here, *topo;
	struct tally_ledger *ledger;
	int rc;

	if (nr < 2)
		errx(2, "usage: clusterer LEDGER MACHINES");
	rc = tally_topo_open(NULL, &here);
	if (!rc)
		rc = cluster_create(here, nr, 2, &topo);
	if (!rc)
		rc = tally_ledger_create(argv[1], topo, &cores, 1, NULL,
					 &ledger);
	for (unsigned int m = 1; !rc && m < nr; m++)
		rc = reserve(ledger, m);
	if (rc)
		errx(1, "%s", tally_strerror(rc));
	tally_ledger_close(ledger);
	tally_topo_close(topo);
	tally_topo_close(here);
	return 0;
}
