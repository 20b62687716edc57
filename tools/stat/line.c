// SPDX-License-Identifier: MIT
/* The command line of numatally stat, and what of it numastat has too. */
#include "config.h"

#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/absent.h"
#include "common/opt.h"
#include "stat/line.h"

static const char help[] =
	"Usage: numatally stat [-cmnvz] [-s[NODE]] [-p PID|PATTERN]... [--root ROOT]\n"
	"                      [PID|PATTERN]...\n"
	"       numatally stat [--json | --csv | --long] [--interval S [--count N]]\n"
	"                      [--by node|process|cgroup|user] [--nodes LIST] [--top N]\n"
	"                      [-mnvz] [-s[NODE]] [-p PID|PATTERN]... [--root ROOT]\n"
	"                      [PID|PATTERN]...\n"
	"\n"
	"Show what Linux counts per NUMA node: in the first form numastat's tables,\n"
	"else in our own formats.\n"
	"\n"
	"  -c                make columns as narrow as possible\n"
	"  -m                show the memory of nodes\n"
	"  -n                show the counters of nodes (default)\n"
	"  -p PID            show the memory of a process; operands do the same\n"
	"  -p PATTERN        of processes with this text in their name or command line\n"
	"  -s[NODE]          sort by the total, or by a node\n"
	"  -v                print a table for each process, or more figures\n"
	"  -V                print the version as numastat does\n"
	"  -z                leave out rows and columns of zeros\n"
	"  -j, --json        print JSON\n"
	"      --csv         print CSV\n"
	"      --long        print a line for each figure of each node\n"
	"  -i, --interval S  print again every S seconds, with rates\n"
	"      --count N     end after N times\n"
	"      --by WHAT     show nodes, processes, cgroups or users\n"
	"      --nodes LIST  show these nodes only: 0,2-5\n"
	"      --top N       show at most N rows, or columns\n"
	"      --root ROOT   read the captured /sys and /proc of ROOT, a directory or an\n"
	"                    archive\n"
	"  -h, --help        print this help\n"
	"      --version     print the version\n"
	"\n"
	"In a pipe, lines have all columns; COLUMNS in the environment, or\n"
	"NUMASTAT_WIDTH for numastat's tables, sets their width. See numatally-stat(1).\n";

enum {
	OPT_CSV = OPT_OWN,
	OPT_LONG,
	OPT_COUNT,
	OPT_BY,
	OPT_NODES,
	OPT_TOP,
	OPT_ROOT,
};

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"csv", no_argument, NULL, OPT_CSV},
	{"long", no_argument, NULL, OPT_LONG},
	{"interval", required_argument, NULL, 'i'},
	{"count", required_argument, NULL, OPT_COUNT},
	{"by", required_argument, NULL, OPT_BY},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"top", required_argument, NULL, OPT_TOP},
	{"root", required_argument, NULL, OPT_ROOT},
	OPT_END,
};

/* ---- values ---------------------------------------------------------------- */

static bool digits(const char *text)
{
	return !text[strspn(text, "0123456789")];
}

/* "0,2-5" */
static bool parse_nodes(const char *text, bool *nodes)
{
	unsigned int first, last;

	while ((text = parse_range(text, ABSENT_NODE_MAX, &first, &last))) {
		for (unsigned int n = first; n <= last; n++)
			nodes[n] = true;
		if (*text != ',')
			return !*text;
		text++;
	}
	return false;
}

void stat_line_process(struct stat_line *line, const char *text)
{
	struct stat_process_name *name = &line->names[line->o.nr_names++];
	uint64_t pid;

	name->text = text;
	name->digits = digits(text);
	name->pid = name->digits && parse_number(text, 1, INT_MAX, &pid)
			    ? (pid_t)pid
			    : 0;
}

/* numastat sorts by the total where the value is not a node. */
static void set_sort(struct stat_options *o, const char *text)
{
	uint64_t node;

	o->sort = true;
	if (!text)
		return;
	if (parse_number(text, 0, ABSENT_NODE_MAX, &node))
		o->sort_node = (int)node;
	else
		o->sort_unknown = true;
	if (o->sort_unknown)
		warnx("no node '%s': sorted by the total", text);
}

/* ---- numastat's letters ---------------------------------------------------- */

