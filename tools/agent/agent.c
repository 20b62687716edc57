// SPDX-License-Identifier: MIT
/* numatally agent: keep a ledger of every cgroup, per node. A program of its own. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/error.h>

#include "agent/agent.h"
#include "agent/notify.h"
#include "common/clock.h"
#include "common/confine.h"
#include "common/opt.h"
#include "common/signals.h"
#include "common/verbs.h"

#define S_NS INT64_C(1000000000)

static const char help[] =
	"Usage: numatally agent [OPTION]...\n"
	"\n"
	"Keep a ledger of every cgroup of this machine, per node: CPU time, switches,\n"
	"migrations, and memory by kind; and of what Linux counts of the nodes. 'numatally\n"
	"show' and others read it meanwhile. It ends at SIGTERM and SIGINT, and looks at\n"
	"the machine anew at SIGHUP.\n"
	"\n"
	"  -l, --ledger LEDGER  the ledger's name or, with a '/' in it, path (machine);\n"
	"                       the agent goes on with an existing one\n"
	"  -i, --interval S     read every S seconds (5)\n"
	"      --keep S         keep the account of a cgroup that is gone for S seconds\n"
	"                       (60), for readers\n"
	"      --cgroup VERSION count CPU time of cgroups of version 1 or 2 (1 where\n"
	"                       cpuacct is mounted, else 2)\n"
	"      --no-bpf         do without BPF\n"
	"  -h, --help           print this help\n"
	"      --version        print the version\n"
	"\n"
	"See numatally-agent(1).\n";

enum {
	OPT_CGROUP = OPT_OWN,
	OPT_KEEP,
	OPT_NO_BPF,
};

static volatile sig_atomic_t ended, again;

static void on_signal(int number)
{
	if (number == SIGHUP)
		again = 1;
	else
		ended = 1;
}

/* ---- rounds --------------------------------------------------------------- */

/* A ledger has cells for each CPU that wrote to it, so that an agent that moves
 * around makes it grow. */
static void stay(void)
{
	cpu_set_t *set;
	int here = sched_getcpu();
	size_t cpu = here < 0 ? 0 : (size_t)here;
	size_t bytes = CPU_ALLOC_SIZE(cpu + 1);

	if (here < 0)
		return;
	set = CPU_ALLOC(cpu + 1);
	if (!set)
		return;
	CPU_ZERO_S(bytes, set);
	CPU_SET_S(cpu, bytes, set);
	(void)sched_setaffinity(0, bytes, set);
	CPU_FREE(set);
}

static int open_topo(struct agent *a)
{
	int err = tally_topo_open(NULL, &a->topo);

	if (err)
		warnx("nodes: %s", tally_strerror_of("tally_topo_open", err));
	return err;
}

static int open_figures(struct agent *a)
{
	int err = memory_open(a);

	return err ? err : node_open(a);
}

static void close_machine(struct agent *a)
{
	memory_close(a);
	node_close(a);
	tally_topo_close(a->topo);
	a->topo = NULL;
}

static int reread(struct agent *a)
{
	struct group *g;
	int err;

	a->reread = false;
	a->walk = true;
	EACH_GROUP(a, g)
	spread_forget(a, g);
	close_machine(a);
	free(a->cpus);
	a->cpus = NULL;
	err = open_topo(a);
	if (!err)
		err = open_figures(a);
	return err ? err : book_declare(&a->book);
}

static int look(struct agent *a)
{
	int err = a->reread ? reread(a) : 0;

	a->now_ns = now_ns();
	if (!err)
		err = cpu_read(a);
	if (!err)
		err = memory_read(a);
	if (!err)
		err = groups_end(a);
	return err ? err : node_read(a);
}

/* What a round could not add, the next one does. A ledger that is damaged, or
 * was removed, gets no better. */
static int go_round(struct agent *a)
{
	int err = look(a);

	if (err && err != a->err)
		warnx("%s: %s", a->book.path, tally_strerror(err));
	a->err = err;
	return err == -EBADMSG || err == -EBADF ? err : 0;
}

