/* SPDX-License-Identifier: MIT */
/* The order in which counters are added to. */
#ifndef TEST_BENCH_PATTERN_H
#define TEST_BENCH_PATTERN_H

#include <stdint.h>

#include "bench.h"

#define PATTERN_NR_ROT	  64u
#define PATTERN_NR_RANDOM (1u << 20)

/* Over 64 counters, round and round. */
BENCH_LOOP uint64_t rot(uint64_t i)
{
	return i % PATTERN_NR_ROT;
}

BENCH_LOOP uint64_t hot(uint64_t i)
{
	(void)i;
	return 0;
}

/*
 * Over 1M counters, in an order that no prefetcher knows, and in which no turn
 * waits for the one before. The constants are those of splitmix64's last steps.
 */
BENCH_LOOP uint64_t scattered(uint64_t i)
{
	i *= UINT64_C(0xbf58476d1ce4e5b9);
	i ^= i >> 27;
	i *= UINT64_C(0x94d049bb133111eb);
	return i >> 44;
}

/* The loop of how(arg, index), in that order. */
#define PATTERN_LOOP(how, order)                              \
	BENCH_LOOP void how##_##order(void *arg, uint64_t nr) \
	{                                                     \
		for (uint64_t i = 0; i < nr; i++)             \
			how(arg, order(i));                   \
	}                                                     \
	BENCH_ALIGN(how##_##order)

#endif
