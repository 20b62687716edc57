// SPDX-License-Identifier: MIT
/* numatally run: account a command and its descendants per node. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/opt.h"
#include "common/verbs.h"
#include "run/account.h"
#include "run/child.h"
#include "run/report.h"

static const char help[] =
	"Usage: numatally run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"\n"
	"Run COMMAND, and account it and all its descendants per NUMA node, in a\n"
	"ledger that others can watch meanwhile. A summary is printed on stderr.\n"
	"\n"
	"  -j, --json            print the report as JSON\n"
	"  -o, --output FILE     write the report to FILE; '-' is stdout\n"
	"  -i, --interval S      update the ledger every S seconds (1)\n"
	"  -l, --ledger NAME     the ledger's name (run-PID), or 'none'\n"
	"  -k, --keep            keep the ledger at the end\n"
	"  -w, --wait            wait for all descendants, not COMMAND alone\n"
	"      --events WAY      count by 'bpf', 'cgroup', 'inherit' or 'sample' (auto)\n"
	"  -h, --help            print this help\n"
	"      --version         print the version\n"
	"\n"
	"The exit status is COMMAND's, or 128 plus the number of the signal that\n"
	"ended it; 127 if it is not found, 126 if it can't be executed, 125 if\n"
	"numatally failed before, 2 for wrong usage. See numatally-run(1).\n";

enum { OPT_EVENTS = OPT_OWN };

static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"output", required_argument, NULL, 'o'},
	{"interval", required_argument, NULL, 'i'},
	{"ledger", required_argument, NULL, 'l'},
	{"keep", no_argument, NULL, 'k'},
	{"wait", no_argument, NULL, 'w'},
	{"events", required_argument, NULL, OPT_EVENTS},
	OPT_END,
};

static int parse_events(int *way)
{
	static const char *const names[] = {
		[TALLY_EVENTS_INHERIT] = "inherit",
		[TALLY_EVENTS_CGROUP] = "cgroup",
		[TALLY_EVENTS_SAMPLE] = "sample",
		[RUN_BY_BPF] = "bpf",
		"auto",
	};
	const unsigned int nr = sizeof(names) / sizeof(names[0]);
	unsigned int index = 0;
	int status = opt_word("events", names, nr, &index);

	if (!status)
		*way = index == nr - 1 ? -1 : (int)index;
	return status;
}

/* 0, or the exit status 2. */
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
		return opt_interval("interval", &o->interval_ns);
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
		return parse_events(&o->way);
	default:
		return 0;
	}
}

/* Open the report before the command starts: it must not run in vain. */
static FILE *open_report(const struct run_options *o)
{
	bool to_stdout = o->file && !strcmp(o->file, "-");
	/* Not stderr itself, which must stay unbuffered for libraries. */
	int fd = o->file && !to_stdout
			 ? open(o->file,
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
			 : fcntl(to_stdout ? STDOUT_FILENO : STDERR_FILENO,
				 F_DUPFD_CLOEXEC, 3);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f && fd >= 0)
		close(fd);
	/* stderr is closed: the command runs all the same. */
	return f || o->file ? f : fopen("/dev/null", "we");
}

static void watch(struct run_account *a, struct run_child *child, bool all)
{
	while (!child->ended || (all && !child->alone && !child->interrupted))
		run_child_wait(child, run_account_tick(a));
	if (!all)
		return;
	child->end_ns = now_ns();
	if (child->interrupted && !child->alone) {
		child->exit_status = RUN_SIGNALLED + child->interrupted;
		run_note(&a->notes, "signal %d ended the waiting: %s",
			 child->interrupted, strsignal(child->interrupted));
	}
}

/* Only what keeps the command from running makes us fail. */
static int run_command(const struct run_options *o, FILE *f,
		       struct run_account *a, struct run_child *child,
		       char **argv)
{
	const char *ledger;
	int ret;

	run_account_start(a);
	ret = run_child_go(child);
	if (ret) {
		warnx("%s: %s", argv[0], strerror(-ret));
		run_memory_forget(&a->memory);
	}
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
		warnx("nothing can be counted: %s", strerror(-ret));
	else
		status = run_command(o, f, &account, &child, argv);
	run_account_close(&account, o->keep);
	run_child_close(&child);
	return status;
}

static int run_main(int argc, char **argv)
{
	struct run_options o = {.way = -1, .interval_ns = 1000000000};
	char name[32];
	FILE *f;
	int opt, status;

	snprintf(name, sizeof(name), "run-%d", (int)getpid());
	o.ledger = name;
	while ((opt = getopt_long(argc, argv, "+jo:i:l:kw" OPT_LETTERS,
				  long_options, NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = parse_option(opt, &o);
		if (status)
			return status;
	}
	if (optind == argc)
		return opt_error("missing COMMAND");
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

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {{"run", run_main}, {0}};

	return program_main(verbs, argc, argv);
}
