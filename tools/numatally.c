// SPDX-License-Identifier: MIT
/*
 * numatally VERB: has numastat's tables, and executes numatally-verbs for all
 * else. Under the name numastat it is that program.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "stat.h"
#include "verbs.h"

static const char usage[] =
	"Usage: numatally [--help] [--version] VERB [OPTION]...\n"
	"\n"
	"Accounts of resources per NUMA node.\n"
	"\n";

/* The verb and what follows it, as it was: getopt reorders. */
static char **verb_line;

/* ---- numatally-verbs ------------------------------------------------------ */

/* Where our own program is; false: nobody knows. Without /proc, the kernel says
 * by what path it was executed. */
static bool own_directory(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address */
	const char *name = (const char *)getauxval(AT_EXECFN);
	char *slash;

	if (n >= PATH_MAX || (n < 0 && (!name || !realpath(name, path))))
		return false;
	if (n >= 0)
		path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static void try_verbs(char **argv, const char *dir, const char *below)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/numatally-verbs", dir, below);
	execv(path, argv);
	if (errno != ENOENT && errno != ENOTDIR)
		warn("%s", path);
}

/* Returns where it fails, with an exit status. */
static int exec_verb(char **line)
{
	static char name[] = "numatally";
	char dir[PATH_MAX];
	size_t nr = 0;
	char **argv;

	while (line[nr])
		nr++;
	argv = calloc(nr + 2, sizeof(*argv));
	if (!argv)
		err(EXIT_FAILURE, NULL);
	argv[0] = name;
	memcpy(argv + 1, line, nr * sizeof(*argv));
	/* Beside us where we were built, or below the same prefix. */
	if (own_directory(dir)) {
		try_verbs(argv, dir, "");
		try_verbs(argv, dir, "/../libexec/numatally");
	}
	try_verbs(argv, PKGLIBEXECDIR, "");
	free(argv);
	warnx("numatally-verbs: %s", strerror(errno));
	/* That of run says that no command failed. */
	return strcmp(line[0], "run") != 0 ? EXIT_FAILURE : 125;
}

int stat_run(const struct stat_options *o)
{
	return o->own ? exec_verb(verb_line) : stat_compat_main(o);
}

/* ---- verbs ---------------------------------------------------------------- */

static int print_help(void)
{
	usage_help(usage);
#define VERB(name, summary) printf("  %-8s  %s\n", #name, summary);
	VERBS(VERB)
#undef VERB
	puts("\n'numatally VERB --help' says more about a verb.");
	return EXIT_SUCCESS;
}

static bool is_verb(const char *text)
{
#define VERB(name, summary)       \
	if (!strcmp(text, #name)) \
		return true;
	VERBS(VERB)
#undef VERB
	return false;
}

static int begin_verb(int argc, char **argv)
{
	char **line;

	if (!is_verb(argv[0])) {
		warnx("no such verb: '%s'", argv[0]);
		return usage_error(usage);
	}
	if (strcmp(argv[0], "stat") != 0)
		return exec_verb(argv);
	line = calloc((size_t)argc + 1, sizeof(*line));
	if (!line)
		err(EXIT_FAILURE, NULL);
	memcpy(line, argv, (size_t)argc * sizeof(*line));
	verb_line = line;
	return run_verb(stat_main, argc, argv);
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
	return begin_verb(argc - optind, argv + optind);
}

/* A link of that name is installed with --enable-numastat. */
static bool is_numastat(const char *program)
{
	const char *slash = strrchr(program, '/');

	return !strcmp(slash ? slash + 1 : program, "numastat");
}

/* The locale is set where a text needs it, which most have no need of. */
int main(int argc, char **argv)
{
	occupy_standard_files();
	if (argc < 1)
		return EXIT_FAILURE;
	if (is_numastat(argv[0]))
		return close_stdout(stat_numastat_main(argc, argv));
	return close_stdout(dispatch(argc, argv));
}
