// SPDX-License-Identifier: MIT
/* numatally run: accounts a command and its descendants per node. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_account.h"
#include "run_child.h"
#include "run_report.h"
#include "verbs.h"

static const char help[] =
	"Usage: numatally run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"\n"
	"Runs COMMAND, and accounts it and all its descendants per NUMA node, "
	"into a\n"
	"ledger that others can watch meanwhile; then says on stderr what it "
	"took.\n"
	"\n"
	"  -j, --json            say it in JSON\n"
	"  -o, --output FILE     say it in FILE\n"
	"  -i, --interval S      bring the ledger up to date every S seconds "
	"(1)\n"
	"  -l, --ledger NAME     the ledger's name (run-PID), or 'none'\n"
	"  -k, --keep            keep the ledger at the end\n"
	"  -w, --wait            wait for all descendants, not COMMAND alone\n"
	"      --events WAY      count by 'inherit', 'cgroup' or 'sample' "
	"(auto)\n"
	"      --help            this help\n"
	"\n"
	"The exit status is COMMAND's; 128 and the number of the signal that "
	"ended it;\n"
	"127 where it isn't found, 126 where it can't be executed, 125 where "
	"it was not\n"
	"tried, 2 for wrong usage.\n";

enum { OPT_EVENTS = 256, OPT_HELP };

static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"output", required_argument, NULL, 'o'},
	{"interval", required_argument, NULL, 'i'},
	{"ledger", required_argument, NULL, 'l'},
	{"keep", no_argument, NULL, 'k'},
	{"wait", no_argument, NULL, 'w'},
	{"events", required_argument, NULL, OPT_EVENTS},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int parse_interval(const char *text, int64_t *ns)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= 0.001) || s > 86400)
		return -EINVAL;
	*ns = (int64_t)(s * 1e9);
	return 0;
}

static int parse_way(const char *text, int *way)
{
	static const char *const names[] = {
		[TALLY_EVENTS_INHERIT] = "inherit",
		[TALLY_EVENTS_CGROUP] = "cgroup",
		[TALLY_EVENTS_SAMPLE] = "sample",
	};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(text, names[i]) == 0) {
			*way = i;
			return 0;
		}
	*way = -1;
	return strcmp(text, "auto") ? -EINVAL : 0;
}

static int parse_option(int opt, struct run_options *o)
{
	switch (opt) {
	case 'j':
		o->json = true;
		return 0;
	case 'o':
		o->file = optarg;
		return 0;
	case 'i':
		if (parse_interval(optarg, &o->interval_ns) == 0)
			return 0;
		warnx("not an interval from 0.001 to 86400 seconds: '%s'",
		      optarg);
		return -EINVAL;
	case 'l':
		o->ledger = strcmp(optarg, "none") ? optarg : NULL;
		return 0;
	case 'k':
		o->keep = true;
		return 0;
	case 'w':
		o->wait = true;
		return 0;
	case OPT_EVENTS:
		if (parse_way(optarg, &o->way) == 0)
			return 0;
		warnx("no such way to count events: '%s'", optarg);
		return -EINVAL;
	default:
		return -EINVAL;
	}
}

/* Where the report goes: opened before the command starts, so that it does
 * not run for nothing. */
static FILE *open_report(const struct run_options *o)
{
	/* Not stderr itself: what a library says there stays unbuffered. */
	int fd = o->file ? open(o->file,
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
			 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f && fd >= 0)
		close(fd);
	/* Nobody wants to hear it, and the command runs all the same. */
	return f || o->file ? f : fopen("/dev/null", "we");
}

static void watch(struct run_account *a, struct run_child *child, bool all)
{
	while (!child->ended || (all && !child->alone))
		run_child_wait(child, run_account_tick(a));
}

/* Only what keeps the command from running is a failure of ours. */
static int run_command(const struct run_options *o, FILE *f,
		       struct run_account *a, struct run_child *child,
		       char **argv)
{
	const char *ledger;
	int ret;

	run_account_start(a);
	ret = run_child_go(child);
	if (ret)
		warnx("%s: %s", argv[0], strerror(-ret));
	watch(a, child, o->wait && !ret);
	run_account_finish(a, child);
	ledger = a->ledger.ledger ? o->ledger : NULL;
	if (o->json)
		ret = run_report_json(f, a, child, ledger);
	else
		ret = ret ? 0 : run_report_table(f, a, child);
	if (ret && o->file)
		warnx("%s: %s", o->file, strerror(-ret));
	return child->exit_status;
}

static int run(const struct run_options *o, FILE *f, char **argv)
{
	struct run_account account;
	struct run_child child;
	int ret = run_child_spawn(&child, argv);
	int status = RUN_FAILED;

	if (ret) {
		warnx("can't start a process: %s", strerror(-ret));
		return RUN_FAILED;
	}
	ret = run_account_open(&account, o, &child, argv[0]);
	if (ret)
		warnx("nothing to count on: %s", strerror(-ret));
	else
		status = run_command(o, f, &account, &child, argv);
	run_account_close(&account, o->keep);
	run_child_close(&child);
	return status;
}

int run_main(int argc, char **argv)
{
	struct run_options o = {.way = -1, .interval_ns = 1000000000};
	char name[32];
	FILE *f;
	int opt, status;

	snprintf(name, sizeof(name), "run-%d", (int)getpid());
	o.ledger = name;
	while ((opt = getopt_long(argc, argv, "+jo:i:l:kw", long_options,
				  NULL)) != -1) {
		if (opt == OPT_HELP)
			return usage_help(help);
		if (parse_option(opt, &o))
			return usage_error(help);
	}
	if (optind == argc) {
		warnx("which command?");
		return usage_error(help);
	}
	f = open_report(&o);
	if (!f) {
		warn("%s", o.file ? o.file : "standard error");
		return RUN_FAILED;
	}
	status = run(&o, f, argv + optind);
	if (fclose(f) && o.file)
		warn("%s", o.file);
	return status;
}
