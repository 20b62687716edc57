/* SPDX-License-Identifier: MIT */
/* What the parts of numastat's tables share. */
#ifndef STAT_COMPAT_H
#define STAT_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel_node.h>

#include "stat.h"
#include "stat_table.h"

/* What is printed, and of which nodes. */
struct stat_compat {
	const struct stat_options *o;
	struct tally_nodes *nodes;
	unsigned int width;
	bool ok; /* nothing is missing so far */
};

/* Heads of columns: so many nodes, and the total, unless the table is bare. */
void stat_compat_heads(struct stat_table *t, const int *ids, unsigned int nr);

/* The column that rows are sorted by, of these. */
unsigned int stat_compat_column(const struct stat_options *o, const int *ids,
				unsigned int nr);

/* The numbers of all nodes. The caller frees them. */
int *stat_compat_ids(const struct stat_compat *c, unsigned int *nr);

/* The tables: the memory of nodes, their counters, the memory of processes. */
void stat_compat_meminfo(struct stat_compat *c);
void stat_compat_counters(struct stat_compat *c);
void stat_compat_processes(struct stat_compat *c);

/* ---- processes ------------------------------------------------------------ */

/* The rows of a process's table. */
enum stat_kind {
	STAT_HUGE,
	STAT_HEAP,
	STAT_STACK,
	STAT_PRIVATE,
	STAT_NR_KINDS,
};

struct stat_share {
	int node;
	int64_t bytes[STAT_NR_KINDS];
};

/* A process that was named or found, and its memory. */
struct stat_process {
	pid_t pid;
	bool named;		   /* by its number: it has to be there */
	char *name;		   /* printable */
	struct stat_share *shares; /* of nodes, as they came */
	unsigned int nr_shares;
};

struct stat_processes {
	struct stat_process *p; /* ascending */
	size_t nr;
	size_t cap;
};

/*
 * Who is meant, ascending, each once. False: some number or pattern is nobody,
 * which was said.
 */
bool stat_find(const struct stat_options *o, struct stat_processes *all);
void stat_processes_free(struct stat_processes *all);

/*
 * Reads the memory of them, and drops those that ended meanwhile. False: some
 * could not be read, which was said.
 */
bool stat_processes_read(const struct stat_options *o,
			 struct stat_processes *all);

/* ---- files ---------------------------------------------------------------- */

/* Opens the proc directory that is meant. -1, with errno. */
int stat_open_proc(const char *root);

/* Reads the beginning of proc's file, which ends with a NUL then. The number
 * of bytes, or -1, with errno. */
ssize_t stat_read_file(int proc, const char *name, char *buf, size_t size);

/* The name in a status file's text, in place, escaped as it is there; NULL:
 * there is none. */
char *stat_name(char *text);

#endif
