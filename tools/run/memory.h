/* SPDX-License-Identifier: MIT */
/* The most memory that the command had: looks, samples, and what they tell. */
#ifndef TOOL_RUN_MEMORY_H
#define TOOL_RUN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/kernel_memory.h>
#include <numatally/topo.h>

#include "run/notes.h"

struct run_child;

struct run_memory {
	const struct tally_topo *topo; /* borrowed, like the others */
	struct tally_tree *tree;       /* NULL: procfs can't be read */
	struct run_notes *notes;
	struct tally_mem *mem;	 /* NULL: not sampled */
	struct tally_peak *peak; /* NULL: not followed */
	struct tally_peak_bounds bounds;
	int64_t start_ns;
	int64_t step_ns; /* from one look to the next */
	int64_t look_due_ns;
	int64_t look_ns;    /* CPU time of all looks */
	int64_t sample_ns;  /* and samples */
	int64_t rss_bytes;  /* of all processes at the last look */
	bool grows;	    /* by a tenth since the look before */
	int64_t settled_ns; /* the last look of one process, or without that */
};

/* An amount and its bounds, in bytes; -1: not known. */
struct run_figure {
	int64_t bytes, lower, upper;
};

struct run_figures {
	struct run_figure kinds[TALLY_NR_MEM];
	struct run_figure at_once;
};

/* Prepare to follow the child, which has not executed yet. */
void run_memory_open(struct run_memory *memory, const struct tally_topo *topo,
		     struct tally_tree *tree, struct run_child *child,
		     struct run_notes *notes);
void run_memory_close(struct run_memory *memory);

void run_memory_start(struct run_memory *memory);

/* Look, or sample, if that is due. Returns whether there is a new sample. */
bool run_memory_tick(struct run_memory *memory);

/* When to call that next. */
int64_t run_memory_due(const struct run_memory *memory);

/* Look a last time, at the tree as it is. */
void run_memory_finish(struct run_memory *memory);

/* The command could not be executed: nothing is known of its memory. */
void run_memory_forget(struct run_memory *memory);

/* Processes ended that nothing counts: there is no bound from above. */
void run_memory_unbound(struct run_memory *memory);

/* What was sampled, or NULL. */
const struct tally_mem_result *
run_memory_result(const struct run_memory *memory);

/* The most on one node of the topology, by its index; on no known node; and in
 * all. */
void run_memory_node(const struct run_memory *memory, unsigned int index,
		     struct run_figures *figures);
void run_memory_unknown(const struct run_memory *memory,
			struct run_figures *figures);
void run_memory_all(const struct run_memory *memory,
		    struct run_figures *figures);

/* The most that one process had, and no less; more than that, where it is what
 * the tool had itself before the execve(2). */
int64_t run_largest_bytes(const struct run_memory *memory,
			  const struct run_child *child);

#endif
