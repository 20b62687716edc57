// SPDX-License-Identifier: MIT
/* numatally VERB: finds the verb, and closes stdout behind it. Under the name
 * numastat it is that program. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verbs.h"

struct verb {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv);
};

static const struct verb verbs[] = {
	{"run", "accounts a command and its descendants", run_main},
	{"ls", "the ledgers on this machine", ls_main},
	{"show", "a ledger, per node", show_main},
	{"check", "a ledger's placement and integrity", check_main},
	{"stat", "what Linux counts per node, as numastat does", stat_main},
	{"topo", "nodes, their CPUs, memory, distances, tiers", topo_main},
	{"save", "a ledger, as an ordinary file", save_main},
	{"replay", "a trace of jobs, driven through the library", replay_main},
	{NULL, NULL, NULL},
};

static const char usage[] =
	"Usage: numatally [--help] [--version] VERB [OPTION]...\n"
	"\n"
	"Accounts of resources per NUMA node.\n"
	"\n";

int usage_help(const char *help)
{
	fputs(help, stdout);
	return EXIT_SUCCESS;
}

int usage_error(const char *help)
{
	const char *end = strstr(help, "\n\n");
	int len = end ? (int)(end - help) : (int)strlen(help);

	fprintf(stderr, "%.*s\nTry '%s --help'.\n", len, help,
		program_invocation_short_name);
	return 2;
}

static int print_help(void)
{
	usage_help(usage);
	for (const struct verb *v = verbs; v->name; v++)
		printf("  %-8s  %s\n", v->name, v->summary);
	puts("\n'numatally VERB --help' says more about a verb.");
	return EXIT_SUCCESS;
}

/*
 * A file that a verb opens must not become its stdin, stdout or stderr. What
 * was closed stays closed for a command that we execute.
 */
static void occupy_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Output that did not arrive is a failure. */
static int close_stdout(int status)
{
	int failed = ferror(stdout);

	errno = 0;
	if (fclose(stdout) == 0 && !failed)
		return status;
	if (errno)
		warn("standard output");
	else
		warnx("standard output: write error");
	return status ? status : EXIT_FAILURE;
}

static int run_verb(int argc, char **argv)
{
	static char name[32];

	for (const struct verb *v = verbs; v->name; v++) {
		if (strcmp(v->name, argv[0]) != 0)
			continue;
		snprintf(name, sizeof(name), "numatally %s", v->name);
		program_invocation_short_name = name;
		argv[0] = name;
		optind = 0; /* glibc: scan anew */
		return v->main(argc, argv);
	}
	warnx("no such verb: '%s'", argv[0]);
	return usage_error(usage);
}

static int dispatch(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	static char name[] = "numatally";
	int opt;

	program_invocation_short_name = name;
	argv[0] = name;
	while ((opt = getopt_long(argc, argv, "+hV", options, NULL)) != -1)
		switch (opt) {
		case 'h':
			return print_help();
		case 'V':
			puts(PACKAGE_STRING);
			return EXIT_SUCCESS;
		default:
			return usage_error(usage);
		}
	if (optind == argc) {
		warnx("which verb?");
		return usage_error(usage);
	}
	return run_verb(argc - optind, argv + optind);
}

/* A link of that name is installed with --enable-numastat. */
static bool is_numastat(const char *program)
{
	const char *slash = strrchr(program, '/');

	return !strcmp(slash ? slash + 1 : program, "numastat");
}

int main(int argc, char **argv)
{
	occupy_standard_files();
	setlocale(LC_CTYPE, "");
	if (argc < 1)
		return EXIT_FAILURE;
	if (is_numastat(argv[0]))
		return close_stdout(stat_numastat_main(argc, argv));
	return close_stdout(dispatch(argc, argv));
}
