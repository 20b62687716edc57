/* SPDX-License-Identifier: MIT */
/* How long calls took: counted, so that a million of them take no more room
 * than one. */
#ifndef REPLAY_TIMES_H
#define REPLAY_TIMES_H

#include <stdint.h>

/* One bucket for each ns below 64, then 32 for each power of 2. */
#define REPLAY_NR_TIMES (64 + 58 * 32)

struct replay_times {
	uint64_t nr;
	uint64_t most;
	uint64_t counts[REPLAY_NR_TIMES];
};

void replay_times_add(struct replay_times *times, uint64_t ns);
void replay_times_merge(struct replay_times *times,
			const struct replay_times *other);

/* The time that this share (0 to 1) of the calls took at most, to within a
 * 32nd; 0 where there are none. */
uint64_t replay_times_at(const struct replay_times *times, double share);

#endif
