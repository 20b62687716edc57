/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the tool, each in tools/VERB.c, each with its line here.
 *
 * The tool is two programs: numatally, which has numastat's tables and starts
 * as fast as numastat does, since it needs no shared library but libc; and
 * numatally-verbs, which it executes for everything else. A verb is called with
 * argv[0] "numatally VERB" (getopt's messages, warn() and warnx() begin with
 * it) and returns the exit status: 0, 1 for a failure, or what usage_help() and
 * usage_error() return. It parses its options itself, with getopt_long(), from
 * a fresh optind.
 */
#ifndef VERBS_H
#define VERBS_H

/* clang-format off */
#define VERBS(verb) \
	verb(run, "accounts a command and its descendants") \
	verb(ls, "the ledgers on this machine") \
	verb(show, "a ledger, per node") \
	verb(check, "a ledger's placement and integrity") \
	verb(stat, "what Linux counts per node, as numastat does") \
	verb(top, "nodes, and what uses them, live") \
	verb(topo, "nodes, their CPUs, memory, distances, tiers") \
	verb(save, "a ledger, as an ordinary file") \
	verb(replay, "a trace of jobs, driven through the library")
/* clang-format on */

#define VERB_MAIN(name, summary) int name##_main(int argc, char **argv);
VERBS(VERB_MAIN)
#undef VERB_MAIN

/* The same under the name numastat: options, usage and exit status as that
 * program has them; argv[0] is the name as it was called. */
int stat_numastat_main(int argc, char **argv);

/* Prints help on stdout; returns the exit status 0. */
int usage_help(const char *help);

/* Prints help's first paragraph, its "Usage: ..." lines, on stderr, and where
 * to find more; returns the exit status 2. What is wrong has been said. */
int usage_error(const char *help);

/* ---- around a verb -------------------------------------------------------- */

/*
 * A file that a verb opens must not become its stdin, stdout or stderr. What
 * was closed stays closed for a command that we execute.
 */
void occupy_standard_files(void);

/* Output that did not arrive is a failure: the exit status. */
int close_stdout(int status);

/* Calls a verb's main as it says above. */
int run_verb(int (*verb)(int argc, char **argv), int argc, char **argv);

#endif
