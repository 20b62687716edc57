/* SPDX-License-Identifier: MIT */
/*
 * What a compute node's jobs have of its NUMA nodes, in a ledger:
 *
 *	account "1234"	  the job: the cores that Slurm gave it on each NUMA
 *			  node, and its memory there; of the node's capacity
 *	account "1234.0"  a step: drawn from the job's
 *
 * Each function returns 0 or a negative errno. One thread uses a book.
 */
#ifndef NUMATALLY_SLURM_BOOK_H
#define NUMATALLY_SLURM_BOOK_H

#include <stdint.h>

#include <numatally/ledger.h>
#include <numatally/limit.h>
#include <numatally/topo.h>

#include "slurm/cores.h"

enum { BOOK_CORES, BOOK_MEMORY, BOOK_NR };

struct book {
	struct tally_topo *topo;
	struct tally_ledger *ledger;
	struct cores cores;
};

/* What Slurm gave on this machine. */
struct grant {
	const char *cores; /* "0-3,8", as Slurm counts cores */
	int64_t memory_bytes;
};

/*
 * Open the ledger named @name (tally_ledger_path()), or create it for the nodes
 * of @root (tally_topo_open()). book_close() takes a book that was not opened.
 */
int book_open(struct book *b, const char *name, const char *root);
void book_close(struct book *b);

/*
 * Reserve for the job, unless it has its reservation. Any step may come first.
 *
 * -ENOSPC	a node lacks what *refusal tells; asked 0: the ledger is full
 * -ERANGE	Slurm counts more cores than the machine has
 */
int book_reserve(struct book *b, uint32_t job, const struct grant *grant,
		 struct tally_refusal *refusal);

/*
 * Draw the step's part from its job. A step without memory of its own shares
 * that of the job, and one that shares cores too has no account: -ENOSPC.
 */
int book_draw(struct book *b, uint32_t job, uint32_t step,
	      const struct grant *grant);

/* End the step's account, or those of the job and all of its steps. */
int book_end_step(struct book *b, uint32_t job, uint32_t step);
int book_end_job(struct book *b, uint32_t job);

#endif
