// SPDX-License-Identifier: MIT
/*
 * A program that counts what it does in the ledger argv[1], and takes snapshots of
 * it for monitoring agents (agent.c). It ends with its input.
 *
 * cc -o worker worker.c $(pkg-config --cflags --libs numatally)
 */
#include <stdio.h>

#include <numatally.h>

enum { REQUESTS, MEMORY };

static const struct tally_resource resources[] = {
	{"requests", "", TALLY_COUNTER},
	{"memory", "bytes", TALLY_GAUGE},
};

static int work(struct tally_ledger *ledger, int node)
{
	struct tally_account job;
	int err = tally_account_open(tally_ledger_accounts(ledger),
				     "batch/job-1", &job);

	for (int i = 0; !err && i < 3; i++)
		err = tally_ledger_add(ledger, job, REQUESTS, 1);
	if (!err)
		err = tally_gauge_set(ledger, job, node, MEMORY, 1 << 20);
	return err;
}

int main(int argc, char **argv)
{
	struct tally_ledger *ledger = NULL;
	struct tally_topo *topo;
	int err = argc == 2 ? tally_topo_open(NULL, &topo) : -1;

	if (err)
		return 1;
	err = tally_ledger_open_or_create(argv[1], topo, resources, 2, NULL,
					  &ledger, NULL);
	if (!err)
		err = work(ledger, tally_topo_node(topo, 0)->id);
	if (!err)
		err = tally_ledger_serve(ledger, 0);
	if (err)
		fprintf(stderr, "worker: %s\n", tally_strerror(err));
	else if (puts("ready") != EOF && !fflush(stdout))
		while (getchar() != EOF)
			;
	tally_ledger_close(ledger);
	tally_topo_close(topo);
	return err != 0;
}
