// SPDX-License-Identifier: MIT
/* numatally replay: a trace of jobs, driven through the library. */
#include "config.h"

#include <err.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "replay_report.h"
#include "verbs.h"

static const char help[] =
	"Usage: numatally replay TRACE... [--verify] [--json] [--threads N]\n"
	"                        [--machines N] [--nodes N] [--capacity LIST]\n"
	"                        [--place POLICY] [--until-full]\n"
	"\n"
	"Drives the requests of a trace through the library, from many threads, as\n"
	"fast as it goes, in a ledger of its own. A TRACE is openb's list of pods or\n"
	"of machines, a log in the Standard Workload Format, AzureLLMInferenceTrace,\n"
	"or a CSV of events: see numatally(1).\n"
	"\n"
	"  --verify         prove that no capacity was passed, and no refusal false;\n"
	"                   with one thread: that all is as in a sequential reference\n"
	"  --json           write JSON\n"
	"  --threads N      threads (as many as there are CPUs)\n"
	"  --machines N     machines (the trace's; of openb 10)\n"
	"  --nodes N        NUMA nodes of each (1; of openb 2)\n"
	"  --capacity LIST  of each machine, as cores=64,memory=262144\n"
	"  --place POLICY   on the first node that fits, or the best: where least is\n"
	"                   left, or spread: where most is left\n"
	"  --until-full     give nothing back\n"
	"  --help           show this\n";

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
	return err || replay->verdict.nr_problems ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool parse_number(const char *text, unsigned int most,
			 unsigned int *number)
{
	const char *end;
	int64_t n = replay_parse(text, &end);

	if (end == text || *end || n < 1 || n > most)
		return false;
	*number = (unsigned int)n;
	return true;
}

static bool parse_policy(const char *text, enum replay_policy *policy)
{
	for (unsigned int i = 0; i < REPLAY_NR_POLICIES; i++)
		if (!strcmp(text, replay_policy_names[i])) {
			*policy = (enum replay_policy)i;
			return true;
		}
	return false;
}

/* What is wrong with the options has been said where it returns false. */
static bool parse_option(struct replay *replay, int opt)
{
	bool good;

	switch (opt) {
	case 'c':
		replay->wish.capacity = optarg;
		return true;
	case 'j':
		replay->json = true;
		return true;
	case 'u':
		replay->trace.until_full = true;
		return true;
	case 'v':
		replay->verify = true;
		return true;
	case 'm':
		good = parse_number(optarg, REPLAY_MAX_NODES,
				    &replay->wish.nr_machines);
		break;
	case 'n':
		good = parse_number(optarg, REPLAY_MAX_NODES,
				    &replay->wish.per_machine);
		break;
	case 'p':
		good = parse_policy(optarg, &replay->setup.policy);
		break;
	case 't':
		good = parse_number(optarg, REPLAY_MAX_THREADS,
				    &replay->setup.nr_threads);
		break;
	default:
		return false;
	}
	if (!good)
		warnx("what is '%s'?", optarg);
	return good;
}

int replay_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"capacity", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"machines", required_argument, NULL, 'm'},
		{"nodes", required_argument, NULL, 'n'},
		{"place", required_argument, NULL, 'p'},
		{"threads", required_argument, NULL, 't'},
		{"until-full", no_argument, NULL, 'u'},
		{"verify", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	static struct replay replay;
	int opt, status;

	replay.setup.nr_threads = nr_cpus();
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h')
			return usage_help(help);
		if (!parse_option(&replay, opt))
			return usage_error(help);
	}
	if (optind == argc) {
		warnx("which trace?");
		return usage_error(help);
	}
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
