// SPDX-License-Identifier: MIT
/* Prints the frequency of this machine's time-stamp counter, in kHz. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__)

#include <x86intrin.h>

struct moment {
	uint64_t ticks;
	int64_t ns;
};

/* Reads the clock between two reads of the counter. In the closest such pair no
 * other process had the CPU meanwhile. */
static struct moment now(void)
{
	struct moment closest = {0};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		struct timespec t;
		uint64_t before = __rdtsc(), took;

		clock_gettime(CLOCK_MONOTONIC_RAW, &t);
		took = __rdtsc() - before;
		if (took >= least)
			continue;
		least = took;
		closest.ticks = before + took / 2;
		closest.ns = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
	}
	return closest;
}

int main(void)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct moment first = now(), last;

	nanosleep(&pause, NULL);
	last = now();
	printf("%.0f\n", (double)(last.ticks - first.ticks) /
				 (double)(last.ns - first.ns) * 1e6);
	return 0;
}

#else

int main(void)
{
	fputs("tsc_khz: there is no such counter\n", stderr);
	return 1;
}

#endif
