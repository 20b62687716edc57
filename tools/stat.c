// SPDX-License-Identifier: MIT
/* numatally stat, also under the name numastat: its command line. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat.h"
#include "verbs.h"

#define INTERVAL_MAX 1e6
/* The kernel's own limit is 1024. */
#define NODE_MAX 4095

static const char help[] =
	"Usage: numatally stat [-cmnvz] [-s[NODE]] [-p PID|PATTERN]... [--root DIR]\n"
	"                      [PID|PATTERN]...\n"
	"       numatally stat [--json | --csv | --long] [--interval S [--count N]]\n"
	"                      [--by node|process|cgroup|user] [--nodes LIST] [--top N]\n"
	"                      [-mnvz] [-s[NODE]] [-p PID|PATTERN]... [--root DIR]\n"
	"                      [PID|PATTERN]...\n"
	"\n"
	"What Linux counts per NUMA node: in the first form the tables of numastat,\n"
	"else our own.\n"
	"\n"
	"  -c            columns as narrow as they can be\n"
	"  -m            the memory of the nodes\n"
	"  -n            the counters of the nodes; so without any option\n"
	"  -p PID        the memory of a process; so do operands\n"
	"  -p PATTERN    of those that have it in their name or command line\n"
	"  -s[NODE]      sort by the total, or by a node\n"
	"  -v            a table for each process; in our own tables more figures\n"
	"  -V            show the version\n"
	"  -z            leave out rows and columns of zeros\n"
	"  --json        write JSON\n"
	"  --csv         write CSV\n"
	"  --long        a line for each figure of each node\n"
	"  --interval S  again every S seconds, with rates\n"
	"  --count N     end after N times\n"
	"  --by WHAT     node, process, cgroup or user\n"
	"  --nodes LIST  these nodes only: 0,2-5\n"
	"  --top N       at most N rows, or columns\n"
	"  --root DIR    read the captured /sys and /proc below DIR, not this\n"
	"                machine's\n"
	"  --help        show this\n";

enum {
	OPT_JSON = 256,
	OPT_CSV,
	OPT_LONG,
	OPT_INTERVAL,
	OPT_COUNT,
	OPT_BY,
	OPT_NODES,
	OPT_TOP,
	OPT_ROOT,
	OPT_HELP,
};

static const char letters[] = "cmnp:s::vVz?";

static const struct option options[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"csv", no_argument, NULL, OPT_CSV},
	{"long", no_argument, NULL, OPT_LONG},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"count", required_argument, NULL, OPT_COUNT},
	{"by", required_argument, NULL, OPT_BY},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"top", required_argument, NULL, OPT_TOP},
	{"root", required_argument, NULL, OPT_ROOT},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* What the command line says, while it is read. */
struct line {
	struct stat_options o;
	struct stat_who *who;
	bool *nodes; /* by number; NULL: all */
	int *list;
	bool by; /* was given */
};

/* ---- values --------------------------------------------------------------- */

static bool digits(const char *text)
{
	return !text[strspn(text, "0123456789")];
}

static bool parse_number(const char *text, unsigned long max, unsigned long *n)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoul(text, &end, 10);
	return !errno && !*end && *n <= max;
}

static bool parse_interval(const char *text, int64_t *ns)
{
	char *end;
	double s = strtod(text, &end);

	/* Not a number is in no range. */
	if (end == text || *end || !(s >= 1e-3 && s <= INTERVAL_MAX))
		return false;
	*ns = (int64_t)(s * 1e9);
	return true;
}

static bool parse_by(const char *text, enum stat_by *by)
{
	static const char *const names[] = {"node", "process", "cgroup",
					    "user"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			*by = (enum stat_by)i;
			return true;
		}
	return false;
}

/* A number at text, which stop ends. */
static bool parse_node(const char *text, char **stop, unsigned long *node)
{
	if (*text < '0' || *text > '9')
		return false;
	*node = strtoul(text, stop, 10);
	return *node <= NODE_MAX;
}

/* "0,2-5" */
static bool parse_nodes(const char *text, bool *nodes)
{
	unsigned long first, last;
	char *at;

	for (;; text = at + 1) {
		if (!parse_node(text, &at, &first))
			return false;
		last = first;
		if (*at == '-' && !parse_node(at + 1, &at, &last))
			return false;
		if (last < first)
			return false;
		for (unsigned long n = first; n <= last; n++)
			nodes[n] = true;
		if (*at != ',')
			return !*at;
	}
}

static void add_who(struct line *line, const char *text)
{
	struct stat_who *who = &line->who[line->o.nr_who++];
	unsigned long pid;

	who->text = text;
	who->digits = digits(text);
	who->pid = who->digits && parse_number(text, INT_MAX, &pid) ? (pid_t)pid
								    : 0;
}

/* As numastat has it, what is no number is no node. */
static void set_sort(struct stat_options *o, const char *text)
{
	unsigned long node;

	o->sort = true;
	if (!text)
		return;
	if (parse_number(text, NODE_MAX, &node))
		o->sort_node = (int)node;
	else
		warnx("no node '%s': sorted by the total", text);
}

/* ---- numastat's letters --------------------------------------------------- */

static int print_version(const struct stat_options *o)
{
	printf("%s version: %s: %s\n", o->program, PACKAGE_VERSION,
	       PACKAGE_NAME);
	return EXIT_SUCCESS;
}

/* False: it is none of these. */
static bool take_letter(struct line *line, int opt)
{
	struct stat_options *o = &line->o;

	switch (opt) {
	case 'c':
		o->compress = true;
		return true;
	case 'm':
		o->meminfo = true;
		return true;
	case 'n':
		o->counters = true;
		return true;
	case 'p':
		add_who(line, optarg);
		return true;
	case 's':
		set_sort(o, optarg);
		return true;
	case 'v':
		o->verbose = true;
		return true;
	case 'z':
		o->skip_zeros = true;
		return true;
	default:
		return false;
	}
}

