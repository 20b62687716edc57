// SPDX-License-Identifier: MIT
/* numatally check: whether a ledger lies where it should, and hangs together. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/limit.h>
#include <numatally/topo.h>

#include "check.h"
#include "ledgers.h"
#include "output.h"
#include "text.h"
#include "verbs.h"

#define MAX_PROBLEMS 100 /* that are told one by one */

static const char help[] =
	"Usage: numatally check LEDGER [--json] [--verbose] [--repair]\n"
	"\n"
	"Checks that every page of a ledger's regions lies on the node that it is\n"
	"for, and that what is in the ledger hangs together. LEDGER is a name (see\n"
	"'numatally ls') or, with a '/' in it, a path.\n"
	"\n"
	"  --json     write JSON\n"
	"  --verbose  list each page that is not known to lie where it should\n"
	"  --repair   put right first what follows from something else\n"
	"  --help     show this\n"
	"\n"
	"Exits with 0 only where nothing is misplaced, unplaced or damaged.\n";

/* ---- problems ------------------------------------------------------------ */

static void add_problem(struct check *check, const char *pattern, ...)
	__attribute__((format(printf, 2, 3)));
static void add_problem(struct check *check, const char *pattern, ...)
{
	va_list args;
	char *text;
	int n;

	if (check->nr_problems++ >= MAX_PROBLEMS)
		return;
	va_start(args, pattern);
	n = vasprintf(&text, pattern, args);
	va_end(args);
	if (n < 0)
		err(EXIT_FAILURE, NULL);
	check->problems[check->nr_told++] = text;
}

/* ---- pages --------------------------------------------------------------- */

/* Counts a page of a region, and notes where it lies. */
struct survey {
	struct check_node *node;
	bool list;
};

static void count_page(struct check_node *node, int on)
{
	for (size_t i = 0; i < node->nr_homes; i++)
		if (node->homes[i].node == on) {
			node->homes[i].pages++;
			return;
		}
	node->homes = reallocarray(node->homes, node->nr_homes + 1,
				   sizeof(*node->homes));
	if (!node->homes)
		err(EXIT_FAILURE, NULL);
	node->homes[node->nr_homes++] = (struct check_home){on, 1};
}

static void list_page(struct check_node *node, size_t offset, int on)
{
	if (!(node->nr_strays & (node->nr_strays + 1))) {
		node->strays = reallocarray(node->strays,
					    2 * (node->nr_strays + 1),
					    sizeof(*node->strays));
		if (!node->strays)
			err(EXIT_FAILURE, NULL);
	}
	node->strays[node->nr_strays++] = (struct check_page){offset, on};
}

static void survey_page(void *arg, size_t offset, int on)
{
	struct survey *survey = arg;

	count_page(survey->node, on);
	if (survey->list && on != survey->node->id)
		list_page(survey->node, offset, on);
}

static int compare_homes(const void *a, const void *b)
{
	const struct check_home *ha = a, *hb = b;

	return (ha->node > hb->node) - (ha->node < hb->node);
}

static void check_region(struct check *check, const struct tally_view *view,
			 unsigned int index)
{
	const struct tally_region *region =
		tally_reader_region(check->reader, index);
	struct check_node *node = &check->nodes[index];
	struct survey survey = {node, check->verbose};
	struct tally_placement *sum = &check->sum;

	node->id = tally_view_node(view, index);
	node->bound = region->bound;
	node->verified = tally_region_verify(region, survey_page, &survey,
					     &node->placement);
	if (node->verified && !node->placement.pages)
		add_problem(check, "node %d: its pages can't be listed: %s",
			    node->id, strerror(-node->verified));
	if (node->nr_homes)
		qsort(node->homes, node->nr_homes, sizeof(*node->homes),
		      compare_homes);
	sum->pages += node->placement.pages;
	sum->placed += node->placement.placed;
	sum->misplaced += node->placement.misplaced;
	sum->unplaced += node->placement.unplaced;
}

