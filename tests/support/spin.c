// SPDX-License-Identifier: MIT
/* spin MS: uses that much CPU time, mostly in user mode. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	long ms = argc == 2 ? atol(argv[1]) : 0;
	struct timespec used;
	volatile int n = 0;

	if (ms <= 0) {
		fprintf(stderr, "usage: spin MS\n");
		return 2;
	}
	do {
		for (int i = 0; i < 10000; i++)
			n = i;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
	return n != 9999;
}
