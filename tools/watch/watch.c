// SPDX-License-Identifier: MIT
/* numatally watch: wait until amounts of a ledger cross thresholds. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/error.h>

#include "common/clock.h"
#include "common/ledgers.h"
#include "common/opt.h"
#include "common/stdout.h"
#include "common/verbs.h"
#include "watch/threshold.h"

#define MAX_TIMEOUT 1e9 /* s */

static const char help[] =
	"Usage: numatally watch [OPTION]... LEDGER [-- COMMAND [ARGUMENT]...]\n"
	"\n"
	"Wait until amounts of a ledger cross thresholds, then print a line or run\n"
	"COMMAND; and again each time that they had gone back before. LEDGER is a name\n"
	"(see 'numatally ls') or, with a '/' in it, a path.\n"
	"\n"
	"  --free 'RESOURCE[@NODE][:KEY]<AMOUNT[,BACK]'\n"
	"                      less is free on the node, for the account KEY\n"
	"  --under 'RESOURCE[@NODE][:KEY]<AMOUNT[,BACK]'\n"
	"                      the account has less; with a '/' at the end of KEY those\n"
	"                      below it, without KEY all accounts\n"
	"  --over 'RESOURCE[@NODE][:KEY]>AMOUNT[,BACK]'\n"
	"                      the account has more\n"
	"  --pending '[KEY]>AMOUNT[,BACK]'\n"
	"                      more accounts are pending, of those whose keys begin with\n"
	"                      KEY\n"
	"      --any           one threshold is enough, not all\n"
	"\n"
	"NODE is a number, MACHINE/NUMBER, some or every; without it all nodes count\n"
	"together. '=' is as good as '<' and '>', and needs no quotes. AMOUNT may end\n"
	"with K, M, G, T, P or E. Amounts must have gone back to BACK before they count\n"
	"again.\n"
	"\n"
	"      --once          end after the first time, with COMMAND's exit status\n"
	"      --timeout S     end with status 1 if that takes more than S seconds\n"
	"  -i, --interval S    look at the ledger every S seconds (0.05)\n"
	"      --idle          go on while no process has the ledger open for writing\n"
	"  -j, --json          print JSON\n"
	"  -h, --help          print this help\n"
	"      --version       print the version\n"
	"\n"
	"See numatally-watch(1).\n";

enum {
	OPT_ANY = OPT_OWN,
	OPT_FREE,
	OPT_IDLE,
	OPT_ONCE,
	OPT_OVER,
	OPT_PENDING,
	OPT_TIMEOUT,
	OPT_UNDER,
};

struct watch {
	struct watch_threshold thresholds[TALLY_WATCH_THRESHOLDS];
	unsigned int nr;
	unsigned int flags;
	int64_t look_ns, timeout_ns;
	bool once, json;
	char **command; /* NULL: print */
	const char *argument;
	char path[PATH_MAX];
	struct tally_reader *reader;
	struct tally_view *view;
	struct tally_watch *watch;
};

/* ---- waiting ----------------------------------------------------------------- */

static int open_ledger(struct watch *w)
{
	int err = tally_reader_open(w->path, &w->reader);

	if (!err)
		err = tally_reader_view(w->reader, &w->view);
	if (err)
		warnx("%s: %s", w->path, ledgers_error(err));
	return err;
}

static int open_watch(struct watch *w)
{
	struct tally_watch_threshold thresholds[TALLY_WATCH_THRESHOLDS];
	const struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = thresholds,
		.nr_thresholds = w->nr,
		.flags = w->flags,
		.look_ns = w->look_ns,
	};
	int err;

	for (unsigned int i = 0; i < w->nr; i++) {
		if (!watch_resolve(w->view, w->path, &w->thresholds[i]))
			return -ENOENT;
		thresholds[i] = w->thresholds[i].parsed;
	}
	err = tally_watch_open(w->view, &options, &w->watch);
	if (err)
		warnx("%s: %s", w->path,
		      tally_strerror_of("tally_watch_open", err));
	return err;
}

/* Return the exit status so far. *@able: it can do so again. */
static int act(const struct watch *w, const struct tally_watch_event *e,
	       bool *able)
{
	const struct watch_line of = {
		.argument = w->argument,
		.path = w->path,
		.view = w->view,
		.thresholds = w->thresholds,
		.nr = w->nr,
		.json = w->json,
	};
	char *line = watch_line(&of, e);
	int status = EXIT_SUCCESS;

	*able = true;
	if (!line) {
		warnx("%s", strerror(ENOMEM));
		return EXIT_FAILURE;
	}
	if (w->command) {
		*able = watch_command(w->command, line, &status);
		if (*able && status && !w->once)
			warnx("%s: exit status %d", w->command[0], status);
	} else {
		puts(line);
		*able = !stdout_flush();
	}
	free(line);
	return status;
}

