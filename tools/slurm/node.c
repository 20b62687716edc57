// SPDX-License-Identifier: MIT
/*
 * What Slurm's plugin does in slurmd and slurmstepd: a compute node's jobs in a
 * ledger, per NUMA node.
 *
 *	slurmd start    the ledger is made
 *	a step begins   the first of a job reserves for the job; a step that srun
 *	                started draws its part from the job's
 *	a task begins   what it uses is counted, before it executes
 *	a step ends     its account is ended
 *	a job's epilog  all of the job's accounts are ended, also after kill -9
 *
 * A ledger that can't be used keeps no job from running: the epilog says why,
 * once for each job. When Slurm calls each function is in slurm/spank.h.
 */
#include "config.h"

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
#include "slurm/gone.h"
#include "slurm/node.h"
#include "slurm/record.h"
#include "slurm/use.h"

/* Why this job may not run. Its user has no stderr before
 * slurm_spank_user_init(). */
static char refused[192];

/* Of this step, in its slurmstepd; a book without a ledger is closed. */
static struct book book;
static struct use *use;

static const struct wish *wish; /* NULL: the user has none */
static cpu_set_t *bound; /* the CPUs of its tasks; NULL: as Slurm binds them */
static size_t bound_bytes;

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

/* Steps that srun starts have small numbers. */
static bool is_plain(uint32_t step)
{
	return step <= SLURM_MAX_NORMAL_STEP_ID;
}

/* Slurm no longer knows the job's user. */
static void record_gone(void *path, struct book *b, uint32_t job)
{
	const struct record r = {
		.job = job, .uid = -1, .host = getenv("SLURMD_NODENAME")};

	slurm_error("numatally: job %u is gone, and had no epilog", job);
	if (path)
		(void)!record_append(b, &r, path);
}

/* Log once, when slurmd starts, what concerns all jobs. */
static void start_slurmd(int ac, char **av)
{
	struct book b;
	int err = book_renew(&b, ledger_name(ac, av), root(ac, av));

	if (err) {
		slurm_error("numatally: jobs are not accounted: %s",
			    tally_strerror(err));
		return;
	}
	gone_end(&b, 0, record_gone, (void *)argument(ac, av, "record=", NULL));
	err = use_probe(&b);
	if (err)
		slurm_error("numatally: CPU time is sampled: %s",
			    err == -E2BIG ? "the machine has too many CPUs"
					  : tally_strerror(err));
	book_close(&b);
}

static void take_wish(const struct wish *users)
{
	wish = users;
}

static void refuse(const struct tally_refusal *r)
{
	snprintf(refused, sizeof(refused),
		 "node %d lacks %s: %" PRId64 " asked, %" PRId64 " free",
		 r->node, r->resource == BOOK_CORES ? "cores" : "memory_bytes",
		 r->asked, r->free);
}

/* The user's wish can't be granted. */
static void refuse_wish(const struct grant *grant)
{
	unsigned int nr = tally_topo_nr_nodes(book.topo);
	int64_t *cores = calloc(nr, sizeof(*cores));
	char given[96] = "";
	size_t used = 0;

	if (cores && cores_count(&book.cores, grant->cores, cores) > 0)
		for (unsigned int i = 0; i < nr; i++)
			if (cores[i] && used < sizeof(given))
				used += (size_t)snprintf(
					given + used, sizeof(given) - used,
					"%s%" PRId64 " on node %d",
					used ? ", " : "", cores[i],
					tally_topo_node(book.topo, i)->id);
	free(cores);
	snprintf(refused, sizeof(refused),
		 "--numatally=%s refuses what Slurm gave: cores: %s; "
		 "memory_bytes: %" PRId64,
		 wish_policy(wish)[0] ? wish_policy(wish) : "nodes", given,
		 grant->memory_bytes);
}

/* Whether the job runs. */
static bool reserve(uint32_t job, const struct grant *grant)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	int err = book_reserve(&book, job, grant, &refusal);

	/* Nobody is refused for a job that is gone. */
	if (err == -ENOSPC && gone_end(&book, job, NULL, NULL))
		err = book_reserve(&book, job, grant, &refusal);
	if (err == -ENOSPC && refusal.asked)
		refuse(&refusal);
	else if (err == -ENODEV || err == -EXDEV)
		refuse_wish(grant);
	else if (err)
		slurm_verbose("numatally: job %u is not accounted: %s", job,
			      tally_strerror(err));
	return !err;
}

