// SPDX-License-Identifier: MIT
/*
 * numatally VERB: prints numastat's tables, and executes numatally-verbs for
 * all else. Under the name numastat it takes that program's options.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/beside.h"
#include "common/opt.h"
#include "common/stdout.h"
#include "common/verbs.h"

static const char usage[] = "Usage: numatally VERB [OPTION]...\n"
			    "       numatally help [VERB]\n"
			    "       numatally --help | --version\n"
			    "\n"
			    "Accounts of resources per NUMA node.\n"
			    "\n";

/* ---- numatally-verbs ------------------------------------------------------ */

static const char *program_of(const char *verb)
{
#define VERB(name, summary)       \
	if (!strcmp(verb, #name)) \
		return "numatally-" #name;
	VERBS(VERB_NOT, VERB)
#undef VERB
	return "numatally-verbs";
}

/* line[0] is the verb. Returns only on failure: the exit status. */
static int exec_verb(char **line)
{
	static char name[] = "numatally";
	size_t nr = 0;
	char **argv;

	do
		nr++;
	while (line[nr]);
	argv = calloc(nr + 2, sizeof(*argv));
	if (!argv)
		err(EXIT_FAILURE, NULL);
	argv[0] = name;
	memcpy(argv + 1, line, nr * sizeof(*argv));
	beside_exec(program_of(line[0]), argv);
	free(argv);
	/* run's own failures are 125, unlike its command's. */
	return strcmp(line[0], "run") != 0 ? EXIT_FAILURE : 125;
}

/* ---- verbs ---------------------------------------------------------------- */

static void print_help(FILE *f)
{
	fputs(usage, f);
#define VERB(name, summary) fprintf(f, "  %-10s  %s\n", #name, summary);
	VERBS(VERB, VERB)
#undef VERB
	fputs("\n'numatally help VERB' describes a verb, and so does "
	      "numatally-VERB(1).\n",
	      f);
}

static bool is_verb(const char *text)
{
#define VERB(name, summary)       \
	if (!strcmp(text, #name)) \
		return true;
	VERBS(VERB, VERB)
#undef VERB
	return false;
}

/* getopt reorders its arguments, so that the verb's program gets a copy. */
static int run_stat(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));
	int status;

	if (!copy)
		err(EXIT_FAILURE, NULL);
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	status = run_verb(stat_tables_main, argc, copy);
	if (status < 0)
		status = exec_verb(argv);
	free(copy);
	return status;
}

#define VERB_NAME(name, summary) " " #name

static int begin_verb(int argc, char **argv);

/* numatally help VERB is numatally VERB --help. */
static int begin_help(int argc, char **argv)
{
	static char option[] = "--help";
	char *line[] = {argv[1], option, NULL};

	if (argc > 2)
		return opt_invalid(argv[2]);
	if (argc == 2 && strcmp(argv[1], "help") != 0)
		return begin_verb(2, line);
	print_help(stdout);
	return EXIT_SUCCESS;
}

static int begin_verb(int argc, char **argv)
{
	if (!strcmp(argv[0], "help"))
		return begin_help(argc, argv);
	if (!is_verb(argv[0]))
		return opt_error(
			"no verb '%s'; verbs are:" VERBS(VERB_NAME, VERB_NAME),
			argv[0]);
	return strcmp(argv[0], "stat") != 0 ? exec_verb(argv)
					    : run_stat(argc, argv);
}

static int dispatch(int argc, char **argv)
{
	static const struct option options[] = {
		OPT_END,
	};
	static char name[] = "numatally";
	int opt;

	program_invocation_short_name = name;
	argv[0] = name;
	while ((opt = getopt_long(argc, argv, "+V" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt != 'h')
			return opt_common(opt == 'V' ? OPT_VERSION : opt, NULL);
		print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (optind == argc) {
		print_help(stderr);
		return 2;
	}
	return begin_verb(argc - optind, argv + optind);
}

/* A link of that name is installed with --enable-numastat. */
static bool is_numastat(const char *program)
{
	const char *slash = strrchr(program, '/');

	return !strcmp(slash ? slash + 1 : program, "numastat");
}

/* No setlocale() here: it takes as long as a table, and few need it. */
int main(int argc, char **argv)
{
	occupy_standard_files();
	if (argc < 1)
		return EXIT_FAILURE;
	if (is_numastat(argv[0]))
		return stdout_close(stat_numastat_main(argc, argv));
	return stdout_close(dispatch(argc, argv));
}
