/* SPDX-License-Identifier: MIT */
/*
 * What the command line of numatally stat asks for.
 *
 * With numastat's options alone, and --root, it prints numastat's tables. Any
 * other option selects our own formats, in which numastat's options keep their
 * meaning: -m and -n select figures of nodes, -p and operands select processes,
 * -v asks for more, -z leaves zeros out, -s sorts.
 */
#ifndef TOOL_STAT_STAT_H
#define TOOL_STAT_STAT_H

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

/* A process, or a pattern for several, from -p or an operand. */
struct stat_process_name {
	const char *text;
	bool digits; /* a PID, not a pattern */
	pid_t pid;   /* of digits; 0: out of range */
};

struct stat_options {
	const char *program; /* argv[0], for messages that numastat has too */
	bool plain;	     /* no operands, and no option but --root */
	bool compress;	     /* -c */
	bool meminfo;	     /* -m */
	bool counters;	     /* -n */
	bool verbose;	     /* -v */
	bool skip_zeros;     /* -z */
	bool sort;	     /* -s */
	int sort_node;	     /* -sN; -1: by the total */
	bool sort_unknown;   /* -s has what is no node's number */
	bool numastat;	     /* under that name */
	const struct stat_process_name *names; /* in their order */
	size_t nr_names;
	const char *root; /* NULL: this machine */

	bool own; /* in our own formats; the members below are theirs */
	bool json;
	bool csv;
	bool long_format;
	int64_t interval_ns; /* 0: once */
	uint64_t count;	     /* 0: without end */
	enum stat_by by;     /* by process if the command line names some */
	const int *nodes;    /* --nodes, ascending, each once; NULL: all */
	size_t nr_nodes;
	unsigned int top; /* 0: all */
};

/* Print nodes, or processes, cgroups and users, in our own formats: output on
 * stdout, errors on stderr. Returns the exit status, 1 if a row is missing. */
int stat_nodes_main(const struct stat_options *o);
int stat_usage_main(const struct stat_options *o);

#endif
