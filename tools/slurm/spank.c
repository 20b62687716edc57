// SPDX-License-Identifier: MIT
/*
 * Slurm's plugin: a compute node's jobs in a ledger, per NUMA node.
 *
 *	slurmd start    the ledger is made
 *	a step begins   the first of a job reserves for the job; a step that srun
 *	                started draws its part from the job's
 *	a step ends     its account is ended
 *	a job's epilog  all of the job's accounts are ended, also after kill -9
 *
 * A ledger that can't be used keeps no job from running: the epilog says why,
 * once for each job. The functions' names, and when Slurm calls them, are in
 * slurm/spank.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <slurm/slurm.h>
#include <slurm/spank.h>

#include <numatally/error.h>

#include "slurm/book.h"

#define PLUGIN __attribute__((visibility("default")))

extern const char plugin_name[], plugin_type[];
extern const unsigned int plugin_version, spank_plugin_version;
PLUGIN const char plugin_name[] = "numatally";
PLUGIN const char plugin_type[] = "spank";
PLUGIN const unsigned int plugin_version = SLURM_VERSION_NUMBER;
PLUGIN const unsigned int spank_plugin_version = 1;

/* Why this job may not run. Its user has no stderr before
 * slurm_spank_user_init(). */
static char refused[192];

static const char *argument(int ac, char **av, const char *name,
			    const char *otherwise)
{
	size_t length = strlen(name);

	for (int i = 0; i < ac; i++)
		if (!strncmp(av[i], name, length))
			return av[i] + length;
	return otherwise;
}

static int open_book(struct book *b, int ac, char **av)
{
	return book_open(b, argument(ac, av, "ledger=", "slurm"),
			 argument(ac, av, "root=", NULL));
}

static bool is_known(const char *arg)
{
	return !strncmp(arg, "ledger=", 7) || !strncmp(arg, "root=", 5);
}

/* Steps that srun starts have small numbers. */
static bool is_plain(uint32_t step)
{
	return step <= SLURM_MAX_NORMAL_STEP_ID;
}

PLUGIN int slurm_spank_init(spank_t sp, int ac, char **av)
{
	struct book b;
	int err;

	(void)sp;
	for (int i = 0; i < ac; i++) {
		if (!is_known(av[i])) {
			slurm_error("numatally: unknown argument %s", av[i]);
			return -1;
		}
	}
	if (spank_context() != S_CTX_SLURMD)
		return 0;
	err = open_book(&b, ac, av);
	if (err)
		slurm_error("numatally: jobs are not accounted: %s",
			    tally_strerror(err));
	else
		book_close(&b);
	return 0;
}

static void refuse(const struct tally_refusal *r)
{
	snprintf(refused, sizeof(refused),
		 "node %d lacks %s: %" PRId64 " asked, %" PRId64 " free",
		 r->node, r->resource == BOOK_CORES ? "cores" : "memory_bytes",
		 r->asked, r->free);
}

PLUGIN int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct grant job_grant, step_grant;
	char *job_cores = NULL, *step_cores = NULL;
	uint64_t job_mib = 0, step_mib = 0;
	uint32_t job, step;
	struct book b;
	int err;

	if (spank_context() != S_CTX_REMOTE)
		return 0;
	if (spank_get_item(sp, S_JOB_ID, &job) ||
	    spank_get_item(sp, S_JOB_STEPID, &step) ||
	    spank_get_item(sp, S_JOB_ALLOC_CORES, &job_cores) ||
	    spank_get_item(sp, S_JOB_ALLOC_MEM, &job_mib) ||
	    spank_get_item(sp, S_STEP_ALLOC_CORES, &step_cores) ||
	    spank_get_item(sp, S_STEP_ALLOC_MEM, &step_mib)) {
		slurm_error("numatally: Slurm does not tell what a step has");
		return 0;
	}
	err = open_book(&b, ac, av);
	if (err) {
		slurm_verbose("numatally: job %u is not accounted: %s", job,
			      tally_strerror(err));
		return 0;
	}
	job_grant = (struct grant){job_cores, (int64_t)(job_mib << 20)};
	step_grant = (struct grant){step_cores, (int64_t)(step_mib << 20)};
	err = book_reserve(&b, job, &job_grant, &refusal);
	if (err == -ENOSPC && refusal.asked)
		refuse(&refusal);
	else if (err)
		slurm_verbose("numatally: job %u is not accounted: %s", job,
			      tally_strerror(err));
	else if (is_plain(step)) {
		err = book_draw(&b, job, step, &step_grant);
		if (err)
			slurm_verbose(
				"numatally: step %u.%u is not accounted: %s",
				job, step, tally_strerror(err));
	}
	book_close(&b);
	return 0;
}

PLUGIN int slurm_spank_user_init(spank_t sp, int ac, char **av)
{
	(void)sp;
	(void)ac;
	(void)av;
	if (!refused[0])
		return 0;
	slurm_error("numatally: %s", refused);
	return -1;
}

PLUGIN int slurm_spank_exit(spank_t sp, int ac, char **av)
{
	uint32_t job, step;
	struct book b;

	if (spank_context() != S_CTX_REMOTE ||
	    spank_get_item(sp, S_JOB_ID, &job) ||
	    spank_get_item(sp, S_JOB_STEPID, &step) || !is_plain(step) ||
	    open_book(&b, ac, av))
		return 0;
	(void)book_end_step(&b, job, step);
	book_close(&b);
	return 0;
}

PLUGIN int slurm_spank_job_epilog(spank_t sp, int ac, char **av)
{
	struct book b;
	uint32_t job;
	int err;

	if (spank_get_item(sp, S_JOB_ID, &job))
		return 0;
	err = open_book(&b, ac, av);
	if (!err) {
		err = book_end_job(&b, job);
		book_close(&b);
	}
	if (err)
		slurm_error("numatally: job %u is not accounted: %s", job,
			    tally_strerror(err));
	return 0;
}