static int repeat(struct agent *a)
{
	sigset_t signals, before;
	int64_t last_ns = now_ns();
	int err = 0;

	/* Signals come while it waits, and then alone. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	while (!err && !ended) {
		int64_t left_ns = last_ns + a->interval_ns - now_ns();
		struct timespec left = {0, 0};

		if (left_ns > 0)
			left = (struct timespec){left_ns / S_NS,
						 left_ns % S_NS};
		/* Also where a round takes longer than the interval. */
		(void)ppoll(NULL, 0, &left, &before);
		if (again) {
			again = 0;
			a->reread = true;
			notify("RELOADING=1\nMONOTONIC_USEC=%" PRId64,
			       now_ns() / 1000);
			err = go_round(a);
			notify("READY=1");
		} else if (now_ns() >= last_ns + a->interval_ns) {
			last_ns = now_ns();
			err = go_round(a);
		}
	}
	notify("STOPPING=1");
	return err ? err : go_round(a);
}

static int begin(struct agent *a)
{
	int err = open_topo(a);

	if (!err)
		err = cpu_open(a);
	if (!err)
		err = open_figures(a);
	if (err)
		return err;
	err = book_open(&a->book, a->name, a->topo);
	if (err)
		return err;
	a->walk = true;
	err = go_round(a);
	return err ? err : a->err ? a->err : groups_begin(a);
}

static int run(struct agent *a)
{
	const struct sigaction action = {.sa_handler = on_signal};
	int err;

	/* It ends nothing, and is asked for under nohup(1), too. */
	sigaction(SIGHUP, &action, NULL);
	signal_take(SIGINT, on_signal);
	signal_take(SIGTERM, on_signal);
	stay();
	LIST_INIT(&a->groups);
	err = begin(a);
	if (!err) {
		confine(CONFINE_BPF | CONFINE_FORK | CONFINE_NOTIFY |
			CONFINE_PERF | CONFINE_PLACE);
		warnx("%s is kept", a->book.path);
		notify("READY=1\nSTATUS=%s; CPU time: %s", a->book.path,
		       a->counter		   ? "BPF"
		       : a->hierarchy.version == 1 ? "cpuacct.usage_percpu"
		       : a->most_events		   ? "perf events"
		       : a->hierarchy.version	   ? "an estimate"
						   : "left out");
		err = repeat(a);
	}
	groups_close(a);
	close_machine(a);
	cpu_close(a);
	book_close(&a->book);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- options -------------------------------------------------------------- */

static int parse_option(struct agent *a, int opt)
{
	static const char *const versions[] = {"1", "2"};
	unsigned int index = 0;
	int status;

	switch (opt) {
	case 'l':
		a->name = optarg;
		return 0;
	case 'i':
		return opt_interval("interval", &a->interval_ns);
	case OPT_KEEP:
		return opt_seconds("keep", 0, 1e6, &a->keep_ns);
	case OPT_CGROUP:
		status = opt_word("cgroup", versions, 2, &index);
		a->version = (int)index + 1;
		return status;
	case OPT_NO_BPF:
		a->no_bpf = true;
		return 0;
	default:
		return 0;
	}
}

static int agent_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"cgroup", required_argument, NULL, OPT_CGROUP},
		{"interval", required_argument, NULL, 'i'},
		{"keep", required_argument, NULL, OPT_KEEP},
		{"ledger", required_argument, NULL, 'l'},
		{"no-bpf", no_argument, NULL, OPT_NO_BPF},
		OPT_END,
	};
	static struct agent a = {
		.name = "machine",
		.interval_ns = 5 * S_NS,
		.keep_ns = 60 * S_NS,
	};
	int opt, status;

	while ((opt = getopt_long(argc, argv, "i:l:" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = parse_option(&a, opt);
		if (status)
			return status;
	}
	if (optind < argc)
		return opt_invalid(argv[optind]);
	return run(&a);
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {{"agent", agent_main}, {0}};

	return program_main(verbs, argc, argv);
}
