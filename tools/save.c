// SPDX-License-Identifier: MIT
/* numatally save: a ledger, as an ordinary file. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledgers.h"
#include "text.h"
#include "verbs.h"

#define SECOND_NS INT64_C(1000000000)

static const char help[] =
	"Usage: numatally save LEDGER FILE\n"
	"\n"
	"Saves what a ledger holds as an ordinary file, which show, check and all\n"
	"others that read a ledger take as they take that one, on another machine\n"
	"too. A file that is there is replaced once the new one is whole. LEDGER\n"
	"is a name (see 'numatally ls') or, with a '/' in it, a path.\n"
	"\n"
	"  --live  do not try to take a snapshot: each account as it is when it\n"
	"          comes to it\n"
	"  --help  show this\n"
	"\n"
	"A snapshot is all of one moment. Where we may not write to the ledger, or\n"
	"none can be taken, it is saved live, and that is said.\n";

/* A snapshot through the ledger, or a live view through a reader. */
struct source {
	struct tally_ledger *ledger;
	struct tally_reader *reader;
	struct tally_view *view;
};

static int open_snapshot(const char *path, struct source *s)
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

static int open_live(const char *path, struct source *s)
{
	int err = tally_reader_open(path, &s->reader);

	if (err) {
		s->reader = NULL;
		return err;
	}
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
	struct stat st;
	int why = 0, err;

	if (!live)
		why = open_snapshot(path, &s);
	err = s.view ? 0 : open_live(path, &s);
	if (!err && why)
		warnx("%s: saved live, not as of one moment: %s", path,
		      ledgers_error(why));
	if (err || stat(path, &st)) {
		warnx("%s: %s", path, ledgers_error(err ? err : -errno));
		close_source(&s);
		return EXIT_FAILURE;
	}
	err = tally_reader_save(s.view, file, st.st_mode & 0777);
	if (err)
		warnx("%s: %s", file, ledgers_error(err));
	close_source(&s);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int save_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"live", no_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	char path[PATH_MAX];
	bool live = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'h':
			return usage_help(help);
		case 'l':
			live = true;
			break;
		default:
			return usage_error(help);
		}
	if (optind + 2 != argc) {
		if (optind == argc)
			warnx("which ledger?");
		else if (optind + 1 == argc)
			warnx("to which file?");
		else
			warnx("what is '%s'?", argv[optind + 2]);
		return usage_error(help);
	}
	if (!ledgers_find(argv[optind], path))
		return EXIT_FAILURE;
	return save(path, argv[optind + 1], live);
}
