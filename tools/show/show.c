// SPDX-License-Identifier: MIT
/* numatally show: show a ledger per node. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/ledgers.h"
#include "common/opt.h"
#include "common/output.h"
#include "common/resource.h"
#include "common/stdout.h"
#include "common/text.h"
#include "common/verbs.h"
#include "show/internal.h"

#define TOP_DEFAULT 50
#define SNAPSHOT_NS 200000000

static const char help[] =
	"Usage: numatally show [--json] [--top N | --all] [--sort HEADING]\n"
	"                      [--interval S [--count N]] LEDGER\n"
	"\n"
	"Show a ledger per node: totals, accounts, limits and reservations. LEDGER is\n"
	"a name (see 'numatally ls') or, with a '/' in it, a path.\n"
	"\n"
	"  -j, --json           print JSON, of all accounts unless --top is given\n"
	"      --top N          print at most N accounts (text: 50), and nodes of other\n"
	"                       machines\n"
	"      --all            print all accounts\n"
	"      --sort HEADING   print the accounts with most of it first, not by key:\n"
	"                       cpu, page_faults, ...\n"
	"  -i, --interval S     print it again every S seconds; in text, counters are\n"
	"                       then rates\n"
	"      --count N        end after N times\n"
	"  -h, --help           print this help\n"
	"      --version        print the version\n"
	"\n"
	"See numatally-show(1).\n";

enum { OPT_ALL = OPT_OWN, OPT_COUNT, OPT_SORT, OPT_TOP };

struct show {
	struct show_source source;
	struct stat st; /* of the file that is read */
	struct show_choice choice;
	const char *sort;
	bool json;
	bool choice_set;	   /* --top or --all was given */
	int64_t interval_ns;	   /* 0: once */
	uint64_t count;		   /* 0: no end */
	struct show_look before;   /* no totals: none */
	unsigned int nr_resources; /* of that */
};

static int print_text(const struct show *show, const struct show_look *look)
{
	bool again = show->before.totals;
	char number[OUTPUT_NUMBER];
	int err;

	if (again)
		putchar('\n');
	err = ledgers_print_head(show->source.argument, look->nr_exist,
				 show->source.reader);
	if (err)
		return err;
	if (again)
		printf(", counters over %s",
		       output_time(look->time_ns - show->before.time_ns,
				   number));
	puts("\n");
	err = show_text(show->source.view, look, again ? &show->before : NULL);
	if (!err)
		err = show_limits(show->source.view, look);
	if (!err && look->nr < look->nr_exist)
		printf("\n%zu more account%s (--all shows all)\n",
		       look->nr_exist - look->nr,
		       look->nr_exist - look->nr == 1 ? "" : "s");
	return err;
}

static int attach(struct show *show)
{
	int err = stat(show->source.path, &show->st) ? -errno : 0;

	return err ? err
		   : tally_reader_open(show->source.path, &show->source.reader);
}

/* A snapshot, where a process serves readers and none is open; else a live
 * view. With the resources that were declared since, too. */
static int open_view(struct show *show)
{
	int err = tally_reader_snapshot(show->source.reader, 0, SNAPSHOT_NS,
					&show->source.view);

	if (err)
		err = tally_reader_view(show->source.reader,
					&show->source.view);
	if (!err && show->before.totals &&
	    tally_view_nr_resources(show->source.view) != show->nr_resources)
		show_look_free(&show->before);
	return err;
}

static void close_view(struct show *show)
{
	tally_view_close(show->source.view);
	show->source.view = NULL;
}

static int print(struct show *show)
{
	struct show_look look;
	int err = show_look(show->source.view, &show->choice, &look);

	if (err)
		return err;
	err = show->json ? show_json(&show->source, &look)
			 : print_text(show, &look);
	(void)stdout_flush();
	show_look_free(&show->before);
	show->before = look;
	show->nr_resources = tally_view_nr_resources(show->source.view);
	return err;
}

static int show_once(struct show *show)
{
	int err = open_view(show);

	if (err)
		return err;
	err = print(show);
	close_view(show);
	return err;
}

/* The file may have been removed, or replaced by another ledger; a bind mount may
 * keep it at the path. */
static bool is_current(const struct show *show)
{
	struct stat st;

	return !stat(show->source.path, &st) && st.st_nlink &&
	       st.st_dev == show->st.st_dev && st.st_ino == show->st.st_ino;
}

