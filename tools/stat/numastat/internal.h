/* SPDX-License-Identifier: MIT */
/* What the files of numastat's tables share. */
#ifndef TOOL_STAT_NUMASTAT_INTERNAL_H
#define TOOL_STAT_NUMASTAT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel_node.h>

#include "stat/stat.h"
#include "stat/numastat/table.h"

struct numastat {
	const struct stat_options *o;
	struct tally_node_stats *nodes;
	unsigned int width; /* of lines */
	bool ok;	    /* no row is missing */
};

/* Print all tables that the options ask for. Returns the exit status. */
int numastat_tables(const struct stat_options *o);

/* Print one kind of table. */
void numastat_meminfo(struct numastat *c);
void numastat_counters(struct numastat *c);
void numastat_processes(struct numastat *c);

/* ---- columns --------------------------------------------------------------- */

/* Set the heads of @nr nodes and, unless the table is bare, of the total. */
void numastat_heads(struct stat_table *t, const int *ids, unsigned int nr);

/* Find the column to sort by. Returns @nr, the total, if -s names no node of
 * @ids. */
unsigned int numastat_column(const struct stat_options *o, const int *ids,
			     unsigned int nr);

/* The numbers of all nodes. The caller frees them. */
int *numastat_ids(const struct numastat *c, unsigned int *nr);

/* ---- processes ------------------------------------------------------------- */

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

struct stat_process {
	pid_t pid;
	bool named;		   /* by its PID: it is an error if it ended */
	char *name;		   /* printable */
	struct stat_share *shares; /* by node, in no order */
	unsigned int nr_shares;
};

struct stat_processes {
	struct stat_process *p; /* by PID */
	size_t nr;
	size_t room;
};

/* Find the processes that the command line names, each once. False: a name has
 * no process; an error was printed. */
bool numastat_find(const struct stat_options *o, struct stat_processes *all);
void numastat_processes_free(struct stat_processes *all);

/* Read their memory, and drop those that have ended. False: some can't be read;
 * an error was printed. */
bool numastat_processes_read(const struct stat_options *o,
			     struct stat_processes *all);

/* ---- procfs ---------------------------------------------------------------- */

/* Open /proc, or the one below @root. Returns -1, with errno, on failure. */
int numastat_open_proc(const char *root);

/* Open a file of proc for reading. Returns -1, with errno, on failure; EBADMSG: it
 * is no regular file. */
int numastat_open(int proc, const char *name);

/* The process of the thread with this number; @pid if that is not known. */
pid_t numastat_process_of(int proc, pid_t pid);

/* read(2), again after a signal. */
ssize_t numastat_read(int fd, char *buf, size_t size);

/* Read the beginning of a file of proc, and end it with a NUL byte. Returns its
 * bytes, or -1 with errno. */
ssize_t numastat_read_file(int proc, const char *name, char *buf, size_t size);

/* Read a process's name, which then lies in @buf; a captured process may lack its
 * status. The kernel's escapes stay. NULL: it has none. */
char *numastat_process_name(int proc, pid_t pid, char *buf, size_t size);

#endif
