// SPDX-License-Identifier: MIT
/* spin MS: uses that much CPU time, mostly in user mode.
 * spin MS PID: the same, in looks at the CPU time of that process. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	long ms = argc == 2 || argc == 3 ? atol(argv[1]) : 0;
	struct timespec used;
	clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
	volatile int n = 0;

	if (ms <= 0) {
		fprintf(stderr, "usage: spin MS [PID]\n");
		return 2;
	}
	if (argc == 3 && clock_getcpuclockid(atoi(argv[2]), &clock))
		return 1;
	do {
		for (int i = 0; i < 10000; i++)
			if (argc == 2)
				n = i;
			else
				clock_gettime(clock, &used);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
	return n != 9999;
}
