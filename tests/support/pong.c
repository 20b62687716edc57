// SPDX-License-Identifier: MIT
/* pong N: two processes on one CPU pass a byte to and fro, N times; prints how many
 * ns a switch from one to the other took. */
#include "config.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void stay(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void pass(int from, int to, long nr)
{
	char c;

	while (nr-- && read(from, &c, 1) == 1 && write(to, &c, 1) == 1)
		;
}

int main(int argc, char **argv)
{
	long nr = argc == 2 ? atol(argv[1]) : 0;
	struct timespec begin, end;
	int to[2], fro[2];

	if (nr <= 0) {
		fprintf(stderr, "usage: pong N\n");
		return 2;
	}
	stay();
	if (pipe(to) || pipe(fro) || write(fro[1], "", 1) != 1)
		return 1;
	if (!fork()) {
		pass(to[0], fro[1], nr);
		_exit(0);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	pass(fro[0], to[1], nr);
	wait(NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.0f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
			  (double)(end.tv_nsec - begin.tv_nsec)) /
				 (2 * (double)nr));
	return 0;
}
