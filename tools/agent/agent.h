/* SPDX-License-Identifier: MIT */
/*
 * What the files of the agent share.
 *
 *	groups.c   which cgroups there are, and the account of each
 *	cpu.c      CPU time, switches and migrations of each
 *	spread.c   CPU time of version 2 without BPF
 *	memory.c   memory of each, by kind
 *	node.c     what Linux counts of the nodes themselves
 *	agent.c    options, and round after round of these
 *
 * An account has what its cgroup used itself. What it used with those in it is the
 * sum over their accounts, whose keys begin with its own; so the sum over all
 * accounts counts nothing twice.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <numatally/kernel_events.h>
#include <numatally/kernel_group.h>
#include <numatally/kernel_node.h>
#include <numatally/topo.h>

#include "agent/book.h"
#include "agent/hierarchy.h"
#include "count/counter.h"

enum {
	CPU_NS,
	CPU_FAULTS,
	CPU_SWITCHES,
	CPU_MIGRATIONS,
	CPU_ESTIMATE, /* CPU time whose node is one */
	NR_CPU,
};

struct group {
	LIST_ENTRY(group) link;
	uint64_t id; /* in the hierarchy of CPU time; 0: it is not there */
	char *path;  /* NULL: not known */
	struct tally_account account;
	bool has_cpu;	  /* it is in the hierarchy of CPU time */
	bool has_memory;  /* and in that of memory */
	bool found;	  /* by the walk, or reading, under way */
	bool shares;	  /* its account is "other" */
	int64_t ended_ns; /* 0: it lives */
	/* By node and CPU_…: what was counted of it, all in all. */
	int64_t (*cpu)[NR_CPU];
	/* Without BPF: with what is in it, of version 1 by node. */
	int64_t *usage, *change;
	/* Of version 2 without BPF. */
	int64_t own_ns;		     /* not spread yet */
	int64_t recent_ns;	     /* used lately */
	bool has_parts;		     /* there are cgroups in it */
	struct tally_events *events; /* NULL: others used more */
	int64_t *seen, *weights;     /* by node: in events; for spreading */
	int64_t *ran;	 /* by node: CPU time, that of late with more weight */
	int64_t ran_ns;	 /* on all nodes, when it was weighed last */
	int64_t *memory; /* by node and kind, as the account has it; NULL: not
			    known */
};
LIST_HEAD(group_list, group);
#define EACH_GROUP(a, g) \
	for ((g) = LIST_FIRST(&(a)->groups); (g); (g) = LIST_NEXT(g, link))

struct memory_kind;

struct agent {
	/* Options. */
	const char *name;
	int64_t interval_ns, keep_ns;
	int version;
	bool no_bpf;

	struct book book;
	struct tally_topo *topo;
	int64_t now_ns; /* when the round began */
	int err;	/* of the round before */

	/* groups.c */
	struct group_list groups;
	void *by_id, *by_path; /* of tsearch(3) */
	bool walk;	       /* look at all of them again */
	bool reread;	       /* and at the machine */
	bool has_other;
	struct tally_account other;
	bool complained; /* of an account that can't be had */

	/* cpu.c */
	struct tally_group_mount hierarchy; /* version 0: none */
	struct counter *counter;	    /* by BPF; NULL: none */
	int64_t *cpus;			    /* room for one reading of usage */
	int64_t (*sums)[NR_CPU];	    /* and of one cgroup, by node */
	int cpu_columns[NR_CPU];	    /* -1: not kept */
	bool begun; /* what was used before the first round counts not */
	unsigned int nr_events, most_events; /* cgroups with perf events */
	bool in_proc; /* /proc has the numbers of threads that cgroups have */
	int event_err;

	/* memory.c */
	struct tally_groups *memory;
	struct memory_kind *kinds;
	unsigned int nr_kinds;
	int64_t *own; /* by row, node and kind */
	size_t own_room;
	int memory_err;

	/* node.c */
	struct tally_node_stats *stats;
	struct tally_account machine;
	int64_t *counted; /* by node and figure, as Linux counted it last */
	int stats_err;
};

/* ---- groups.c ------------------------------------------------------------- */

struct group *group_by_id(const struct agent *a, uint64_t id);
struct group *group_by_path(const struct agent *a, const char *path);

/* Find or add a cgroup that is in the hierarchy of CPU time (@id) or of memory
 * (0). */
int group_open(struct agent *a, uint64_t id, const char *path,
	       struct group **group);
/* Add one that ended before its path was known, or has none here. */
int group_open_other(struct agent *a, uint64_t id, struct group **group);

/* Look through the hierarchy of CPU time. */
int groups_walk(struct agent *a);
/* Take over what an earlier agent left of cgroups that are gone. */
int groups_begin(struct agent *a);
/* End the accounts of those that are in no hierarchy any more, and leave those
 * that ended long ago. */
int groups_end(struct agent *a);
void groups_close(struct agent *a);
/* Drop what is kept of memory, whose kinds may be others from now on. */
void groups_forget_memory(struct agent *a);

/* ---- cpu.c ---------------------------------------------------------------- */

/* Find a source, and name its columns. Says which it is. */
int cpu_open(struct agent *a);
int cpu_read(struct agent *a);
/* Read that of a cgroup for the last time. */
int cpu_finish(struct agent *a, struct group *g);
void cpu_close(struct agent *a);

/* The index of a CPU's node in the book, or -ENOENT: it was plugged in since. */
int cpu_node(struct agent *a, unsigned int cpu);
/* Charge one amount, if it is above 0. */
int cpu_charge(struct agent *a, const struct group *g, unsigned int node,
	       int what, int64_t amount);
/* Whether its files can be read. */
bool cpu_has_usage(const struct group *g);
struct group *cpu_parent(const struct agent *a, const struct group *g);

/* ---- spread.c ------------------------------------------------------------- */

/* Find out whether cgroups may have perf events. 0 or -errno: what is spread is all
 * an estimate then. */
int spread_open(struct agent *a);
int spread_read(struct agent *a);
/* A cgroup is gone, or the topology. */
void spread_forget(struct agent *a, struct group *g);

/* ---- memory.c, node.c ----------------------------------------------------- */

int memory_open(struct agent *a);
int memory_read(struct agent *a);
/* A cgroup that is gone has none. */
int memory_finish(struct agent *a, struct group *g);
void memory_close(struct agent *a);

int node_open(struct agent *a);
int node_read(struct agent *a);
void node_close(struct agent *a);

#endif
