/* SPDX-License-Identifier: MIT */
#ifndef TOOL_COMMON_CLOCK_H
#define TOOL_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The monotonic clock, in nanoseconds. */
static inline int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The time since the epoch, in nanoseconds, when the monotonic clock was at @ns,
 * as the clocks are set now. */
static inline int64_t real_ns(int64_t ns)
{
	int64_t before = now_ns();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec - (before - ns);
}

/* Sleep until the monotonic clock is at @ns. False: a signal came first. */
bool sleep_until(int64_t ns);

/*
 * Sleep until the next time that is a whole number of intervals after
 * *@last_ns, skip those that have passed, and store that time in *@last_ns.
 * False: a signal came first.
 */
bool sleep_interval(int64_t *last_ns, int64_t interval_ns);

#endif
