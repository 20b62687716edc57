// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/verbs.h"

void occupy_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int run_verb(int (*verb)(int argc, char **argv), int argc, char **argv)
{
	static char name[32];

	snprintf(name, sizeof(name), "numatally %s", argv[0]);
	program_invocation_short_name = name;
	argv[0] = name;
	optind = 0; /* glibc: scan anew */
	return verb(argc, argv);
}
