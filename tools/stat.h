/* SPDX-License-Identifier: MIT */
/*
 * numatally stat: what its command line says, and the parts that answer it.
 *
 * numastat's options choose numastat's tables; any option that numastat doesn't
 * have, but for --root, chooses our own output, in which numastat's options
 * keep their sense: -m and -n choose figures of nodes, -p and operands choose
 * processes, -v asks for more, -z leaves zeros out, -s sorts.
 */
#ifndef STAT_H
#define STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum stat_by {
	STAT_BY_NODE,
	STAT_BY_PROCESS,
	STAT_BY_CGROUP,
	STAT_BY_USER,
};

/* What -p or an operand names. */
struct stat_who {
	const char *text; /* as it was written */
	bool digits;	  /* a PID, not a pattern */
	pid_t pid;	  /* of digits; 0: no process can have that one */
};

struct stat_options {
	const char *program; /* argv[0], for texts that have numastat's form */
	bool plain;	     /* neither an option but --root, nor an operand */
	bool compress;	     /* -c */
	bool meminfo;	     /* -m */
	bool counters;	     /* -n */
	bool verbose;	     /* -v */
	bool skip_zeros;     /* -z */
	bool sort;	     /* -s */
	int sort_node;	     /* -sN; -1: by the total */
	const struct stat_who *who; /* in the order of the command line */
	size_t nr_who;
	const char *root; /* NULL: this machine */

	bool own; /* our own output, not numastat's; what follows is of it */
	bool json;
	bool csv;
	bool long_format;
	int64_t interval_ns; /* 0: once */
	uint64_t count;	     /* 0: without end */
	enum stat_by by;     /* PROCESS where somebody is named */
	const int *nodes;    /* --nodes, ascending, each once; NULL: all */
	size_t nr_nodes;
	unsigned int top; /* 0: all */
};

/*
 * The parts, each in tools/stat_PART*.c: each prints what it is asked for on
 * stdout, what it can't have on stderr, and returns the exit status, 1 where a
 * row is missing. The options live until it returns.
 */
int stat_nodes_main(const struct stat_options *o); /* own, by node */
int stat_usage_main(const struct stat_options *o); /* own, by all else */

/* Calls the part: numastat's tables in numatally, all else in numatally-verbs,
 * which see. */
int stat_run(const struct stat_options *o);

/* numastat's tables. */
int stat_compat_main(const struct stat_options *o);

#endif