int stat_line_version(const struct stat_line *line)
{
	printf("%s version: %s: %s\n", line->o.program, PACKAGE_VERSION,
	       PACKAGE_NAME);
	return EXIT_SUCCESS;
}

bool stat_line_letter(struct stat_line *line, int opt)
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
		stat_line_process(line, optarg);
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

/* ---- our own options ------------------------------------------------------- */

static int take_nodes(struct stat_line *line)
{
	if (!line->nodes)
		line->nodes = calloc(ABSENT_NODE_MAX + 1, sizeof(*line->nodes));
	if (!line->nodes)
		err(EXIT_FAILURE, NULL);
	return parse_nodes(optarg, line->nodes)
		       ? 0
		       : opt_error("--nodes: '%s' is not a list of nodes",
				   optarg);
}

static int take_by(struct stat_line *line)
{
	static const char *const names[] = {
		[STAT_BY_NODE] = "node",
		[STAT_BY_PROCESS] = "process",
		[STAT_BY_CGROUP] = "cgroup",
		[STAT_BY_USER] = "user",
	};
	unsigned int by = line->o.by;
	int status = opt_word("by", names, sizeof(names) / sizeof(*names), &by);

	line->by = true;
	line->o.by = (enum stat_by)by;
	return status;
}

static int take_top(struct stat_options *o)
{
	uint64_t n = 0;
	int status = opt_number("top", 1, UINT_MAX, &n);

	o->top = (unsigned int)n;
	return status;
}

/* 0, or the exit status. */
static int take_own(struct stat_line *line, int opt)
{
	struct stat_options *o = &line->o;

	o->own = true;
	switch (opt) {
	case 'j':
		o->json = true;
		return 0;
	case OPT_CSV:
		o->csv = true;
		return 0;
	case OPT_LONG:
		o->long_format = true;
		return 0;
	case 'i':
		return opt_interval("interval", &o->interval_ns);
	case OPT_COUNT:
		return opt_number("count", 1, UINT64_MAX, &o->count);
	case OPT_BY:
		return take_by(line);
	case OPT_NODES:
		return take_nodes(line);
	case OPT_TOP:
		return take_top(o);
	default:
		return 0;
	}
}

static int check(struct stat_line *line)
{
	struct stat_options *o = &line->o;

	if (o->json + o->csv + o->long_format > 1)
		return opt_error("--json, --csv and --long exclude each other");
	if (o->count && !o->interval_ns)
		return opt_error("--count needs --interval");
	if (line->by && o->by == STAT_BY_NODE && o->nr_names)
		return opt_error("--by node takes no processes");
	if (!line->by && o->nr_names)
		o->by = STAT_BY_PROCESS;
	return 0;
}

static void list_nodes(struct stat_line *line)
{
	struct stat_options *o = &line->o;

	if (!line->nodes)
		return;
	line->list = calloc(ABSENT_NODE_MAX + 1, sizeof(*line->list));
	if (!line->list)
		err(EXIT_FAILURE, NULL);
	for (int n = 0; n <= ABSENT_NODE_MAX; n++)
		if (line->nodes[n])
			line->list[o->nr_nodes++] = n;
	o->nodes = line->list;
}

/* ---- the whole line --------------------------------------------------------- */

void stat_line_begin(struct stat_line *line, int argc, char **argv)
{
	*line = (struct stat_line){.o = {.program = argv[0], .sort_node = -1}};
	line->names = calloc((size_t)argc, sizeof(*line->names));
	if (!line->names)
		err(EXIT_FAILURE, NULL);
	line->o.names = line->names;
}

void stat_line_end(struct stat_line *line)
{
	free(line->names);
	free(line->nodes);
	free(line->list);
}

int stat_line_parse(struct stat_line *line, int argc, char **argv)
{
	int opt, status;

	line->o.plain = true;
	while ((opt = getopt_long(argc, argv, STAT_LETTERS "i:j" OPT_LETTERS,
				  options, NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		if (opt == 'V')
			return stat_line_version(line);
		if (opt == OPT_ROOT) {
			line->o.root = optarg;
			continue;
		}
		line->o.plain = false;
		if (stat_line_letter(line, opt))
			continue;
		status = take_own(line, opt);
		if (status)
			return status;
	}
	for (; optind < argc; optind++) {
		line->o.plain = false;
		stat_line_process(line, argv[optind]);
	}
	status = check(line);
	list_nodes(line);
	return status ? status : -1;
}