/* ---- our own options ------------------------------------------------------ */

static int bad_value(const char *option)
{
	warnx("--%s: '%s' is none", option, optarg);
	return usage_error(help);
}

static int take_nodes(struct line *line)
{
	if (!line->nodes)
		line->nodes = calloc(NODE_MAX + 1, sizeof(*line->nodes));
	if (!line->nodes)
		err(EXIT_FAILURE, NULL);
	return parse_nodes(optarg, line->nodes) ? 0 : bad_value("nodes");
}

/* 0, or the exit status. */
static int take_own(struct line *line, int opt)
{
	struct stat_options *o = &line->o;
	unsigned long n;

	o->own = true;
	switch (opt) {
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_CSV:
		o->csv = true;
		return 0;
	case OPT_LONG:
		o->long_format = true;
		return 0;
	case OPT_INTERVAL:
		return parse_interval(optarg, &o->interval_ns)
			       ? 0
			       : bad_value("interval");
	case OPT_COUNT:
		if (!parse_number(optarg, ULONG_MAX, &n) || !n)
			return bad_value("count");
		o->count = n;
		return 0;
	case OPT_BY:
		line->by = true;
		return parse_by(optarg, &o->by) ? 0 : bad_value("by");
	case OPT_NODES:
		return take_nodes(line);
	case OPT_TOP:
		if (!parse_number(optarg, UINT_MAX, &n) || !n)
			return bad_value("top");
		o->top = (unsigned int)n;
		return 0;
	default:
		return usage_error(help);
	}
}

static int check(struct line *line)
{
	struct stat_options *o = &line->o;
	const char *why = NULL;

	if (o->json + o->csv + o->long_format > 1)
		why = "of --json, --csv and --long there can be one";
	else if (o->count && !o->interval_ns)
		why = "--count needs --interval";
	else if (line->by && o->by == STAT_BY_NODE && o->nr_who)
		why = "--by node has no processes";
	if (!why) {
		if (!line->by && o->nr_who)
			o->by = STAT_BY_PROCESS;
		return 0;
	}
	warnx("%s", why);
	return usage_error(help);
}

static void list_nodes(struct line *line)
{
	struct stat_options *o = &line->o;

	if (!line->nodes)
		return;
	line->list = calloc(NODE_MAX + 1, sizeof(*line->list));
	if (!line->list)
		err(EXIT_FAILURE, NULL);
	for (int n = 0; n <= NODE_MAX; n++)
		if (line->nodes[n])
			line->list[o->nr_nodes++] = n;
	o->nodes = line->list;
}

/* ---- the whole line ------------------------------------------------------- */

static void begin(struct line *line, int argc, char **argv)
{
	*line = (struct line){.o = {.program = argv[0], .sort_node = -1}};
	line->who = calloc((size_t)argc, sizeof(*line->who));
	if (!line->who)
		err(EXIT_FAILURE, NULL);
	line->o.who = line->who;
}

static void end(struct line *line)
{
	free(line->who);
	free(line->nodes);
	free(line->list);
}

/* -1: there is something to do; or the exit status. */
static int parse(struct line *line, int argc, char **argv)
{
	int opt, status;

	line->o.plain = true;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (opt == OPT_HELP)
			return usage_help(help);
		if (opt == 'V')
			return print_version(&line->o);
		if (opt == OPT_ROOT) {
			line->o.root = optarg;
			continue;
		}
		line->o.plain = false;
		if (take_letter(line, opt))
			continue;
		status = take_own(line, opt);
		if (status)
			return status;
	}
	for (; optind < argc; optind++) {
		line->o.plain = false;
		add_who(line, argv[optind]);
	}
	status = check(line);
	list_nodes(line);
	return status ? status : -1;
}

int stat_main(int argc, char **argv)
{
	struct line line;
	int status;

	begin(&line, argc, argv);
	status = parse(&line, argc, argv);
	if (status < 0)
		status = stat_run(&line.o);
	end(&line);
	return status;
}

/* ---- under the name numastat ---------------------------------------------- */

static int numastat_usage(const char *program)
{
	fprintf(stderr,
		"Usage: %s [-c] [-m] [-n] [-p <PID>|<pattern>] [-s[<node>]] "
		"[-v] [-V] [-z] [ <PID>|<pattern>... ]\n"
		"-c to minimize column widths\n"
		"-m to show meminfo-like system-wide memory usage\n"
		"-n to show the numastat statistics info\n"
		"-p <PID>|<pattern> to show process info\n"
		"-s[<node>] to sort data by total column or <node>\n"
		"-v to make some reports more verbose\n"
		"-V to show the %s code version\n"
		"-z to skip rows and columns of zeros\n",
		program, program);
	return EXIT_FAILURE;
}

static int numastat_parse(struct line *line, int argc, char **argv)
{
	static const struct option none[] = {
		{"help", no_argument, NULL, '?'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	line->o.plain = argc == 1;
	while ((opt = getopt_long(argc, argv, letters, none, NULL)) != -1) {
		if (opt == 'V')
			return print_version(&line->o);
		if (!take_letter(line, opt))
			return numastat_usage(argv[0]);
	}
	for (; optind < argc; optind++)
		add_who(line, argv[optind]);
	return -1;
}

int stat_numastat_main(int argc, char **argv)
{
	struct line line;
	int status;

	begin(&line, argc, argv);
	status = numastat_parse(&line, argc, argv);
	if (status < 0)
		status = stat_run(&line.o);
	end(&line);
	return status;
}