static int repeat(struct show *show)
{
	int64_t last = now_ns();
	int err;

	for (uint64_t n = 1;; n++) {
		err = show_once(show);
		if (err || !show->interval_ns || ferror(stdout) ||
		    n == show->count)
			return err;
		sleep_interval(&last, show->interval_ns);
		if (!is_current(show)) {
			warnx("%s: was removed", show->source.path);
			return 0;
		}
	}
}

/* Whether the text is the heading: the name in words, for which ' ' and '_' are
 * the same. */
static bool is_heading(const char *text, const struct tally_resource *r)
{
	size_t bytes = resource_name_bytes(r);

	for (size_t i = 0; i < bytes; i++)
		if (text[i] != r->name[i] &&
		    !(text[i] == ' ' && r->name[i] == '_'))
			return false;
	return !text[bytes];
}

static void complain(const struct show *show)
{
	char *escaped = text_escape(show->sort);

	fprintf(stderr,
		"%s: %s: nothing to sort by is called '%s'; there are account",
		program_invocation_short_name, show->source.argument,
		escaped ? escaped : "?");
	free(escaped);
	for (unsigned int i = 0; i < tally_view_nr_resources(show->source.view);
	     i++) {
		const struct tally_resource *r =
			tally_view_resource(show->source.view, i);

		fprintf(stderr, ", %.*s", (int)resource_name_bytes(r), r->name);
	}
	fputc('\n', stderr);
}

/* Take a name, or else a heading. */
static int find_sort(struct show *show)
{
	unsigned int nr = tally_view_nr_resources(show->source.view);

	for (int heading = 0; heading < 2; heading++)
		for (unsigned int i = 0; i < nr; i++) {
			const struct tally_resource *r =
				tally_view_resource(show->source.view, i);

			if (heading ? is_heading(show->sort, r)
				    : !strcmp(r->name, show->sort)) {
				show->choice.sort = (int)i;
				return 0;
			}
		}
	/* By key. */
	return strcmp(show->sort, "account") != 0 ? -ENOENT : 0;
}

static int run(struct show *show)
{
	int err;

	if (!ledgers_find(show->source.argument, show->source.path))
		return EXIT_FAILURE;
	err = attach(show);
	if (!err && show->sort) {
		err = open_view(show);
		if (!err && find_sort(show)) {
			complain(show);
			return EXIT_FAILURE;
		}
		close_view(show);
	}
	if (!err)
		err = repeat(show);
	if (err && err != -EPIPE)
		warnx("%s: %s", show->source.path, ledgers_error(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* 0, or the exit status 2. */
static int parse_option(struct show *show, int opt)
{
	uint64_t most;
	int status = 0;

	switch (opt) {
	case 'j':
		show->json = true;
		break;
	case OPT_ALL:
		show->choice.most = SIZE_MAX;
		show->choice_set = true;
		break;
	case OPT_SORT:
		show->sort = optarg;
		break;
	case OPT_TOP:
		status = opt_number("top", 0, SIZE_MAX, &most);
		if (!status)
			show->choice.most = most;
		show->choice_set = true;
		break;
	case 'i':
		status = opt_interval("interval", &show->interval_ns);
		break;
	case OPT_COUNT:
		status = opt_number("count", 1, UINT64_MAX, &show->count);
		break;
	default:
		break;
	}
	return status;
}

int show_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, OPT_ALL},
		{"count", required_argument, NULL, OPT_COUNT},
		{"interval", required_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{"sort", required_argument, NULL, OPT_SORT},
		{"top", required_argument, NULL, OPT_TOP},
		OPT_END,
	};
	static struct show show = {.choice = {.sort = -1}};
	int opt, status;

	while ((opt = getopt_long(argc, argv, "i:j" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = parse_option(&show, opt);
		if (status)
			return status;
	}
	if (optind == argc)
		return opt_error("missing LEDGER");
	if (optind + 1 < argc)
		return opt_invalid(argv[optind + 1]);
	if (show.count && !show.interval_ns)
		return opt_error("--count needs --interval");
	show.source.argument = argv[optind];
	if (!show.choice_set)
		show.choice.most = show.json ? SIZE_MAX : TOP_DEFAULT;
	show.choice.rows = !show.json;
	status = run(&show);
	show_look_free(&show.before);
	tally_view_close(show.source.view);
	tally_reader_close(show.source.reader);
	return status;
}
