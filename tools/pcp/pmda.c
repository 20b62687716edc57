// SPDX-License-Identifier: MIT
/* pmdanumatally: metrics of a ledger for Performance Co-Pilot. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/limit.h>
#include <pcp/pmapi.h>
#include <pcp/pmda.h>

#include "common/followed.h"
#include "pcp/values.h"

#define NAME   "numatally"
#define DOMAIN 510

enum { NODES, ACCOUNTS, DOMAINS };

/* Clusters of metrics. */
enum { NODE, ACCOUNT, CAPACITY, LEDGER, CLUSTERS };
enum { LEDGER_ACCOUNTS, LEDGER_SNAPSHOT, LEDGER_METRICS };

static struct followed ledger;
static struct pcp_values values;
static int look_error;
static bool of_snapshot;
static pmdaIndom domains[DOMAINS] = {{NODES, 0, NULL}, {ACCOUNTS, 0, NULL}};
static pmdaMetric metrics[LEDGER_METRICS + 3 * PCP_MOST_ITEMS];
static pmdaNameSpace *names;

/* ---- metrics --------------------------------------------------------------------- */

static pmUnits units_of(const struct pcp_item *item)
{
	static const struct {
		const char *name;
		pmUnits units;
	} units[] = {
		{"ns", PMDA_PMUNITS(0, 1, 0, 0, PM_TIME_NSEC, 0)},
		{"us", PMDA_PMUNITS(0, 1, 0, 0, PM_TIME_USEC, 0)},
		{"ms", PMDA_PMUNITS(0, 1, 0, 0, PM_TIME_MSEC, 0)},
		{"s", PMDA_PMUNITS(0, 1, 0, 0, PM_TIME_SEC, 0)},
		{"bytes", PMDA_PMUNITS(1, 0, 0, PM_SPACE_BYTE, 0, 0)},
		{"B", PMDA_PMUNITS(1, 0, 0, PM_SPACE_BYTE, 0, 0)},
	};
	pmUnits count = PMDA_PMUNITS(0, 0, 1, 0, 0, PM_COUNT_ONE);
	pmUnits none = PMDA_PMUNITS(0, 0, 0, 0, 0, 0);

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(item->unit, units[i].name))
			return units[i].units;
	return item->kind == TALLY_COUNTER ? count : none;
}

static int add(pmdaExt *ext, unsigned int cluster, unsigned int number,
	       const char *name, pmDesc desc)
{
	static const char *const levels[CLUSTERS] = {
		[NODE] = "node",
		[ACCOUNT] = "account",
		[CAPACITY] = "capacity",
		[LEDGER] = "ledger",
	};
	char whole[64];

	desc.pmid = pmID_build((unsigned int)ext->e_domain, cluster, number);
	metrics[ext->e_nmetrics++] = (pmdaMetric){NULL, desc};
	snprintf(whole, sizeof(whole), NAME ".%s.%s", levels[cluster], name);
	return pmdaTreeInsert(names, desc.pmid, whole);
}

static int add_item(pmdaExt *ext, unsigned int number)
{
	const struct pcp_item *item = &values.items[number];
	pmDesc desc = {
		.type = PM_TYPE_64,
		.sem = item->kind == TALLY_COUNTER ? PM_SEM_COUNTER
						   : PM_SEM_INSTANT,
		.units = units_of(item),
		.indom = values.nodes,
	};
	int err = add(ext, NODE, number, item->name, desc);

	if (!err && item->kind == TALLY_RESERVABLE)
		err = add(ext, CAPACITY, number, item->name, desc);
	desc.indom = values.accounts;
	return err ? err : add(ext, ACCOUNT, number, item->name, desc);
}

static int list(pmdaExt *ext)
{
	static const char *const members[LEDGER_METRICS] = {"accounts",
							    "snapshot"};
	pmDesc desc = {
		.type = PM_TYPE_U32,
		.sem = PM_SEM_INSTANT,
		.indom = PM_INDOM_NULL,
	};
	int err;

	if (names)
		pmdaTreeRelease(names);
	names = NULL;
	err = pmdaTreeCreate(&names);
	ext->e_nmetrics = 0;
	for (unsigned int i = 0; !err && i < LEDGER_METRICS; i++)
		err = add(ext, LEDGER, i, members[i], desc);
	for (unsigned int i = 0; !err && i < values.nr_items; i++)
		err = add_item(ext, i);
	if (err)
		return err;
	pmdaTreeRebuildHash(names, ext->e_nmetrics);
	pmdaRehash(ext, metrics, ext->e_nmetrics);
	return 0;
}

/* ---- looks ----------------------------------------------------------------------- */

