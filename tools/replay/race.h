/* SPDX-License-Identifier: MIT */
/*
 * Verification when threads raced and the order of their calls is not known.
 *
 * An amount is surely held from the return of its reserve to the call of its
 * release. It may be held from the call of its reserve to the return of its
 * release. At every instant
 *
 *	surely held <= held <= may be held
 *
 * The library is wrong if
 * - more than the capacity is surely held,
 * - it refused a request that fitted beside the most that may have been held
 *   at any instant of the call,
 * - a peak is not between the peaks of these two, or
 * - something else is held when all calls have returned.
 */
#ifndef TOOL_REPLAY_RACE_H
#define TOOL_REPLAY_RACE_H

#include "replay/verdict.h"

/* Needs the logs of the threads. -ENOMEM */
int replay_verify_race(const struct replay_setup *setup,
		       const struct replay_result *result,
		       struct replay_verdict *verdict);

#endif
