/* SPDX-License-Identifier: MIT */
/* The cluster and the jobs of bench/decide.c, and the states that it is compared
 * with. */
#ifndef TEST_BENCH_DECIDE_H
#define TEST_BENCH_DECIDE_H

#include <stdint.h>

#include <numatally/ledger.h>

#include "bench.h"

#define NR_RESOURCES  3
#define NR_MACHINES   5000u
#define PER_MACHINE   8u
#define NR_NODES      (NR_MACHINES * PER_MACHINE)
#define NR_JOBS	      150000u
#define NR_PENDING    1024u /* of each scheduler, placed again and again */
#define NR_SCHEDULERS 16u

static const int64_t node_has[NR_RESOURCES] = {64, INT64_C(256) << 30, 8};

/* What job number @i asks for. */
static inline void amounts_of(uint32_t i,
			      struct tally_amount amounts[NR_RESOURCES])
{
	amounts[0] = (struct tally_amount){0, 1 + i * 7 % 16};
	amounts[1] = (struct tally_amount){1, (int64_t)(1 + i * 5 % 48) << 30};
	amounts[2] = (struct tally_amount){2, i % 3};
}

static inline uint32_t first_of(uint32_t job)
{
	return (uint32_t)((uint64_t)job * 2654435761u % NR_NODES);
}

/* A state in objects, of so many jobs, and decisions on copies of it: of one, copied
 * whole; or of so many schedulers in turn, a uint32_t, copied where it changed. */
int objects_open(uint32_t nr_jobs);
void objects_close(void);
extern const struct bench_loops whole_loops, changed_loops;

#endif