static void look(pmdaExt *ext)
{
	struct tally_view *view;
	int err = -ESTALE;

	/* Once more where the snapshot was given up, or another ledger took the
	 * place of this one. */
	for (int i = 0; i < 2 && (err == -ESTALE || err == -EIDRM); i++) {
		err = followed_open(&ledger);
		if (!err)
			err = followed_view(&ledger, &view);
		if (err)
			continue;
		of_snapshot = tally_view_snapshot_info(view) != NULL;
		err = pcp_values_read(&values, view);
		tally_view_close(view);
	}
	if (!err && values.changed)
		err = list(ext);
	if (!err && values.changed)
		pmdaExtSetFlags(ext, PMDA_EXT_NAMES_CHANGE);
	if (err)
		pcp_values_clear(&values);
	else
		values.changed = false;
	look_error = err;
}

/* ---- what pmcd asks for ---------------------------------------------------------- */

static int value(pmdaMetric *metric, unsigned int instance, pmAtomValue *atom)
{
	unsigned int item = pmID_item(metric->m_desc.pmid);
	unsigned int cluster = pmID_cluster(metric->m_desc.pmid);
	int64_t amount = 0;
	int got;

	if (cluster == LEDGER) {
		if (look_error)
			return PMDA_FETCH_NOVALUES;
		atom->ul = item == LEDGER_ACCOUNTS ? ledger.about.nr_accounts
						   : of_snapshot;
		return PMDA_FETCH_STATIC;
	}
	got = pcp_values_get(&values, metric->m_desc.indom, (int)instance, item,
			     cluster == CAPACITY, &amount);
	atom->ll = amount;
	return got < 0 ? got : got ? PMDA_FETCH_STATIC : PMDA_FETCH_NOVALUES;
}

/* All values of a fetch are of one look. If that failed, each metric has its error,
 * where it would have no instances. */
static int fetch(int nr, pmID *ids, pmResult **result, pmdaExt *ext)
{
	int err;

	look(ext);
	err = pmdaFetch(nr, ids, result, ext);
	for (int i = 0; look_error && err >= 0 && i < (*result)->numpmid; i++)
		if (!(*result)->vset[i]->numval)
			(*result)->vset[i]->numval = look_error;
	return err;
}

static int instance(pmInDom domain, int number, char *name, pmInResult **result,
		    pmdaExt *ext)
{
	look(ext);
	return pmdaInstance(domain, number, name, result, ext);
}

static int id_of(const char *name, pmID *id, pmdaExt *ext)
{
	look(ext);
	return pmdaTreePMID(names, name, id);
}

static int name_of(pmID id, char ***all, pmdaExt *ext)
{
	(void)ext;
	return pmdaTreeName(names, id, all);
}

static int children(const char *name, int traverse, char ***kids, int **status,
		    pmdaExt *ext)
{
	look(ext);
	return pmdaTreeChildren(names, name, traverse, kids, status);
}

/* ---- the program ----------------------------------------------------------------- */

static pmLongOptions options[] = {
	PMDA_OPTIONS_HEADER("Options"),
	PMDAOPT_DEBUG,
	PMDAOPT_DOMAIN,
	PMDAOPT_LOGFILE,
	PMDAOPT_USERNAME,
	PMOPT_HELP,
	PMDA_OPTIONS_TEXT("\nLEDGER is a name or, with a '/' in it, a path."),
	PMDA_OPTIONS_END,
};

int main(int argc, char **argv)
{
	static pmdaOptions opts = {
		.short_options = "D:d:l:U:?",
		.long_options = options,
		.short_usage = "[options] LEDGER",
	};
	static char log[] = NAME ".log";
	pmdaInterface pmda;
	pmdaExt *ext;

	pmSetProgname(argv[0]);
	pmdaDaemon(&pmda, PMDA_INTERFACE_7, pmGetProgname(), DOMAIN, log, NULL);
	pmdaGetOptions(argc, argv, &opts, &pmda);
	if (!opts.errors && opts.optind + 1 != argc) {
		pmprintf("%s: one LEDGER is needed\n", pmGetProgname());
		opts.errors++;
	}
	if (opts.errors) {
		pmdaUsageMessage(&opts);
		return 2;
	}
	ledger.name = argv[opts.optind];
	pmdaOpenLog(&pmda);
	if (opts.username)
		pmSetProcessIdentity(opts.username);
	pmdaSetFetchCallBack(&pmda, value);
	pmda.version.seven.fetch = fetch;
	pmda.version.seven.instance = instance;
	pmda.version.seven.pmid = id_of;
	pmda.version.seven.name = name_of;
	pmda.version.seven.children = children;
	pmdaInit(&pmda, domains, DOMAINS, NULL, 0);
	ext = pmda.version.seven.ext;
	values.nodes = domains[NODES].it_indom;
	values.accounts = domains[ACCOUNTS].it_indom;
	if (pmda.status || list(ext))
		return 1;
	pmdaConnect(&pmda);
	pmdaMain(&pmda);
	return 0;
}
