// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/gone.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

/* Whether the process calls itself a slurmstepd of the job, as
 * "slurmstepd: [1234.batch]". */
static bool is_step_of(const char *pid, uint32_t job)
{
	char path[64], title[128], own[32];
	size_t length =
		(size_t)snprintf(own, sizeof(own), "slurmstepd: [%u.", job);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, title, sizeof(title));
	close(fd);
	return n >= (ssize_t)length && !strncmp(title, own, length);
}

/* True as well if nobody can tell. */
static bool has_step(uint32_t job)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool found = !proc;

	while (!found && (entry = readdir(proc)))
		found = isdigit((unsigned char)entry->d_name[0]) &&
			is_step_of(entry->d_name, job);
	if (proc)
		closedir(proc);
	return found;
}

static bool is_finished(const job_info_t *job)
{
	return (job->job_state & JOB_STATE_BASE) > JOB_SUSPENDED &&
	       !(job->job_state & JOB_COMPLETING);
}

/* 1 or 0; -1: slurmctld does not answer. */
static int is_unknown(uint32_t job)
{
	job_info_msg_t *message = NULL;
	bool gone = true;

	if (slurm_load_job(&message, job, 0))
		return slurm_get_errno() == ESLURM_INVALID_JOB_ID ? 1 : -1;
	for (uint32_t i = 0; i < message->record_count; i++)
		gone &= is_finished(&message->job_array[i]);
	slurm_free_job_info_msg(message);
	return gone;
}

bool gone_end(struct book *b, uint32_t own,
	      void (*each)(void *arg, struct book *book, uint32_t job),
	      void *arg)
{
	uint64_t cursor = 0;
	uint32_t job;
	bool any = false;

	while (!book_next_job(b, &cursor, &job)) {
		int unknown;

		if (job == own || has_step(job))
			continue;
		unknown = is_unknown(job);
		if (unknown < 0)
			break;
		/* A step may have begun before slurmctld answered. */
		if (!unknown || has_step(job))
			continue;
		if (each)
			each(arg, b, job);
		any |= !book_end_job(b, job);
	}
	return any;
}
