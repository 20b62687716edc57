// SPDX-License-Identifier: MIT
/* numatally check: check the placement and integrity of a ledger. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/limit.h>

#include "check/internal.h"
#include "common/ledgers.h"
#include "common/opt.h"
#include "common/verbs.h"

static const char help[] =
	"Usage: numatally check [--json] [--verbose] [--repair] LEDGER\n"
	"\n"
	"Check that each page of a ledger is on its node, and that the ledger is\n"
	"consistent. LEDGER is a name (see 'numatally ls') or, with a '/' in it, a\n"
	"path.\n"
	"\n"
	"  -j, --json     print JSON\n"
	"  -v, --verbose  list each page that is not known to be on its node\n"
	"      --repair   first finish what dead writers left, and recompute totals from\n"
	"                 the reservations, which are never changed\n"
	"  -h, --help     print this help\n"
	"      --version  print the version\n"
	"\n"
	"Exits with 0 only if nothing is misplaced, unplaced or damaged. See\n"
	"numatally-check(1).\n";

static int look_at(struct check *check, const struct tally_view *view)
{
	struct tally_reader_info info = {.size = sizeof(info)};
	int err = tally_reader_describe(check->reader, &info);

	if (err)
		return err;
	check->nr_nodes = tally_view_nr_local(view);
	check->nodes =
		calloc((size_t)check->nr_nodes + 1, sizeof(*check->nodes));
	if (!check->nodes)
		return -ENOMEM;
	check->writers = ledgers_writers(check->reader);
	if (info.stale && !info.saved)
		check_problem(check, "created before this machine was booted");
	for (unsigned int n = 0; n < check->nr_nodes; n++)
		check_region(check, view, n);
	return check_contents(check, view);
}

static int look(struct check *check)
{
	struct tally_view *view;
	int err = tally_reader_open(check->path, &check->reader);

	if (!err)
		err = tally_reader_view(check->reader, &view);
	if (err)
		return err;
	err = look_at(check, view);
	tally_view_close(view);
	return err;
}

/* Opening a ledger for writing finishes what dead writers left. */
static int repair(struct check *check)
{
	struct tally_ledger *ledger;
	int err = tally_ledger_open(check->path, &ledger);

	if (err)
		return err;
	err = tally_limit_repair(ledger, check_repaired, check);
	tally_ledger_close(ledger);
	return err;
}

static void finish(struct check *check)
{
	tally_reader_close(check->reader);
	for (unsigned int n = 0; check->nodes && n < check->nr_nodes; n++) {
		free(check->nodes[n].homes);
		free(check->nodes[n].strays);
		free(check->nodes[n].why);
	}
	free(check->nodes);
	check_free_problems(check);
}

static int run(struct check *check, bool json)
{
	int err = 0;

	if (!ledgers_find(check->argument, check->path))
		return EXIT_FAILURE;
	if (check->repair)
		err = repair(check);
	if (!err)
		err = look(check);
	if (err) {
		warnx("%s: %s", check->path, ledgers_error(err));
		return EXIT_FAILURE;
	}
	check_explain(check);
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
	enum { OPT_REPAIR = OPT_OWN };
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"repair", no_argument, NULL, OPT_REPAIR},
		{"verbose", no_argument, NULL, 'v'},
		OPT_END,
	};
	static struct check check;
	bool json = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "jv" OPT_LETTERS, options,
				  NULL)) != -1)
		switch (opt) {
		case 'j':
			json = true;
			break;
		case OPT_REPAIR:
			check.repair = true;
			break;
		case 'v':
			check.verbose = true;
			break;
		default:
			return opt_common(opt, help);
		}
	if (optind == argc)
		return opt_error("missing LEDGER");
	if (optind + 1 < argc)
		return opt_invalid(argv[optind + 1]);
	check.argument = argv[optind];
	status = run(&check, json);
	finish(&check);
	return status;
}
