// SPDX-License-Identifier: MIT
/* numatally rm: remove ledgers. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include <numatally/ledger.h>

#include "common/ledgers.h"
#include "common/opt.h"
#include "common/verbs.h"

static const char help[] =
	"Usage: numatally rm [--force] LEDGER...\n"
	"\n"
	"Remove each LEDGER that no process has open for writing. LEDGER is a name (see\n"
	"'numatally ls') or, with a '/' in it, a path. A file that is no ledger is never\n"
	"removed.\n"
	"\n"
	"  -f, --force    remove also one that is in use or damaged\n"
	"  -h, --help     print this help\n"
	"      --version  print the version\n"
	"\n"
	"See numatally-rm(1).\n";

static const char *words(int err)
{
	switch (err) {
	case -EBUSY:
		return "a process has it open for writing: see --force";
	case -EAGAIN:
		return "another process is removing or replacing it";
	default:
		return ledgers_error(err);
	}
}

static bool remove_one(const char *argument, unsigned int flags)
{
	char path[PATH_MAX];
	int err;

	if (!ledgers_find(argument, path))
		return false;
	err = tally_ledger_remove(path, flags);
	if (err)
		warnx("%s: %s", path, words(err));
	return !err;
}

int rm_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"force", no_argument, NULL, 'f'},
		OPT_END,
	};
	unsigned int flags = TALLY_REMOVE_ACCOUNTS;
	int opt, status = EXIT_SUCCESS;

	while ((opt = getopt_long(argc, argv, "f" OPT_LETTERS, options,
				  NULL)) != -1)
		switch (opt) {
		case 'f':
			flags |= TALLY_REMOVE_IN_USE;
			break;
		default:
			return opt_common(opt, help);
		}
	if (optind == argc)
		return opt_error("missing LEDGER");
	for (; optind < argc; optind++)
		if (!remove_one(argv[optind], flags))
			status = EXIT_FAILURE;
	return status;
}
