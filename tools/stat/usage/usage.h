/* SPDX-License-Identifier: MIT */
/*
 * numatally stat by process, cgroup or user.
 *
 * A row is a process, or the sum of the processes of a user or a cgroup. A
 * cgroup's memory is the kernel's own account if it has one. Rows point into
 * lists of the library, which are valid until the next reading.
 */
#ifndef TOOL_STAT_USAGE_USAGE_H
#define TOOL_STAT_USAGE_USAGE_H

#include <numatally/kernel_group.h>
#include <numatally/kernel_process.h>
#include <numatally/topo.h>

#include "common/output.h"
#include "common/user.h"
#include "stat/stat.h"
#include "stat/again.h"

struct usage_row {
	const struct tally_process_row *process; /* by process */
	/* By user or cgroup; NULL: the cgroup has no process. */
	const struct tally_process_sum *sum;
	const struct tally_group_row *group; /* NULL: no account */
	const char *cgroup;
	int64_t key;  /* to sort by */
	int64_t *now; /* bytes, by usage.nodes; or TALLY_UNKNOWN */
	/* At the reading before; NULL: the row is new. */
	const struct usage_seen *before;
};

/* A row at the reading before. */
struct usage_seen {
	uint64_t number; /* PID, or UID */
	uint64_t start_ticks;
	char *cgroup; /* NULL: no cgroup */
	int64_t cpu_ns;
	int64_t *bytes; /* by usage.nodes; or TALLY_UNKNOWN */
};

struct usage_look {
	int64_t time_ns;
	struct usage_seen *seen;
	unsigned int nr;
};

struct usage {
	const struct stat_options *o;
	struct tally_topo *topo;	       /* NULL: unreadable */
	struct tally_process_stats *processes; /* NULL: cgroups alone */
	struct tally_groups *groups; /* NULL: not by cgroup, or none */
	struct usage_row *rows;	     /* in order */
	unsigned int nr_rows;
	unsigned int nr_left; /* rows that --top leaves out */
	size_t room_rows;
	int64_t *bytes; /* of all rows */
	size_t room_bytes;
	int *nodes; /* shown, ascending */
	unsigned int nr_nodes;
	size_t room_nodes;
	/* The sum of all processes, each page once. */
	struct tally_process_sum all;
	struct tally_process_node *all_nodes;
	struct usage_look before;
	int64_t time_ns;
	int64_t real_ns;    /* since the epoch; TALLY_UNKNOWN: captured */
	int64_t elapsed_ns; /* since the reading before, or 0 */
	uint64_t nr_looks;
	int reported; /* a checksum of the errors that were reported last */
	bool failed;
};

/* ---- rows ------------------------------------------------------------------ */

/* Choose the rows and nodes to show. Returns 0 or -ENOMEM. */
int usage_choose(struct usage *u);
/* Keep rows for the next reading to compare with. Returns 0 or -ENOMEM. */
int usage_remember(struct usage *u);
void usage_forget(struct usage_look *look);
void usage_free_rows(struct usage *u);

/* Set *@n to the use of a node, or of all (-1), by the row's processes; the upper
 * bounds include what is of no known node. False: it has no processes. */
bool usage_node(const struct usage_row *row, int node,
		struct tally_process_node *n);

/* Whether the memory of the row's processes on a node, or on all (-1), is known. */
bool usage_knows(const struct usage_row *row, int node);

/* A row's memory on a node, or on all (-1): the kernel's account, or the sum of
 * its processes. False: unknown. */
bool usage_memory(const struct usage *u, const struct usage_row *row, int node,
		  struct tally_mem_figure *figure);

/* Kinds of memory in the kernel's account of a cgroup, disjoint, on a node or on
 * all (-1), in bytes; TALLY_UNKNOWN: this version has none. */
enum usage_charge {
	USAGE_ANONYMOUS,
	USAGE_FILE,
	USAGE_SHARED,
	USAGE_KERNEL,
	USAGE_CHARGED, /* all of these */
	USAGE_NR_CHARGES,
};
int64_t usage_charged(const struct usage *u, const struct usage_row *row,
		      int node, enum usage_charge charge);

/* The change of a row's memory on the node with this index since the reading
 * before; TALLY_UNKNOWN. */
int64_t usage_change(const struct usage_row *row, unsigned int index);

/* Amounts; TALLY_UNKNOWN. */
int64_t usage_cpu_ns(const struct usage_row *row);
int64_t usage_cpu_change(const struct usage_row *row);
int64_t usage_threads(const struct usage_row *row);
int64_t usage_swap(const struct usage_row *row);
int usage_row_error(const struct usage_row *row);
bool usage_is_exact(const struct tally_mem_figure *f);

/* Whether nobody knows the figure, a part of @whole: its bounds are more than half
 * of that apart. */
bool usage_is_open(const struct tally_mem_figure *f,
		   const struct tally_mem_figure *whole);

/* Whether accounts are in pages of unknown size. */
bool usage_lacks_size(const struct usage *u);

/* Whether the kernel keeps an account of any cgroup. */
bool usage_has_accounts(const struct usage *u);

/* The user's name, or the UID: a captured machine's users have no names. */
const char *usage_user(const struct usage *u, uid_t uid, char buf[USER_NAME]);

/* Saturates. */
static inline int64_t usage_add(int64_t a, int64_t b)
{
	int64_t sum;

	return !__builtin_add_overflow(a, b, &sum) ? sum
	       : b > 0				   ? INT64_MAX
						   : -INT64_MAX;
}

/* ---- output ---------------------------------------------------------------- */

/* Write a reading. Return 0, or -ENOMEM with no message. */
int usage_table(struct usage *u);
int usage_lines(struct usage *u); /* --csv and --long */
void usage_json(const struct usage *u);

#endif
