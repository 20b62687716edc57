/* SPDX-License-Identifier: MIT */
/*
 * What a compute node's jobs have of its NUMA nodes, in a ledger:
 *
 *	account "1234"	  the job: the cores that Slurm gave it on each NUMA
 *			  node, and its memory there, of the node's capacity;
 *			  and what all of its steps use there
 *	account "1234.0"  a step: what it drew from the job's
 *
 * Each function returns 0 or a negative errno. One thread uses a book.
 */
#ifndef NUMATALLY_SLURM_BOOK_H
#define NUMATALLY_SLURM_BOOK_H

#include <sched.h>
#include <stdint.h>

#include <numatally/ledger.h>
#include <numatally/limit.h>
#include <numatally/topo.h>

#include "slurm/cores.h"
#include "slurm/wish.h"

enum {
	BOOK_CORES,
	BOOK_MEMORY,
	BOOK_NR_RESERVED,
	BOOK_COUNTED = BOOK_NR_RESERVED, /* from here on: what is used */
	BOOK_CPU = BOOK_COUNTED,
	BOOK_CPU_SAMPLED, /* of tasks whose CPU time the kernel does not count */
	BOOK_ANONYMOUS,	  /* as enum tally_mem_kind */
	BOOK_FILE,
	BOOK_SHARED,
	BOOK_HUGE,
	BOOK_PEAK, /* the most memory of all kinds that a sample saw */
	BOOK_NR
};

struct book {
	struct tally_topo *topo;
	struct tally_ledger *ledger;
	struct cores cores;
};

/* What Slurm gave on this machine. */
struct grant {
	const char *cores; /* "0-3,8", as Slurm counts cores */
	int64_t memory_bytes;
	const struct wish *wish; /* its user's; NULL: none */
};

/*
 * Open the ledger named @name (tally_ledger_path()), or create it for the nodes
 * of @root (tally_topo_open()). book_close() takes a book that was not opened.
 */
int book_open(struct book *b, const char *name, const char *root);
void book_close(struct book *b);

/*
 * The same; and make a ledger anew that has other resources, as another version
 * of this program made it. Not beside another process that does.
 */
int book_renew(struct book *b, const char *name, const char *root);

/*
 * Reserve for the job, unless it has its reservation. Any step may come first.
 *
 * -ENOSPC	a node lacks what *refusal tells; asked 0: the ledger is full
 * -ERANGE	Slurm counts more cores than the machine has
 * -ENODEV	Slurm gave no core of the nodes that the user wishes
 * -EXDEV	the policy that the user wishes refuses what Slurm gave
 */
int book_reserve(struct book *b, uint32_t job, const struct grant *grant,
		 struct tally_refusal *refusal);

/*
 * Draw the step's part from its job, on the nodes where that has cores. A step
 * without memory of its own shares that of the job, and one that shares cores too
 * has no account: -ENOSPC. -ENODEV, -EXDEV: as above.
 */
int book_draw(struct book *b, uint32_t job, uint32_t step,
	      const struct grant *grant);

/*
 * Set *@cpus to the CPUs of the nodes where the step may have cores: of those that
 * Slurm gave, where its job has some, and its user wishes. Return 1 if that is not
 * all that Slurm gave, else 0.
 */
int book_bind(struct book *b, uint32_t job, const struct grant *grant,
	      cpu_set_t *cpus, size_t bytes);

/* The job's account, which is opened if it has none. */
int book_job(struct book *b, uint32_t job, struct tally_account *account);

/*
 * What the job has reserved and used, in has[nodes of the topology][BOOK_NR].
 * -ENOENT: it has no account.
 */
int book_has(struct book *b, uint32_t job, int64_t (*has)[BOOK_NR]);

/* Iterate over the jobs that have accounts; *cursor is 0 at first. -ENOENT: no
 * more. */
int book_next_job(struct book *b, uint64_t *cursor, uint32_t *job);

/* End the step's account, or those of the job and all of its steps. */
int book_end_step(struct book *b, uint32_t job, uint32_t step);
int book_end_job(struct book *b, uint32_t job);

#endif
