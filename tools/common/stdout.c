// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/stdout.h"

static int first;

void stdout_failed(int error)
{
	if (!first)
		first = error;
}

/* Of a write that printf() made, a later one has the reason, if there is any. */
static void keep(int failed)
{
	if (failed && errno)
		stdout_failed(errno);
}

int stdout_flush(void)
{
	errno = 0;
	keep(fflush(stdout));
	if (!ferror(stdout))
		return 0;
	return first ? -first : -EIO;
}

int stdout_close(int status)
{
	int failed = ferror(stdout), closed;

	errno = 0;
	closed = fclose(stdout);
	keep(closed);
	if (!closed && !failed)
		return status;
	warnx("standard output: %s", first ? strerror(first) : "write error");
	return status ? status : EXIT_FAILURE;
}
