// SPDX-License-Identifier: MIT
/*
 * Runs in a guest from before the first test until the end:
 *
 *	pulse SECONDS
 *
 * Holds perf events open, so that tests which open and close theirs never turn
 * the kernel's static keys on and off. Each turn rewrites the scheduler's code
 * while other CPUs run it, and an emulated CPU can trap on it for ever.
 *
 * Prints "beat" every SECONDS, once it has run on every CPU that is online: a
 * machine that says nothing for long has at least one CPU that stands still.
 */
#include "config.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void hold_event(unsigned int config)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = config,
	};

	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		    PERF_FLAG_FD_CLOEXEC) < 0)
		fprintf(stderr, "pulse: software event %u: %s\n", config,
			strerror(errno));
}

/* Any event of a task turns the scheduler's key; each kind has one of its own. */
static void hold_events(void)
{
	static const unsigned int configs[] = {
		PERF_COUNT_SW_CONTEXT_SWITCHES,
		PERF_COUNT_SW_CPU_MIGRATIONS,
		PERF_COUNT_SW_PAGE_FAULTS,
	};

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		hold_event(configs[i]);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)atoi(argv[1]) : 10;
	int nr_cpus = (int)sysconf(_SC_NPROCESSORS_CONF);

	hold_events();
	for (;;) {
		for (int cpu = 0; cpu < nr_cpus; cpu++) {
			cpu_set_t one;

			CPU_ZERO(&one);
			CPU_SET((size_t)cpu, &one);
			/* One that is offline refuses; any other runs us before
			 * this returns. */
			sched_setaffinity(0, sizeof(one), &one);
		}
		if (puts("beat") < 0 || fflush(stdout))
			return 1;
		sleep(seconds);
	}
}