/* Why the kernel would not place a region, as far as can be known now. */
static char *explain_bound(const struct tally_topo *topo, int node, int bound)
{
	int index = topo ? tally_topo_index(topo, node) : -1;
	char *why = NULL;

	if (bound == -ENOSYS)
		why = strdup("the kernel has no NUMA support");
	else if (bound == -EPERM || bound == -EACCES)
		why = strdup("placing memory was not permitted (mbind)");
	else if (bound == -EINVAL && topo && index < 0)
		why = strdup("there is no such node now");
	else if (bound == -EINVAL && index >= 0 &&
		 tally_topo_node(topo, (unsigned int)index)->memory_bytes == 0)
		why = strdup("the node has no memory");
	else if (bound == -EINVAL)
		why = strdup("the node had no memory, or was outside its "
			     "maker's cpuset");
	else if (asprintf(&why, "mbind: %s", strerror(-bound)) < 0)
		why = NULL;
	if (!why)
		err(EXIT_FAILURE, NULL);
	return why;
}

static char *explain_verified(int verified)
{
	char *why;

	if (asprintf(&why, "the kernel does not say where pages lie: %s",
		     strerror(-verified)) < 0)
		err(EXIT_FAILURE, NULL);
	return why;
}

static void explain(struct check *check)
{
	struct tally_topo *topo = NULL;

	if (tally_topo_open(NULL, &topo))
		topo = NULL;
	for (unsigned int n = 0; n < check->nr_nodes; n++) {
		struct check_node *node = &check->nodes[n];

		if (node->bound < 0)
			node->why = explain_bound(topo, node->id, node->bound);
		else if (node->verified && node->placement.pages)
			node->why = explain_verified(node->verified);
	}
	tally_topo_close(topo);
}

/* ---- contents ------------------------------------------------------------ */

static void check_account(struct check *check,
			  const struct tally_accounts *accounts,
			  struct tally_account account, char *key, size_t bytes)
{
	struct tally_account found;
	char *escaped;
	int err = tally_account_key(accounts, account, key, bytes);

	if (err == -ESTALE)
		return; /* gone meanwhile */
	check->nr_accounts++;
	if (err) {
		add_problem(check, "row %" PRIu32 ": its key can't be read",
			    account.row);
		return;
	}
	err = tally_account_find(accounts, key, &found);
	if ((!err && found.row == account.row) ||
	    tally_account_phase(accounts, account) == -ESTALE)
		return;
	escaped = text_escape(key);
	if (err)
		add_problem(check, "row %" PRIu32 ": its key '%s' is not found",
			    account.row, escaped ? escaped : "?");
	else
		add_problem(check,
			    "rows %" PRIu32 " and %" PRIu32
			    " have one key: '%s'",
			    account.row, found.row, escaped ? escaped : "?");
	free(escaped);
}

static int check_accounts(struct check *check, const struct tally_view *view)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	size_t bytes = tally_account_key_bytes(accounts);
	struct tally_account account;
	char *key = malloc(bytes);
	uint64_t cursor = 0;
	int end;

	if (!key)
		return -ENOMEM;
	while (!(end = tally_account_next(accounts, &cursor, &account)))
		check_account(check, accounts, account, key, bytes);
	free(key);
	return end == -ENOENT ? 0 : end;
}

/* A sum over all accounts looks at each header. */
static int check_totals(struct check *check, const struct tally_view *view)
{
	unsigned int nr = tally_view_nr_resources(view);
	int64_t *amounts = calloc(nr, sizeof(*amounts));

	if (!amounts)
		return -ENOMEM;
	for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
		int node = tally_view_node(view, n);
		int err = tally_view_totals(view, node, amounts);

		if (err && err != -EAGAIN) /* which check_limits() tells */
			add_problem(check, "node %d: a slice header is damaged",
				    node);
		for (unsigned int i = 0; !err && i < nr; i++) {
			const struct tally_resource *r =
				tally_view_resource(view, i);

			if (r->kind == TALLY_COUNTER && amounts[i] < 0)
				add_problem(check,
					    "node %d: the counter %s is below "
					    "0: %" PRId64,
					    node, r->name, amounts[i]);
		}
	}
	free(amounts);
	return 0;
}

