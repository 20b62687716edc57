/* SPDX-License-Identifier: MIT */
/* Reading the memory of one process, and the budget for reading many. */
#ifndef KERNEL_MEMORY_READ_H
#define KERNEL_MEMORY_READ_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/kernel_memory.h>

#include "kernel/memory/maps.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/parts.h"

/* What the process that is being read has on a node. */
struct mem_node {
	int node;
	struct mem_amount all[MEM_NR_KINDS];
	/* Mapped by this process alone; and possibly so. */
	struct mem_amount own[MEM_NR_KINDS];
	struct mem_amount maybe[MEM_NR_KINDS];
	/* Threads that ran here last. Not set by the reader. */
	unsigned int nr_threads;
	int64_t cpu_ns;
};

struct mem_nodes {
	struct mem_node *n; /* all nodes ever seen, ascending */
	unsigned int nr;
	unsigned int cap;
	struct mem_node unknown; /* of no node in particular: -1 */
};

/* Return the entry of a node (negative: the unknown one); NULL: no memory. */
struct mem_node *mem_nodes_at(struct mem_nodes *l, int node);
/* Set the amounts of all nodes to 0. */
void mem_nodes_clear(struct mem_nodes *l);

struct mem_reader {
	int proc;
	bool live;     /* /proc is this machine's, not a captured one */
	bool split;    /* tell own and common memory apart, everywhere */
	bool one_node; /* only the known node exists */
	int only_node; /* all memory is there; -1: there are several nodes, or
			  they are not known */
	int64_t page_bytes; /* 0: not known, of a captured machine */
	int64_t large_bytes;
	double lag2; /* the square of how far a total in status may be off */
	/* The same, if nothing else is known of a process; whether each of its
	 * threads keeps back what it counted in some faults; and how much is
	 * the kernel's code, which numa_maps leaves out. */
	double totals_lag2;
	bool thread_lag;
	int64_t vdso_bytes;
	struct tally_numa_maps *parser;
	struct mem_tmpfs tmpfs;
	struct mem_vmas vmas;
	struct mem_hits hits; /* cap: the size of a sample */
	uint64_t seed;
	uint64_t nr_malformed;
	struct mem_parts parts; /* of all processes read since the caller
				   emptied it: memory that others may have
				   too */
	struct mem_nodes nodes;
	/* The process that is being read. */
	const struct tally_process *process;
	unsigned int index;
	unsigned int nr_lines;
	int64_t nr_threads;
	int pagemap; /* -1: not opened yet */
	bool odd;    /* a line of its status makes no sense */
	int err;
};

/* Sets what is not given to its default. -EINVAL: as
 * tally_kernel_mem_create(). */
int mem_options_set(const struct tally_mem_options *given,
		    struct tally_mem_options *o);

int mem_reader_open(const char *root, const struct tally_mem_options *o,
		    struct mem_reader *reader);
/* Close the reader. One that is not open is all 0, but for proc, which is
 * -1. */
void mem_reader_close(struct mem_reader *reader);

enum mem_way {
	MEM_WALKED,
	MEM_SAMPLED,
	MEM_TOTALS,  /* there is no numa_maps: all on the only node, if any */
	MEM_REFUSED, /* its totals are of no node */
};

/* The memory of a kind, or, from TALLY_NR_MEM on, that of any kind, as figures:
 * what is of any kind may be of this one. */
struct tally_mem_figure
mem_figure_of(const struct mem_amount amounts[MEM_NR_KINDS], unsigned int kind);

/*
 * Read a process: set nodes, and append to parts, with index. refused is why
 * the way is MEM_REFUSED; -EBADMSG if lines make no sense; and else untouched.
 *
 * -ESRCH	it ended; parts is as it was
 * -ENOMEM	no memory
 * other	as reading its totals; parts is as it was
 */
int mem_reader_read(struct mem_reader *r, const struct tally_process *p,
		    unsigned int index, enum mem_way *way, int *refused);

/* Whether a process has no memory of its own, but its parent's (NULL: none), as
 * between vfork(2) and execve(2). */
bool mem_is_parents(const struct mem_reader *r, const struct tally_process *p,
		    const struct tally_process *parent);

struct mem_budget {
	unsigned int ppm;
	int64_t burst_ns;
	int64_t save_ns; /* the most that can be saved up */
	bool started;
	int64_t debt_ns; /* below 0: saved up */
	int64_t last_ns;
};

/* Charge the time from begin to end. Returns how long to wait until no more
 * than the burst is owed; below 0: less than that is. */
int64_t mem_budget_spend(struct mem_budget *b, int64_t begin, int64_t end);

#endif
