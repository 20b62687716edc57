/* SPDX-License-Identifier: MIT */
/*
 * Jobs whose epilog never comes: of a slurmctld that was killed before it saved
 * that they run, and that knows nothing of them.
 */
#ifndef NUMATALLY_SLURM_GONE_H
#define NUMATALLY_SLURM_GONE_H

#include <stdbool.h>
#include <stdint.h>

#include "slurm/book.h"

/*
 * End the accounts of jobs, but for @own, of which no slurmstepd lives and which
 * slurmctld does not know or calls finished. Each is told to @each first, if that
 * is not NULL. A slurmctld that does not answer keeps all. Return whether any was
 * ended.
 */
bool gone_end(struct book *book, uint32_t own,
	      void (*each)(void *arg, struct book *book, uint32_t job),
	      void *arg);

#endif
