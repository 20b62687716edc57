// SPDX-License-Identifier: MIT
/*
 * Slurm's plugin: a compute node's jobs in a ledger, per NUMA node.
 *
 *	slurmd start    the ledger is made
 *	a step begins   the first of a job reserves for the job; a step that srun
 *	                started draws its part from the job's
 *	a task begins   what it uses is counted, before it executes
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slurm/slurm.h>
#include <slurm/spank.h>

#include <numatally/error.h>

#include "slurm/book.h"
#include "slurm/record.h"
#include "slurm/use.h"

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

/* Of this step, in its slurmstepd; a book without a ledger is closed. */
static struct book book;
static struct use *use;

static const char *argument(int ac, char **av, const char *name,
			    const char *otherwise)
{
	size_t length = strlen(name);

	for (int i = 0; i < ac; i++)
		if (!strncmp(av[i], name, length))
			return av[i] + length;
	return otherwise;
}

static const char *ledger_name(int ac, char **av)
{
	return argument(ac, av, "ledger=", "slurm");
}

static const char *root(int ac, char **av)
{
	return argument(ac, av, "root=", NULL);
}

static int open_book(struct book *b, int ac, char **av)
{
	return book_open(b, ledger_name(ac, av), root(ac, av));
}

static bool is_known(const char *arg)
{
	return !strncmp(arg, "ledger=", 7) || !strncmp(arg, "root=", 5) ||
	       !strncmp(arg, "record=", 7);
}

/* Steps that srun starts have small numbers. */
static bool is_plain(uint32_t step)
{
	return step <= SLURM_MAX_NORMAL_STEP_ID;
}

/* What holds for all jobs is said once, when the daemon starts. */
static void start_slurmd(int ac, char **av)
{
	struct book b;
	int err = book_renew(&b, ledger_name(ac, av), root(ac, av));

	if (err) {
		slurm_error("numatally: jobs are not accounted: %s",
			    tally_strerror(err));
		return;
	}
	err = use_probe(&b);
	if (err)
		slurm_error("numatally: CPU time is sampled: %s",
			    err == -E2BIG ? "the machine has too many CPUs"
					  : tally_strerror(err));
	book_close(&b);
}

PLUGIN int slurm_spank_init(spank_t sp, int ac, char **av)
{
	(void)sp;
	for (int i = 0; i < ac; i++) {
		if (!is_known(av[i])) {
			slurm_error("numatally: unknown argument %s", av[i]);
			return -1;
		}
	}
	if (spank_context() == S_CTX_SLURMD)
		start_slurmd(ac, av);
	return 0;
}

static void refuse(const struct tally_refusal *r)
{
	snprintf(refused, sizeof(refused),
		 "node %d lacks %s: %" PRId64 " asked, %" PRId64 " free",
		 r->node, r->resource == BOOK_CORES ? "cores" : "memory_bytes",
		 r->asked, r->free);
}

static void reserve(uint32_t job, uint32_t step, const struct grant *job_grant,
		    const struct grant *step_grant)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	int err = book_reserve(&book, job, job_grant, &refusal);

	if (err == -ENOSPC && refusal.asked) {
		refuse(&refusal);
		return;
	}
	if (err) {
		slurm_verbose("numatally: job %u is not accounted: %s", job,
			      tally_strerror(err));
		return;
	}
	err = is_plain(step) ? book_draw(&book, job, step, step_grant) : 0;
	if (err)
		slurm_verbose("numatally: step %u.%u is not accounted: %s", job,
			      step, tally_strerror(err));
}

PLUGIN int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	char *job_cores = NULL, *step_cores = NULL;
	uint64_t job_mib = 0, step_mib = 0;
	uint32_t job, step;
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
	err = open_book(&book, ac, av);
	if (err)
		slurm_verbose("numatally: job %u is not accounted: %s", job,
			      tally_strerror(err));
	else
		reserve(job, step,
			&(struct grant){job_cores, (int64_t)(job_mib << 20)},
			&(struct grant){step_cores, (int64_t)(step_mib << 20)});
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

PLUGIN int slurm_spank_task_post_fork(spank_t sp, int ac, char **av)
{
	uint32_t job;
	pid_t pid;
	int err = 0;

	(void)ac;
	(void)av;
	if (!book.ledger || spank_get_item(sp, S_JOB_ID, &job) ||
	    spank_get_item(sp, S_TASK_PID, &pid))
		return 0;
	if (!use)
		err = use_begin(&book, job, &use);
	if (!err)
		err = use_task(use, pid);
	if (err)
		slurm_debug("numatally: job %u: process %d is not counted: %s",
			    job, (int)pid, tally_strerror(err));
	return 0;
}

PLUGIN int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	pid_t pid;

	(void)ac;
	(void)av;
	if (use && !spank_get_item(sp, S_TASK_PID, &pid))
		use_task_ended(use, pid);
	return 0;
}

PLUGIN int slurm_spank_exit(spank_t sp, int ac, char **av)
{
	uint32_t job, step;

	(void)ac;
	(void)av;
	if (!book.ledger)
		return 0;
	use_end(use);
	use = NULL;
	if (!spank_get_item(sp, S_JOB_ID, &job) &&
	    !spank_get_item(sp, S_JOB_STEPID, &step) && is_plain(step))
		(void)book_end_step(&book, job, step);
	book_close(&book);
	return 0;
}

static int record_job(struct book *b, uint32_t job, uint32_t uid,
		      const char *path)
{
	const struct record r = {
		.job = job,
		.uid = uid,
		.user = getenv("SLURM_JOB_USER"),
		.host = getenv("SLURMD_NODENAME"),
		.hosts = getenv("SLURM_NODELIST"),
	};
	int err = record_append(b, &r, path);

	/* No step of it has run here, or an epilog before this one wrote it. */
	return err == -ENOENT && access(path, F_OK) == 0 ? 0 : err;
}

PLUGIN int slurm_spank_job_epilog(spank_t sp, int ac, char **av)
{
	const char *path = argument(ac, av, "record=", NULL);
	struct book b;
	uint32_t job;
	uid_t uid;
	int err;

	if (spank_get_item(sp, S_JOB_ID, &job) ||
	    spank_get_item(sp, S_JOB_UID, &uid))
		return 0;
	err = open_book(&b, ac, av);
	if (!err) {
		int written = path ? record_job(&b, job, uid, path) : 0;

		if (written)
			slurm_error("numatally: job %u: %s: %s", job, path,
				    strerror(-written));
		err = book_end_job(&b, job);
		book_close(&b);
	}
	if (err)
		slurm_error("numatally: job %u is not accounted: %s", job,
			    tally_strerror(err));
	return 0;
}
