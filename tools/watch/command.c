// SPDX-License-Identifier: MIT
/* Runs a command when a watch fires. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/threshold.h"

#define CANNOT_EXECUTE 126
#define NOT_FOUND      127
#define KILLED	       128 /* and the signal */

bool watch_command(char **argv, const char *line, int *status)
{
	int error;
	pid_t pid;

	*status = CANNOT_EXECUTE;
	if (setenv("NUMATALLY_EVENT", line, 1)) {
		warn("%s", argv[0]);
		return false;
	}
	error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (error) {
		warnx("%s: %s", argv[0], strerror(error));
		if (error == ENOENT)
			*status = NOT_FOUND;
		return false;
	}
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR) {
			warn("%s", argv[0]);
			*status = CANNOT_EXECUTE;
			return false;
		}
	*status = WIFSIGNALED(*status) ? KILLED + WTERMSIG(*status)
				       : WEXITSTATUS(*status);
	return true;
}
