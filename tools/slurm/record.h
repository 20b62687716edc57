/* SPDX-License-Identifier: MIT */
/* A line of JSON for a job that has ended, for the site's accounting. */
#ifndef NUMATALLY_SLURM_RECORD_H
#define NUMATALLY_SLURM_RECORD_H

#include <stdint.h>

#include "slurm/book.h"

/* What Slurm tells of the job; NULL: not known. */
struct record {
	uint32_t job;
	int64_t uid; /* -1: not known */
	const char *user;
	const char *host;  /* this machine, as Slurm names it */
	const char *hosts; /* all of the job's */
};

/*
 * Append the line to the file at @path, which is made if there is none, by one
 * write. -ENOENT: the job has no account, or there is no such directory; -EIO: a
 * part of the line could not be written.
 */
int record_append(struct book *book, const struct record *record,
		  const char *path);

#endif
