// SPDX-License-Identifier: MIT
/* A scheduler from the headers alone: places jobs on the node of a described
 * machine where the fewest cores are left then. */
#include <errno.h>
#include <stdio.h>

#include <numatally.h>

enum { CORES, MEMORY, NR };
#define GIB (INT64_C(1) << 30)

static const struct tally_resource resources[NR] = {
	{"cores", "", TALLY_RESERVABLE},
	{"memory_bytes", "bytes", TALLY_RESERVABLE},
};

static int best_fit(const struct tally_view *view, struct tally_account job,
		    const int64_t want[NR])
{
	int64_t least = INT64_MAX, cores, memory;
	int best = -ENOSPC;

	for (unsigned int i = 0; i < tally_view_nr_nodes(view); i++) {
		int node = tally_view_node(view, i);

		if (tally_limit_free(view, job, node, CORES, &cores) ||
		    tally_limit_free(view, job, node, MEMORY, &memory) ||
		    cores < want[CORES] || memory < want[MEMORY] ||
		    cores >= least)
			continue;
		least = cores;
		best = node;
	}
	return best;
}

/* Another scheduler may be faster: then look again. */
static int place(struct tally_ledger *ledger, const struct tally_view *view,
		 struct tally_account job, const int64_t want[NR])
{
	for (;;) {
		int node = best_fit(view, job, want), err;
		const struct tally_demand demands[NR] = {
			{node, CORES, want[CORES]},
			{node, MEMORY, want[MEMORY]},
		};
		const struct tally_request request = {.size = sizeof(request),
						      .demands = demands,
						      .nr_demands = NR};
		struct tally_token token;

		if (node < 0)
			return node;
		err = tally_limit_reserve(ledger, job, &request, &token, NULL);
		if (!err)
			err = tally_limit_commit(ledger, token);
		if (err != -ENOSPC && err != -EDQUOT)
			return err ? err : node;
	}
}

int main(void)
{
	const struct tally_capacity capacities[] = {
		{0, CORES, 16},
		{0, MEMORY, 64 * GIB},
		{1, CORES, 16},
		{1, MEMORY, 64 * GIB},
	};
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.capacities = capacities,
		.nr_capacities = 4,
	};
	struct tally_ledger *ledger;
	struct tally_topo *topo;
	struct tally_view *view;

	if (tally_topo_open_synthetic("numa:2 core:16 pu:1", &topo) ||
	    tally_ledger_create(NULL, topo, resources, NR, &options, &ledger) ||
	    tally_view_open(ledger, &view))
		return 1;
	for (int i = 0; i < 10; i++) {
		const int64_t want[NR] = {2 + i % 5, (4 + i * 7 % 24) * GIB};
		struct tally_account job;
		char key[32];

		snprintf(key, sizeof(key), "batch/job-%d", i);
		if (tally_account_open(tally_ledger_accounts(ledger), key,
				       &job))
			return 1;
		printf("%s: %d cores: %d\n", key, (int)want[CORES],
		       place(ledger, view, job, want));
	}
	tally_view_close(view);
	tally_ledger_close(ledger);
	tally_topo_close(topo);
	return 0;
}
