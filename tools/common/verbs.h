/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the tool, one line each; a verb() is a function, a program() a
 * program of its own, numatally-VERB.
 *
 * The tool is several programs. numatally prints numastat's tables, and needs no
 * shared library, so that it starts as fast as numastat; it executes
 * numatally-verbs for all else, or a verb's own program, which needs libraries that
 * the others do without.
 *
 * A verb is called with argv[0] "numatally VERB", with which getopt, warn() and
 * warnx() begin their messages, and with a fresh optind. It returns the exit
 * status: 0, 1 for a failure, 2 for wrong usage (see opt.h).
 */
#ifndef TOOL_COMMON_VERBS_H
#define TOOL_COMMON_VERBS_H

/* clang-format off */
#ifdef HAVE_LIBARCHIVE
#define CAPTURE(program) \
	program(capture, "pack what topo, stat and top read, for --root")
#else
#define CAPTURE(program)
#endif
#define VERBS(verb, program) \
	program(run, "account a command and its descendants per node") \
	verb(stat, "show what Linux counts per node, as numastat does") \
	verb(top, "show nodes, and what uses them, live") \
	verb(topo, "show nodes: CPUs, memory, distances, tiers") \
	verb(ls, "list the ledgers on this machine") \
	verb(show, "show a ledger per node") \
	verb(check, "check the placement and integrity of a ledger") \
	verb(save, "save a ledger as an ordinary file") \
	verb(rm, "remove a ledger") \
	verb(watch, "wait until amounts of a ledger cross thresholds") \
	verb(replay, "drive a trace of jobs through the library") \
	verb(completion, "print what bash completes numatally with") \
	CAPTURE(program) \
	program(agent, "keep a ledger of every cgroup, per node") \
	program(export, "export ledgers to Prometheus and others")
#define VERB_NOT(name, summary)
/* clang-format on */

#define VERB_MAIN(name, summary) int name##_main(int argc, char **argv);
VERBS(VERB_MAIN, VERB_NOT)
#undef VERB_MAIN

/* numatally stat with numastat's tables. Returns the exit status, or -1 if the
 * options select another format. */
int stat_tables_main(int argc, char **argv);

/* numastat: options, usage and exit status are that program's; argv[0] is the
 * name as it was called. */
int stat_numastat_main(int argc, char **argv);

/* ---- around a verb --------------------------------------------------------- */

/* Keep files that a verb opens from becoming stdin, stdout or stderr. These
 * stay closed for a command that the verb executes. */
void occupy_standard_files(void);

/* Call a verb as described above. */
int run_verb(int (*verb)(int argc, char **argv), int argc, char **argv);

struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
};

/* The main() of a program that numatally executes for @verbs, which end with one
 * without a name. */
int program_main(const struct verb *verbs, int argc, char **argv);

#endif
