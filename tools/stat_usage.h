/* SPDX-License-Identifier: MIT */
/*
 * numatally stat by process, cgroup or user: what is read, what of it is shown,
 * and how.
 *
 * A row is a process, or the processes of a user or a cgroup; of a cgroup the
 * kernel's own account too, where there is one, which is then what its memory
 * is. Rows point into the lists, which live until the next look.
 */
#ifndef STAT_USAGE_H
#define STAT_USAGE_H

#include <numatally/kernel_group.h>
#include <numatally/kernel_process.h>
#include <numatally/topo.h>

#include "output.h"
#include "stat.h"
#include "stat_again.h"

struct usage_row {
	const struct tally_process_row *process; /* by process */
	/* By user; by cgroup, NULL where no process is in it. */
	const struct tally_process_sum *sum;
	const struct tally_group_row *group; /* NULL: no account of it */
	const char *cgroup;
	int64_t key;  /* what it is sorted by */
	int64_t *now; /* bytes, by node as in usage.nodes */
	/* As of the look before; NULL: it was not there. */
	const struct usage_seen *before;
};

/* What a row was. */
struct usage_seen {
	uint64_t number; /* the process's or the user's */
	uint64_t start_ticks;
	char *cgroup; /* NULL: no cgroup */
	int64_t cpu_ns;
	int64_t *bytes; /* by node as in usage.nodes */
};

struct usage_look {
	int64_t time_ns;
	struct usage_seen *seen;
	unsigned int nr;
};

struct usage {
	const struct stat_options *o;
	struct tally_topo *topo; /* NULL: not to be had */
	struct tally_processes *processes;
	struct tally_groups *groups; /* NULL: not asked for, or there are none */
	struct usage_row *rows;	     /* in the order to be shown */
	unsigned int nr_rows;
	unsigned int nr_left; /* that --top leaves out */
	unsigned int max_rows;
	int64_t *bytes; /* of all rows */
	int *nodes;	/* ascending: those that are shown */
	unsigned int nr_nodes;
	/* All processes, each page once. */
	struct tally_process_sum all;
	struct tally_process_node *all_nodes;
	struct usage_look before;
	int64_t time_ns;
	int64_t elapsed_ns; /* since the look before; 0: this is the first */
	uint64_t nr_looks;
	int said; /* the errors that were said last, as a sum of sorts */
	bool failed;
};

/* ---- rows ------------------------------------------------------------------ */

/* Chooses rows and nodes, of what was read. -ENOMEM */
int usage_choose(struct usage *u);
/* Keeps what rows are, for the next look to compare with. -ENOMEM */
int usage_remember(struct usage *u);
void usage_forget(struct usage_look *look);
void usage_free_rows(struct usage *u);

/* What its processes have on a node, or nothing; -1: in all. NULL: it has no
 * processes. */
const struct tally_process_node *usage_node(const struct usage_row *row,
					    int node);

/* Its memory there: the kernel's account, or what its processes have. False:
 * not known. */
bool usage_memory(const struct usage *u, const struct usage_row *row, int node,
		  struct tally_mem_figure *figure);

/* The kernel's account of kinds of memory, disjoint, in bytes; TALLY_UNKNOWN
 * where this version has none. Node -1: in all. */
enum usage_charge {
	USAGE_ANONYMOUS,
	USAGE_FILE,
	USAGE_SHARED,
	USAGE_KERNEL,
	USAGE_CHARGED, /* in all */
	USAGE_NR_CHARGES,
};
int64_t usage_charged(const struct usage *u, const struct usage_row *row,
		      int node, enum usage_charge charge);

int64_t usage_cpu_ns(const struct usage_row *row);
int64_t usage_swap(const struct usage_row *row);
int usage_row_error(const struct usage_row *row);
bool usage_is_exact(const struct tally_mem_figure *f);

/* "root", or the number; a captured machine's have numbers. */
const char *usage_user(const struct usage *u, uid_t uid, char buf[64]);

/* What is too large stays the largest that there is. */
static inline int64_t usage_add(int64_t a, int64_t b)
{
	int64_t sum;

	return !__builtin_add_overflow(a, b, &sum) ? sum
	       : b > 0				   ? INT64_MAX
						   : -INT64_MAX;
}

/* ---- output ---------------------------------------------------------------- */

/* Each writes a look. 0, or -errno where it is not yet said. */
int usage_table(struct usage *u);
int usage_json(struct usage *u);
int usage_lines(struct usage *u); /* --csv and --long */

#endif
