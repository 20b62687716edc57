// SPDX-License-Identifier: MIT
/* numatally stat with numastat's options alone, and numastat itself. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/root.h"
#include "common/verbs.h"
#include "stat/line.h"
#include "stat/numastat/internal.h"

int stat_tables_main(int argc, char **argv)
{
	struct stat_line line;
	int status;

	stat_line_begin(&line, argc, argv);
	status = stat_line_parse(&line, argc, argv);
	if (status < 0 && !line.o.own)
		status = root_open(&line.o.root) ? EXIT_FAILURE
						 : numastat_tables(&line.o);
	stat_line_end(&line);
	return status;
}

static int usage(const char *program)
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

static int parse(struct stat_line *line, int argc, char **argv)
{
	static const struct option none[] = {
		{"help", no_argument, NULL, '?'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	line->o.numastat = true;
	line->o.plain = argc == 1;
	while ((opt = getopt_long(argc, argv, STAT_LETTERS "?", none, NULL)) !=
	       -1) {
		if (opt == 'V')
			return stat_line_version(line);
		if (!stat_line_letter(line, opt))
			return usage(argv[0]);
	}
	for (; optind < argc; optind++)
		stat_line_process(line, argv[optind]);
	return -1;
}

int stat_numastat_main(int argc, char **argv)
{
	struct stat_line line;
	int status;

	stat_line_begin(&line, argc, argv);
	status = parse(&line, argc, argv);
	if (status < 0)
		status = numastat_tables(&line.o);
	stat_line_end(&line);
	return status;
}
