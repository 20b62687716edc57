/* SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

static inline int64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The moment of CLOCK_MONOTONIC at which so long a wait ends; below 0: never. */
static inline int64_t deadline_ns(int64_t timeout_ns)
{
	int64_t end;

	return timeout_ns < 0 || __builtin_add_overflow(now_ns(), timeout_ns,
							&end)
		       ? INT64_MAX
		       : end;
}

/*
 * A clock that is the same in every process of the machine and never jumps, for
 * times in a ledger's file. In a time namespace CLOCK_MONOTONIC and all its kin
 * have an offset; the ticks of times(2) have none. They are SHARED_STEP_NS
 * apart.
 */
#define SHARED_STEP_NS INT64_C(10000000)
static inline int64_t shared_ns(void)
{
	return (int64_t)times(NULL) * (SECOND_NS / sysconf(_SC_CLK_TCK));
}

#endif