static bool draw(uint32_t job, uint32_t step, const struct grant *grant)
{
	int err = book_draw(&book, job, step, grant);

	if (err == -ENODEV || err == -EXDEV) {
		refuse_wish(grant);
		return false;
	}
	if (err)
		slurm_verbose("numatally: step %u.%u is not accounted: %s", job,
			      step, tally_strerror(err));
	return true;
}

static void choose_cpus(uint32_t job, const struct grant *grant)
{
	size_t nr_cpus = tally_topo_nr_cpus(book.topo);

	bound = CPU_ALLOC(nr_cpus);
	if (!bound)
		return;
	bound_bytes = CPU_ALLOC_SIZE(nr_cpus);
	if (book_bind(&book, job, grant, bound, bound_bytes) > 0)
		return;
	CPU_FREE(bound);
	bound = NULL;
}

/* A wish is of the job if it is of the batch script, or of the srun that got the
 * job; of those srun in salloc alone that have all of the job. */
static void begin_step(uint32_t job, uint32_t step, struct grant *job_grant,
		       struct grant *step_grant)
{
	step_grant->wish = wish;
	if ((!is_plain(step) || !step) &&
	    !strcmp(job_grant->cores, step_grant->cores))
		job_grant->wish = step_grant->wish;
	if (reserve(job, job_grant) &&
	    (!is_plain(step) || draw(job, step, step_grant)))
		choose_cpus(job, step_grant);
}

static int begin(spank_t sp, int ac, char **av)
{
	char *job_cores = NULL, *step_cores = NULL;
	uint64_t job_mib = 0, step_mib = 0;
	uint32_t job, step;
	int err;

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
		begin_step(job, step,
			   &(struct grant){.cores = job_cores,
					   .memory_bytes =
						   (int64_t)(job_mib << 20)},
			   &(struct grant){.cores = step_cores,
					   .memory_bytes =
						   (int64_t)(step_mib << 20)});
	return 0;
}

static int begin_user(spank_t sp, int ac, char **av)
{
	(void)sp;
	(void)ac;
	(void)av;
	if (!refused[0])
		return 0;
	slurm_error("numatally: %s", refused);
	return -1;
}

/* In the task, after Slurm bound it; before it executes. */
static int bind_task(spank_t sp, int ac, char **av)
{
	cpu_set_t *own;

	(void)sp;
	(void)ac;
	(void)av;
	if (!bound)
		return 0;
	own = calloc(1, bound_bytes);
	if (own && !sched_getaffinity(0, bound_bytes, own)) {
		CPU_AND_S(bound_bytes, own, own, bound);
		/* The kernel keeps it inside its cpuset. */
		if (sched_setaffinity(0, bound_bytes,
				      CPU_COUNT_S(bound_bytes, own) ? own
								    : bound))
			slurm_verbose("numatally: CPUs are not bound: %s",
				      strerror(errno));
	}
	free(own);
	return 0;
}

static int count_task(spank_t sp, int ac, char **av)
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

static int end_task(spank_t sp, int ac, char **av)
{
	pid_t pid;

	(void)ac;
	(void)av;
	if (use && !spank_get_item(sp, S_TASK_PID, &pid))
		use_task_ended(use, pid);
	return 0;
}

static int end_step(spank_t sp, int ac, char **av)
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
	CPU_FREE(bound);
	bound = NULL;
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

static int end_job(spank_t sp, int ac, char **av)
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
		gone_end(&b, job, record_gone, (void *)path);
		book_close(&b);
	}
	if (err)
		slurm_error("numatally: job %u is not accounted: %s", job,
			    tally_strerror(err));
	return 0;
}

__attribute__((visibility("default")))
const struct node_calls numatally_slurm_node = {
	.start_slurmd = start_slurmd,
	.take_wish = take_wish,
	.begin = begin,
	.begin_user = begin_user,
	.bind_task = bind_task,
	.count_task = count_task,
	.end_task = end_task,
	.end_step = end_step,
	.end_job = end_job,
};
