// SPDX-License-Identifier: MIT
/* The program: its options, and its groups. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const struct {
	const struct bench_group *groups;
	const size_t *nr;
} subjects[] = {
	{bench_add_groups, &bench_nr_add_groups},
	{bench_charge_groups, &bench_nr_charge_groups},
	{bench_view_groups, &bench_nr_view_groups},
	{bench_serve_groups, &bench_nr_serve_groups},
	{bench_export_groups, &bench_nr_export_groups},
	{bench_snapshot_groups, &bench_nr_snapshot_groups},
	{bench_fold_groups, &bench_nr_fold_groups},
	{bench_slice_groups, &bench_nr_slice_groups},
	{bench_bucket_groups, &bench_nr_bucket_groups},
	{bench_limit_groups, &bench_nr_limit_groups},
	{bench_refusal_groups, &bench_nr_refusal_groups},
	{bench_wait_groups, &bench_nr_wait_groups},
	{bench_claim_groups, &bench_nr_claim_groups},
	{bench_draw_groups, &bench_nr_draw_groups},
	{bench_queue_groups, &bench_nr_queue_groups},
	{bench_roster_groups, &bench_nr_roster_groups},
	{bench_cluster_groups, &bench_nr_cluster_groups},
	{bench_place_groups, &bench_nr_place_groups},
	{bench_decide_groups, &bench_nr_decide_groups},
	{bench_room_groups, &bench_nr_room_groups},
};
#define NR_SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))
#define MAX_GROUPS  64

static const struct option long_options[] = {
	{"csv", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{"list", no_argument, NULL, 'l'},
	{"no-memory", no_argument, NULL, 'm'},
	{"quick", no_argument, NULL, 'q'},
	{"rounds", required_argument, NULL, 'r'},
	{"svg", required_argument, NULL, 's'},
	{"threads", required_argument, NULL, 't'},
	{"turns", required_argument, NULL, 'n'},
	{NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
	fputs("usage: bench [OPTION]... [GROUP]...\n"
	      "\n"
	      "  --csv FILE     writes the results there too\n"
	      "  --svg DIR      a picture of each group, DIR/GROUP.svg\n"
	      "  --rounds N     of each contender at each alignment\n"
	      "  --threads 1    leaves out the second thread's runs\n"
	      "  --no-memory    leaves out the bytes of ledgers\n"
	      "  --quick        shows that everything runs; times mean "
	      "nothing\n"
	      "  --turns N      runs N turns of each loop, once, untimed, and "
	      "names the loops\n"
	      "  --list         names the groups\n"
	      "\n"
	      "A GROUP is the beginning of a group's name.\n",
	      to);
}

struct program {
	char **wanted;
	size_t nr_wanted;
	FILE *csv;
	const char *svg;
	uint64_t turns;
	bool list, memory;
	const struct bench_group *groups[MAX_GROUPS];
	struct bench_result *results[MAX_GROUPS];
	size_t nr_groups;
};

static bool wanted(const struct program *p, const char *name)
{
	for (size_t i = 0; i < p->nr_wanted; i++)
		if (!strncmp(name, p->wanted[i], strlen(p->wanted[i])))
			return true;
	return p->nr_wanted == 0;
}

/* A CPU for each thread, of those allowed. */
static void choose_cpus(void)
{
	unsigned int nr = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && nr < BENCH_MAX_THREADS; cpu++)
		if (CPU_ISSET((unsigned int)cpu, &set))
			bench_options.cpus[nr++] = cpu;
	if (nr < bench_options.nr_threads)
		bench_options.nr_threads = nr ? nr : 1;
}

static int draw(const struct program *p, size_t i)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.svg", p->svg, p->groups[i]->name);
	f = fopen(path, "we");
	if (!f) {
		perror(path);
		return -errno;
	}
	report_svg(f, p->groups[i], p->results[i]);
	return fclose(f) ? -errno : 0;
}

/* A group that cannot be set up has said why; the others run. */
static int run_group(struct program *p, const struct bench_group *group)
{
	struct bench_result *results =
		calloc(group->nr_contenders, sizeof(*results));
	int err = -ENOMEM;

	if (results && p->turns)
		err = bench_turn(group, p->turns);
	else if (results)
		err = bench_run(group, results);
	if (err || p->turns) {
		if (err)
			fprintf(stderr, "bench: %s: %s\n", group->name,
				strerror(-err));
		free(results);
		return err;
	}
	p->groups[p->nr_groups] = group;
	p->results[p->nr_groups++] = results;
	report_group(stdout, group, results);
	fflush(stdout);
	if (p->csv)
		report_csv(p->csv, group, results);
	return p->svg ? draw(p, p->nr_groups - 1) : 0;
}

static int run_groups(struct program *p)
{
	int failed = 0;

	for (size_t s = 0; s < NR_SUBJECTS; s++)
		for (size_t g = 0; g < *subjects[s].nr; g++) {
			const struct bench_group *group =
				&subjects[s].groups[g];

			if (!wanted(p, group->name) ||
			    p->nr_groups == MAX_GROUPS)
				continue;
			if (p->list)
				printf("%-12s %s\n", group->name, group->title);
			else if (run_group(p, group))
				failed = 1;
		}
	return failed;
}

static bool set_number(const char *text, unsigned long most,
		       unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return !errno && !*end && *number >= 1 && *number <= most;
}

static int parse(int argc, char **argv, struct program *p)
{
	unsigned long n;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			p->csv = fopen(optarg, "we");
			if (!p->csv) {
				perror(optarg);
				return 1;
			}
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'l':
			p->list = true;
			break;
		case 'm':
			p->memory = false;
			break;
		case 'n':
			if (!set_number(optarg, ULONG_MAX, &n))
				return 2;
			p->turns = n;
			bench_options.counting = true;
			break;
		case 'q':
			bench_options.quick = true;
			bench_options.rounds = 1;
			bench_options.round_ns = 1e3;
			break;
		case 'r':
			if (!set_number(optarg, 100000, &n))
				return 2;
			bench_options.rounds = (unsigned int)n;
			break;
		case 's':
			p->svg = optarg;
			break;
		case 't':
			if (!set_number(optarg, BENCH_MAX_THREADS, &n))
				return 2;
			bench_options.nr_threads = (unsigned int)n;
			break;
		default:
			return 2;
		}
	}
	p->wanted = argv + optind;
	p->nr_wanted = (size_t)(argc - optind);
	return 0;
}

int main(int argc, char **argv)
{
	struct program p = {.memory = true};
	int failed = parse(argc, argv, &p);

	if (failed) {
		if (failed == 2)
			usage(stderr);
		return failed;
	}
	choose_cpus();
	if (p.csv)
		report_csv_head(p.csv);
	if (!p.list && !p.turns)
		report_machine(stdout);
	failed = run_groups(&p);
	if (!p.list && !p.turns) {
		if (p.memory && wanted(&p, "memory"))
			failed |= bench_memory(stdout) != 0;
		report_row_head(stdout);
		for (size_t i = 0; i < p.nr_groups; i++)
			report_rows(stdout, p.groups[i], p.results[i]);
	}
	for (size_t i = 0; i < p.nr_groups; i++)
		free(p.results[i]);
	if (p.csv && fclose(p.csv))
		failed = 1;
	return failed;
}
