/* SPDX-License-Identifier: MIT */
/* A histogram of how long calls took. */
#ifndef TOOL_REPLAY_TIMES_H
#define TOOL_REPLAY_TIMES_H

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

/* The quantile at @share, 0 to 1, to within a 32nd; 0 without calls. */
uint64_t replay_times_at(const struct replay_times *times, double share);

#endif
