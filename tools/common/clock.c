// SPDX-License-Identifier: MIT
#include "config.h"

#include "common/clock.h"

#define S_NS INT64_C(1000000000)

bool sleep_until(int64_t ns)
{
	struct timespec then = {ns / S_NS, ns % S_NS};

	return !clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

bool sleep_interval(int64_t *last_ns, int64_t interval_ns)
{
	int64_t late_ns = now_ns() - (*last_ns + interval_ns);

	*last_ns += interval_ns;
	if (late_ns > 0)
		*last_ns += late_ns / interval_ns * interval_ns;
	return sleep_until(*last_ns);
}