static int add_limit_problem(void *arg, const char *problem)
{
	add_problem(arg, "%s", problem);
	return 0;
}

static int check_limits(struct check *check, const struct tally_view *view)
{
	int err = tally_limit_check(view, add_limit_problem, check);

	if (err != -EAGAIN)
		return err;
	add_problem(check, "reservations are changed all the time, or who "
			   "changed them was stopped or killed in the middle");
	return 0;
}

static int look(struct check *check)
{
	struct tally_reader_info info;
	struct tally_view *view;
	int err = tally_reader_open(check->path, &check->reader);

	if (err)
		return err;
	err = tally_reader_view(check->reader, &view);
	if (err)
		return err;
	err = tally_reader_describe(check->reader, &info);
	if (err) {
		tally_view_close(view);
		return err;
	}
	check->nr_nodes = info.nr_nodes;
	check->nodes = calloc(info.nr_nodes, sizeof(*check->nodes));
	if (!check->nodes) {
		tally_view_close(view);
		return -ENOMEM;
	}
	check->writers = ledgers_writers(check->reader);
	if (info.stale)
		add_problem(check, "made before this machine was booted");
	for (unsigned int n = 0; n < info.nr_nodes; n++)
		check_region(check, view, n);
	err = check_totals(check, view);
	if (!err)
		err = check_accounts(check, view);
	if (!err)
		err = check_limits(check, view);
	tally_view_close(view);
	return err;
}

/* ---- repairs ------------------------------------------------------------- */

static int add_repair(void *arg, const char *problem)
{
	struct check *check = arg;
	char **repaired = reallocarray(check->repaired, check->nr_repaired + 1,
				       sizeof(*repaired));

	if (!repaired)
		return -ENOMEM;
	check->repaired = repaired;
	repaired[check->nr_repaired] = strdup(problem);
	return repaired[check->nr_repaired++] ? 0 : -ENOMEM;
}

/* Opening it as a writer ends what others that have died had begun. */
static int repair(struct check *check)
{
	struct tally_ledger *ledger;
	int err = tally_ledger_open(check->path, &ledger);

	if (err)
		return err;
	err = tally_limit_repair(ledger, add_repair, check);
	tally_ledger_close(ledger);
	return err;
}

/* ---- the verb ------------------------------------------------------------ */

static void finish(struct check *check)
{
	tally_reader_close(check->reader);
	for (unsigned int n = 0; check->nodes && n < check->nr_nodes; n++) {
		free(check->nodes[n].homes);
		free(check->nodes[n].strays);
		free(check->nodes[n].why);
	}
	free(check->nodes);
	for (size_t i = 0; i < check->nr_told; i++)
		free(check->problems[i]);
	free(check->problems);
	for (size_t i = 0; i < check->nr_repaired; i++)
		free(check->repaired[i]);
	free(check->repaired);
}

static int run(struct check *check, bool json)
{
	int err;

	if (!ledgers_find(check->argument, check->path))
		return EXIT_FAILURE;
	check->problems = calloc(MAX_PROBLEMS, sizeof(*check->problems));
	if (!check->problems)
		err = -ENOMEM;
	else
		err = check->repair ? repair(check) : 0;
	if (!err)
		err = look(check);
	if (err) {
		warnx("%s: %s", check->path, ledgers_error(err));
		return EXIT_FAILURE;
	}
	explain(check);
	err = json ? check_json(check) : check_text(check);
	if (err == -ENOMEM)
		warnx("%s", strerror(ENOMEM));
	return err || check->sum.misplaced || check->sum.unplaced ||
			       check->nr_problems
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}

int check_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"repair", no_argument, NULL, 'r'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct check check;
	bool json = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'r':
			check.repair = true;
			break;
		case 'v':
			check.verbose = true;
			break;
		case 'h':
			return usage_help(help);
		default:
			return usage_error(help);
		}
	if (optind + 1 != argc) {
		if (optind == argc)
			warnx("which ledger?");
		else
			warnx("what is '%s'?", argv[optind + 1]);
		return usage_error(help);
	}
	check.argument = argv[optind];
	status = run(&check, json);
	finish(&check);
	return status;
}
