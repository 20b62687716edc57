// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/error.h>
#include <numatally/topo.h>

#include "replay/ledger.h"

/* The machines of the replay count for its placement alone. To the ledger all
 * nodes are those of one machine: their numbers are then their places. */
static int make_topo(unsigned int nr_nodes, struct tally_topo **topo)
{
	static const int cpu = 0;
	struct tally_node *nodes = calloc(nr_nodes, sizeof(*nodes));
	const struct tally_machine machine = {
		.size = sizeof(machine),
		.nodes = nodes,
		.nr_nodes = nr_nodes,
	};
	int err;

	if (!nodes)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr_nodes; i++)
		nodes[i] = (struct tally_node){
			.size = sizeof(nodes[i]),
			.id = (int)i,
			.tier = -1,
			.memory_bytes = -1,
		};
	nodes->cpus = &cpu;
	nodes->nr_cpus = 1;
	err = tally_topo_create(&machine, 1, topo);
	free(nodes);
	return err;
}

static int create(const struct replay_trace *trace,
		  const struct replay_machines *m, struct tally_ledger **ledger)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = trace->nr_slots + !trace->nr_slots,
		.max_key_bytes = 16,
	};
	struct tally_resource resources[REPLAY_MAX_RESOURCES];
	struct tally_topo *topo = NULL;
	int err = make_topo(m->nr_nodes, &topo);

	if (err) {
		warnx("can't describe a machine of %u nodes: %s", m->nr_nodes,
		      strerror(-err));
		return err;
	}
	for (unsigned int i = 0; i < trace->nr_resources; i++)
		resources[i] = (struct tally_resource){
			.name = trace->resources[i].name,
			.unit = trace->resources[i].unit,
			.kind = TALLY_RESERVABLE,
		};
	err = tally_ledger_create(NULL, topo, resources, trace->nr_resources,
				  &options, ledger);
	tally_topo_close(topo);
	if (err)
		warnx("can't create a ledger of %u nodes and %u accounts: %s",
		      m->nr_nodes, options.max_accounts,
		      tally_strerror_of("tally_ledger_create", err));
	return err;
}

int replay_ledger_create(const struct replay_trace *trace,
			 const struct replay_machines *m,
			 struct tally_ledger **ledger)
{
	struct tally_ledger *made = NULL;
	int err = create(trace, m, &made);

	if (err)
		return err;
	for (int n = 0; !err && n < (int)m->nr_nodes; n++)
		for (unsigned int r = 0; !err && r < m->nr_resources; r++)
			err = tally_limit_set_capacity(
				made, n, r, m->capacity[replay_cell(m, n, r)]);
	if (err) {
		warnx("can't set a capacity: %s",
		      tally_strerror_of("tally_limit_set_capacity", err));
		tally_ledger_close(made);
		return err;
	}
	*ledger = made;
	return 0;
}

int replay_ledger_account(struct tally_ledger *ledger, uint32_t slot,
			  struct tally_account *account)
{
	char key[16];

	snprintf(key, sizeof(key), "slot/%u", slot);
	return tally_account_open(tally_ledger_accounts(ledger), key, account);
}
