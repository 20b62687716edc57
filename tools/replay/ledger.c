// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/error.h>
#include <numatally/topo.h>

#include "replay/ledger.h"

#define CPUS  "sys/devices/system/cpu"
#define NODES "sys/devices/system/node"

/* ---- a machine of so many nodes, as a tree of sysfs ---------------------- */

static int put(const char *root, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;
	int failed;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (!text) {
		for (char *p = path + strlen(root) + 1; (p = strchr(p, '/'));
		     *p++ = '/') {
			*p = '\0';
			mkdir(path, 0700);
		}
		return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
	}
	f = fopen(path, "we");
	if (!f)
		return -errno;
	failed = fputs(text, f) == EOF;
	return fclose(f) || failed ? -EIO : 0;
}

static int put_node(const char *root, unsigned int node)
{
	char name[96], text[64];
	int err;

	snprintf(name, sizeof(name), NODES "/node%u", node);
	err = put(root, name, NULL);
	if (err)
		return err;
	/* The only CPU is on the first node. */
	snprintf(name, sizeof(name), NODES "/node%u/cpulist", node);
	err = put(root, name, node ? "\n" : "0\n");
	if (err)
		return err;
	snprintf(name, sizeof(name), NODES "/node%u/meminfo", node);
	snprintf(text, sizeof(text), "Node %u MemTotal: 1024 kB\n", node);
	return put(root, name, text);
}

static int put_machine(const char *root, unsigned int nr_nodes)
{
	char online[32];
	int err = put(root, "proc", NULL);

	snprintf(online, sizeof(online), "0-%u\n", nr_nodes - 1);
	if (!err)
		err = put(root, CPUS "/cpu0", NULL);
	if (!err)
		err = put(root, CPUS "/online", "0\n");
	if (!err)
		err = put(root, CPUS "/possible", "0\n");
	if (!err)
		err = put(root, NODES, NULL);
	if (!err)
		err = put(root, NODES "/online", online);
	for (unsigned int i = 0; !err && i < nr_nodes; i++)
		err = put_node(root, i);
	return err;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int open_topo(unsigned int nr_nodes, struct tally_topo **topo)
{
	const char *tmp = getenv("TMPDIR");
	char root[PATH_MAX - 128];
	int err, n;

	if (!tmp || !*tmp)
		tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	n = snprintf(root, sizeof(root), "%s/numatally-replay-XXXXXX", tmp);
	if (n >= (int)sizeof(root))
		return -ENAMETOOLONG;
	if (!mkdtemp(root))
		return -errno;
	err = put_machine(root, nr_nodes);
	if (!err)
		err = tally_topo_open(root, topo);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return err;
}

/* ---- its ledger ---------------------------------------------------------- */

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
	int err = open_topo(m->nr_nodes, &topo);

	if (err) {
		warnx("can't create a made-up machine of %u nodes: %s",
		      m->nr_nodes, strerror(-err));
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
