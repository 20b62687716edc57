// SPDX-License-Identifier: MIT
/* numatally replay: drive a trace of jobs through the library. */
#include "config.h"

#include <getopt.h>
#include <sched.h>
#include <stdlib.h>

#include "common/opt.h"
#include "common/output.h"
#include "common/verbs.h"
#include "replay/drive.h"
#include "replay/load.h"
#include "replay/report.h"
#include "replay/verify.h"

static const char help[] =
	"Usage: numatally replay [OPTION]... TRACE...\n"
	"\n"
	"Drive the requests of a trace through the library, from many threads and as\n"
	"fast as they can, in a private ledger. A TRACE is openb's list of pods or of\n"
	"machines, a log in the Standard Workload Format, AzureLLMInferenceTrace, or\n"
	"a CSV of events.\n"
	"\n"
	"      --verify         prove that no capacity was exceeded and no refusal false;\n"
	"                       with one thread, that all is as in a sequential\n"
	"                       reference\n"
	"  -j, --json           print JSON\n"
	"      --threads N      threads (one for each CPU)\n"
	"      --machines N     machines (the trace's; of openb 10)\n"
	"      --nodes N        NUMA nodes of each (1; of openb 2)\n"
	"      --capacity LIST  of each machine, such as cores=64,memory=262144\n"
	"      --place POLICY   on the first node that fits, or the best: with least\n"
	"                       left, or spread: with most left\n"
	"      --until-full     release nothing\n"
	"  -h, --help           print this help\n"
	"      --version        print the version\n"
	"\n"
	"See numatally-replay(1).\n";

enum {
	OPT_CAPACITY = OPT_OWN,
	OPT_MACHINES,
	OPT_NODES,
	OPT_PLACE,
	OPT_THREADS,
	OPT_UNTIL_FULL,
	OPT_VERIFY,
};

struct replay {
	struct replay_trace trace;
	struct replay_wish wish;
	struct replay_machines machines;
	struct replay_setup setup;
	struct replay_result result;
	struct replay_verdict verdict;
	bool verify, json;
};

static unsigned int nr_cpus(void)
{
	cpu_set_t set;
	int nr = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return nr > REPLAY_MAX_THREADS ? REPLAY_MAX_THREADS : (unsigned int)nr;
}

static int report(const struct replay *replay)
{
	const struct replay_report what = {
		.setup = &replay->setup,
		.result = &replay->result,
		.verdict = replay->verify ? &replay->verdict : NULL,
	};

	return replay->json ? replay_json(&what) : replay_text(&what);
}

static int run(struct replay *replay, char **paths, int nr)
{
	int err = replay_load(&replay->trace, paths, nr);

	if (!err)
		err = replay_schedule(&replay->trace);
	if (!err)
		err = replay_machines(&replay->trace, &replay->wish,
				      &replay->machines);
	if (!err)
		err = replay_drive(&replay->setup, &replay->result);
	if (!err && replay->verify)
		err = replay_verify(&replay->setup, &replay->result,
				    &replay->verdict);
	if (!err)
		err = report(replay);
	return err || replay->verdict.nr_problems || replay->trace.nr_errors
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}

static int parse_count(const char *option, unsigned int max, unsigned int *n)
{
	uint64_t number;
	int status = opt_number(option, 1, max, &number);

	if (!status)
		*n = (unsigned int)number;
	return status;
}

/* 0, or the exit status 2. */
static int parse_option(struct replay *replay, int opt)
{
	unsigned int policy;
	int status = 0;

	switch (opt) {
	case OPT_CAPACITY:
		if (!replay_wish_is_list(optarg))
			return opt_error("--capacity: '%s' is not "
					 "RESOURCE=AMOUNT[,...]",
					 optarg);
		replay->wish.capacity = optarg;
		break;
	case 'j':
		replay->json = true;
		break;
	case OPT_UNTIL_FULL:
		replay->trace.until_full = true;
		break;
	case OPT_VERIFY:
		replay->verify = true;
		break;
	case OPT_MACHINES:
		status = parse_count("machines", REPLAY_MAX_NODES,
				     &replay->wish.nr_machines);
		break;
	case OPT_NODES:
		status = parse_count("nodes", REPLAY_MAX_NODES,
				     &replay->wish.per_machine);
		break;
	case OPT_PLACE:
		status = opt_word("place", replay_policy_names,
				  REPLAY_NR_POLICIES, &policy);
		if (!status)
			replay->setup.policy = (enum replay_policy)policy;
		break;
	case OPT_THREADS:
		status = parse_count("threads", REPLAY_MAX_THREADS,
				     &replay->setup.nr_threads);
		break;
	default:
		break;
	}
	return status;
}

int replay_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"capacity", required_argument, NULL, OPT_CAPACITY},
		{"json", no_argument, NULL, 'j'},
		{"machines", required_argument, NULL, OPT_MACHINES},
		{"nodes", required_argument, NULL, OPT_NODES},
		{"place", required_argument, NULL, OPT_PLACE},
		{"threads", required_argument, NULL, OPT_THREADS},
		{"until-full", no_argument, NULL, OPT_UNTIL_FULL},
		{"verify", no_argument, NULL, OPT_VERIFY},
		OPT_END,
	};
	static struct replay replay;
	int opt, status;

	replay.setup.nr_threads = nr_cpus();
	while ((opt = getopt_long(argc, argv, "j" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = parse_option(&replay, opt);
		if (status)
			return status;
	}
	if (optind == argc)
		return opt_error("missing TRACE");
	replay.setup.trace = &replay.trace;
	replay.setup.machines = &replay.machines;
	replay.setup.logs = replay.verify;
	replay.setup.progress = output_is_terminal(stderr);
	status = run(&replay, argv + optind, argc - optind);
	replay_verdict_free(&replay.verdict);
	replay_result_free(&replay.result);
	replay_machines_free(&replay.machines);
	replay_free(&replay.trace);
	return status;
}
