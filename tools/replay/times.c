// SPDX-License-Identifier: MIT
#include "config.h"

#include "replay/times.h"

/*
 *	ns 0 … 63	bucket 0 … 63
 *	64 … 127	bucket 64 + 0 … 31, two ns in each
 *	128 … 255	bucket 96 + 0 … 31, four in each, and so on
 */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int power;

	if (ns < 64)
		return (unsigned int)ns;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	return 64 + (power - 6) * 32 + ((unsigned int)(ns >> (power - 5)) - 32);
}

/* The longest time in the bucket. */
static uint64_t end_of(unsigned int bucket)
{
	unsigned int power = (bucket - 64) / 32 + 6;
	uint64_t step = (bucket - 64) % 32 + 33;

	return bucket < 64 ? bucket : (step << (power - 5)) - 1;
}

void replay_times_add(struct replay_times *times, uint64_t ns)
{
	times->nr++;
	times->counts[bucket_of(ns)]++;
	if (ns > times->most)
		times->most = ns;
}

void replay_times_merge(struct replay_times *times,
			const struct replay_times *other)
{
	times->nr += other->nr;
	if (other->most > times->most)
		times->most = other->most;
	for (unsigned int i = 0; i < REPLAY_NR_TIMES; i++)
		times->counts[i] += other->counts[i];
}

uint64_t replay_times_at(const struct replay_times *times, double share)
{
	double wanted = share * (double)times->nr;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < REPLAY_NR_TIMES; i++) {
		sum += times->counts[i];
		if (times->counts[i] && (double)sum >= wanted)
			return end_of(i) < times->most ? end_of(i)
						       : times->most;
	}
	return times->most;
}
