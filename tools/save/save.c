// SPDX-License-Identifier: MIT
/* numatally save: save a ledger as an ordinary file. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <numatally/error.h>

#include "common/ledgers.h"
#include "common/opt.h"
#include "common/verbs.h"
#include "save/internal.h"

#define SECOND_NS INT64_C(1000000000)

static const char help[] =
	"Usage: numatally save [--live] LEDGER FILE\n"
	"\n"
	"Save a ledger as an ordinary file, which show, check and every other reader\n"
	"take like the ledger, on another machine too. LEDGER is a name (see\n"
	"'numatally ls') or, with a '/' in it, a path. A regular FILE is replaced once\n"
	"the new one is complete, unless it is a ledger in use; a pipe or character\n"
	"device, or stdout for '-', is written to.\n"
	"\n"
	"      --live     take no snapshot: save each account as it is when its turn\n"
	"                 comes\n"
	"  -h, --help     print this help\n"
	"      --version  print the version\n"
	"\n"
	"Without --live all of the file is of one moment. Where no snapshot can be\n"
	"taken, the ledger is saved live after a warning.\n"
	"See numatally-save(1).\n";

/* A snapshot through the ledger, or a view of any kind through a reader. */
struct source {
	struct tally_ledger *ledger;
	struct tally_reader *reader;
	struct tally_view *view;
};

/* A writer first gives back what dead processes had reserved. */
static int open_as_writer(const char *path, struct source *s)
{
	int err = tally_ledger_open(path, &s->ledger);

	if (err) {
		s->ledger = NULL;
		return err;
	}
	err = tally_view_snapshot(s->ledger, TALLY_SNAPSHOT_JOIN, SECOND_NS,
				  &s->view);
	if (err) {
		s->view = NULL;
		tally_ledger_close(s->ledger);
		s->ledger = NULL;
	}
	return err;
}

/* *refused: why the view is a live one, though a snapshot is wanted. */
static int open_as_reader(const char *path, bool live, struct source *s,
			  int *refused)
{
	int err = tally_reader_open(path, &s->reader);

	*refused = 0;
	if (err) {
		s->reader = NULL;
		return err;
	}
	if (!live)
		*refused = tally_reader_snapshot(s->reader, TALLY_SNAPSHOT_JOIN,
						 SECOND_NS, &s->view);
	if (live || *refused)
		err = tally_reader_view(s->reader, &s->view);
	if (err)
		s->view = NULL;
	return err;
}

static void close_source(struct source *s)
{
	tally_view_close(s->view);
	tally_reader_close(s->reader);
	tally_ledger_close(s->ledger);
}

static int save(const char *path, const char *file, bool live)
{
	struct source s = {0};
	const char *why;
	struct stat st;
	int refused = 0, err = live ? -EPERM : open_as_writer(path, &s);

	if (err)
		err = open_as_reader(path, live, &s, &refused);
	if (!err && refused)
		warnx("%s: saved live, not as a snapshot: %s", path,
		      tally_strerror_of("tally_reader_snapshot", refused));
	if (err || stat(path, &st)) {
		warnx("%s: %s", path, ledgers_error(err ? err : -errno));
		close_source(&s);
		return EXIT_FAILURE;
	}
	err = save_put(s.view, file, st.st_mode & 0777, &why);
	if (err)
		warnx("%s: %s",
		      err == -EBADMSG	  ? path
		      : strcmp(file, "-") ? file
					  : "standard output",
		      why);
	close_source(&s);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int save_main(int argc, char **argv)
{
	enum { OPT_LIVE = OPT_OWN };
	static const struct option options[] = {
		{"live", no_argument, NULL, OPT_LIVE},
		OPT_END,
	};
	char path[PATH_MAX];
	bool live = false;
	int opt;

	while ((opt = getopt_long(argc, argv, OPT_LETTERS, options, NULL)) !=
	       -1)
		switch (opt) {
		case OPT_LIVE:
			live = true;
			break;
		default:
			return opt_common(opt, help);
		}
	if (optind == argc)
		return opt_error("missing LEDGER");
	if (optind + 1 == argc)
		return opt_error("missing FILE");
	if (optind + 2 < argc)
		return opt_invalid(argv[optind + 2]);
	if (!ledgers_find(argv[optind], path))
		return EXIT_FAILURE;
	return save(path, argv[optind + 1], live);
}
