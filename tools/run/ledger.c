// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <numatally/error.h>
#include <numatally/reader.h>
#include <numatally/view.h>

#include "run/ledger.h"

static const struct tally_resource resources[RUN_NR_RESOURCES] = {
	{"cpu_ns", "ns", TALLY_COUNTER},
	{"page_faults", "", TALLY_COUNTER},
	{"context_switches", "", TALLY_COUNTER},
	{"migrations", "", TALLY_COUNTER},
	{"anonymous_bytes", "bytes", TALLY_GAUGE},
	{"file_bytes", "bytes", TALLY_GAUGE},
	{"shared_bytes", "bytes", TALLY_GAUGE},
	{"huge_bytes", "bytes", TALLY_GAUGE},
};

/* Open an existing ledger, which its creator may be about to complete. */
static int join(const char *path, struct tally_ledger **ledger)
{
	static const struct timespec pause = {.tv_nsec = 1000000};
	int ret = tally_ledger_open(path, ledger);

	for (int tries = 0; ret == -EAGAIN && tries < 100; tries++) {
		nanosleep(&pause, NULL);
		ret = tally_ledger_open(path, ledger);
	}
	return ret;
}

static int create_or_join(struct run_ledger *l, const char *name,
			  const struct tally_topo *topo)
{
	int ret = tally_ledger_path(name, l->path, sizeof(l->path));

	if (!ret && !strchr(name, '/'))
		ret = tally_ledger_make_dir();
	if (ret)
		return ret;
	/* Its creator may remove it before we have joined it. */
	do {
		ret = tally_ledger_create(l->path, topo, resources,
					  RUN_NR_RESOURCES, NULL, &l->ledger);
		l->is_ours = !ret;
		if (ret == -EEXIST)
			ret = join(l->path, &l->ledger);
		else
			break;
	} while (ret == -ENOENT);
	return ret;
}

/* -ENOENT: one is missing, or of another kind. */
static int find_resources(struct run_ledger *l)
{
	struct tally_view *view;
	int ret = tally_view_open(l->ledger, &view);

	if (ret)
		return ret;
	for (int i = 0; i < RUN_NR_RESOURCES; i++) {
		ret = tally_ledger_resource(l->ledger, resources[i].name);
		if (ret < 0)
			break;
		l->resources[i] = (unsigned int)ret;
		ret = 0;
		if (tally_view_resource(view, l->resources[i])->kind !=
		    resources[i].kind) {
			ret = -ENOENT;
			break;
		}
	}
	tally_view_close(view);
	return ret;
}

static int open_account(struct run_ledger *l, pid_t pid, const char *command)
{
	const char *slash = strrchr(command, '/');
	char key[128];

	/* A key has room for more; a name that is cut is good enough. */
	snprintf(key, sizeof(key), "run/%d/%s", (int)pid,
		 slash && slash[1] ? slash + 1 : command);
	return tally_account_open(tally_ledger_accounts(l->ledger), key,
				  &l->account);
}

static int init_nodes(struct run_ledger *l, const struct tally_topo *topo)
{
	l->nr_nodes = tally_topo_nr_nodes(topo);
	l->nodes = calloc(l->nr_nodes, sizeof(*l->nodes));
	l->charged = calloc(l->nr_nodes, sizeof(*l->charged));
	if (!l->nodes || !l->charged)
		return -ENOMEM;
	for (unsigned int i = 0; i < l->nr_nodes; i++)
		l->nodes[i] = tally_topo_node(topo, i)->id;
	return 0;
}

static void drop(struct run_ledger *l, bool keep)
{
	tally_ledger_close(l->ledger);
	/* Not while another process uses it. */
	if (l->ledger && l->is_ours && !keep && tally_ledger_remove(l->path, 0))
		l->is_ours = false;
	free(l->nodes);
	free(l->charged);
	l->ledger = NULL;
	l->nodes = NULL;
	l->charged = NULL;
}

void run_ledger_open(struct run_ledger *l, const char *name,
		     const struct tally_topo *topo, pid_t pid,
		     const char *command, struct run_notes *notes)
{
	int ret;

	memset(l, 0, sizeof(*l));
	l->notes = notes;
	if (!name)
		return;
	ret = create_or_join(l, name, topo);
	if (!ret)
		ret = find_resources(l);
	if (!ret)
		ret = init_nodes(l, topo);
	if (!ret)
		ret = open_account(l, pid, command);
	if (!ret) {
		/* Without it readers have live views alone. */
		(void)!tally_ledger_serve(l->ledger, 0);
		return;
	}
	run_note(notes, "no ledger '%s': %s", name,
		 ret == -ENOENT && l->ledger
			 ? "it has other resources than a run has"
			 : tally_strerror_of("tally_ledger_open", ret));
	drop(l, false);
}

static int charge_node(struct run_ledger *l, unsigned int index,
		       const struct run_amounts *amounts)
{
	struct tally_amount more[RUN_NR_RESOURCES];
	struct run_amounts charged = l->charged[index];
	unsigned int nr = 0;
	int ret;

	for (int i = 0; i < RUN_NR_RESOURCES; i++) {
		more[nr].resource = l->resources[i];
		more[nr].amount = amounts->of[i] - charged.of[i];
		/* A counter can't decrease: wait until the estimate exceeds it. */
		if (!more[nr].amount ||
		    (more[nr].amount < 0 && i < TALLY_NR_EVENTS))
			continue;
		charged.of[i] = amounts->of[i];
		nr++;
	}
	if (!nr)
		return 0;
	ret = tally_ledger_charge(l->ledger, l->account, l->nodes[index], more,
				  nr);
	if (!ret)
		l->charged[index] = charged;
	return ret;
}

void run_ledger_charge(struct run_ledger *l, const struct run_amounts *amounts)
{
	if (!l->ledger)
		return;
	for (unsigned int i = 0; i < l->nr_nodes; i++) {
		int ret = charge_node(l, i, &amounts[i]);

		/* The next charge includes what this one did not. */
		if (ret)
			run_note(l->notes, "the ledger was behind at times: %s",
				 tally_strerror_of("tally_ledger_charge", ret));
	}
}

void run_ledger_close(struct run_ledger *l, bool keep)
{
	if (l->ledger) {
		struct tally_accounts *accounts =
			tally_ledger_accounts(l->ledger);
		int ret;

		for (unsigned int i = 0; i < l->nr_nodes; i++) {
			struct run_amounts last = l->charged[i];

			for (int r = TALLY_NR_EVENTS; r < RUN_NR_RESOURCES; r++)
				last.of[r] = 0;
			charge_node(l, i, &last);
		}
		/* Its counters stay in the totals. */
		ret = keep ? 0 : tally_account_end(accounts, l->account);
		if (ret)
			warnx("the account stays in the ledger: %s",
			      tally_strerror_of("tally_account_end", ret));
	}
	drop(l, keep);
}
