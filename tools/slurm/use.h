/* SPDX-License-Identifier: MIT */
/*
 * Counts what a step's tasks use on each NUMA node while they run, and charges
 * it to their job's account: CPU time by perf events that all descendants of a
 * task inherit or, where the kernel refuses these, by samples of /proc; memory by
 * samples. A thread charges each second what is new, and uses the book meanwhile.
 *
 * Each function returns 0 or a negative errno. One thread calls them.
 */
#ifndef NUMATALLY_SLURM_USE_H
#define NUMATALLY_SLURM_USE_H

#include <stdint.h>
#include <sys/types.h>

#include "slurm/book.h"

struct use;

/*
 * Begin. The tasks are children of this process; @book stays open. The caller ends
 * *@use with use_end(), which takes NULL.
 */
int use_begin(struct book *book, uint32_t job, struct use **use);

/*
 * Count the task, which has not executed yet.
 *
 * 0		its CPU time is counted
 * -errno	its CPU time is sampled, and why
 */
int use_task(struct use *use, pid_t pid);

/* The caller has waited for the task, and since use_begin() or the last call for
 * none but it and what the task's end started. */
void use_task_ended(struct use *use, pid_t pid);

/* Charge what is left, and give back the memory. */
void use_end(struct use *use);

/* Called in slurmd: 0, or why CPU time will be sampled. */
int use_probe(const struct book *book);

#endif
