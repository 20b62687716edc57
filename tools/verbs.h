/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the tool, each in tools/VERB.c, each with its line in the table
 * in tools/numatally.c.
 *
 * A verb is called with argv[0] "numatally VERB" (getopt's messages, warn()
 * and warnx() begin with it) and returns the exit status: 0, 1 for a failure,
 * or what usage_help() and usage_error() return. It parses its options itself,
 * with getopt_long(), from a fresh optind.
 */
#ifndef VERBS_H
#define VERBS_H

/* Prints help on stdout; returns the exit status 0. */
int usage_help(const char *help);

/* Prints help's first paragraph, its "Usage: ..." lines, on stderr, and where
 * to find more; returns the exit status 2. What is wrong has been said. */
int usage_error(const char *help);

int check_main(int argc, char **argv);
int ls_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int run_main(int argc, char **argv);
int save_main(int argc, char **argv);
int show_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int topo_main(int argc, char **argv);

/* The same under the name numastat: options, usage and exit status as that
 * program has them; argv[0] is the name as it was called. */
int stat_numastat_main(int argc, char **argv);

#endif