/* Of the time-out. */
static int64_t left_ns(const struct watch *w, int64_t begun_ns)
{
	int64_t left = w->timeout_ns - (now_ns() - begun_ns);

	if (w->timeout_ns < 0)
		return -1;
	return left > 0 ? left : 0;
}

static int repeat(const struct watch *w)
{
	int64_t begun_ns = now_ns();

	for (;;) {
		struct tally_watch_event e = {.size = sizeof(e)};
		int err = tally_watch_wait(w->watch, left_ns(w, begun_ns), &e);
		bool able;
		int status;

		if (err == -EINTR) /* stopped, and continued */
			continue;
		if (err) {
			warnx("%s: %s", w->path,
			      tally_strerror_of("tally_watch_wait", err));
			return EXIT_FAILURE;
		}
		status = act(w, &e, &able);
		if (w->once)
			return status;
		if (!able)
			return EXIT_FAILURE;
		begun_ns = now_ns();
	}
}

static int run(struct watch *w)
{
	int status = EXIT_FAILURE;

	if (ledgers_find(w->argument, w->path) && !open_ledger(w) &&
	    !open_watch(w))
		status = repeat(w);
	tally_watch_close(w->watch);
	tally_view_close(w->view);
	tally_reader_close(w->reader);
	return status;
}

/* ---- options ------------------------------------------------------------------ */

static int add(struct watch *w, const char *option, enum tally_watch_of of,
	       enum tally_watch_side side)
{
	int status;

	if (w->nr == TALLY_WATCH_THRESHOLDS)
		return opt_error("more than %d thresholds",
				 TALLY_WATCH_THRESHOLDS);
	status = watch_parse(option, optarg, of, side, &w->thresholds[w->nr]);
	w->nr += !status;
	return status;
}

/* 0, or the exit status 2. */
static int parse_option(struct watch *w, int opt)
{
	switch (opt) {
	case OPT_FREE:
		return add(w, "free", TALLY_WATCH_FREE, TALLY_WATCH_BELOW);
	case OPT_UNDER:
		return add(w, "under", TALLY_WATCH_AMOUNT, TALLY_WATCH_BELOW);
	case OPT_OVER:
		return add(w, "over", TALLY_WATCH_AMOUNT, TALLY_WATCH_ABOVE);
	case OPT_PENDING:
		return add(w, "pending", TALLY_WATCH_PENDING,
			   TALLY_WATCH_ABOVE);
	case OPT_ANY:
		w->flags |= TALLY_WATCH_ANY;
		return 0;
	case OPT_IDLE:
		w->flags |= TALLY_WATCH_IDLE;
		return 0;
	case OPT_ONCE:
		w->once = true;
		return 0;
	case OPT_TIMEOUT:
		return opt_seconds("timeout", 0, MAX_TIMEOUT, &w->timeout_ns);
	case 'i':
		return opt_interval("interval", &w->look_ns);
	case 'j':
		w->json = true;
		return 0;
	default:
		return 0;
	}
}

static int parse(struct watch *w, int argc, char **argv)
{
	static const struct option options[] = {
		{"any", no_argument, NULL, OPT_ANY},
		{"free", required_argument, NULL, OPT_FREE},
		{"idle", no_argument, NULL, OPT_IDLE},
		{"interval", required_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{"once", no_argument, NULL, OPT_ONCE},
		{"over", required_argument, NULL, OPT_OVER},
		{"pending", required_argument, NULL, OPT_PENDING},
		{"timeout", required_argument, NULL, OPT_TIMEOUT},
		{"under", required_argument, NULL, OPT_UNDER},
		OPT_END,
	};
	int opt, status;

	while ((opt = getopt_long(argc, argv, "i:j" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = parse_option(w, opt);
		if (status)
			return status;
	}
	return -1;
}

int watch_main(int argc, char **argv)
{
	static struct watch w = {.timeout_ns = -1};
	int status = parse(&w, argc, argv);

	if (status >= 0)
		return status;
	if (optind == argc)
		return opt_error("missing LEDGER");
	if (!w.nr)
		return opt_error(
			"missing --free, --under, --over or --pending");
	w.command = optind + 1 < argc ? argv + optind + 1 : NULL;
	w.argument = argv[optind];
	status = run(&w);
	for (unsigned int i = 0; i < w.nr; i++)
		watch_free(&w.thresholds[i]);
	return status;
}
