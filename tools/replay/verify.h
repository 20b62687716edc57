/* SPDX-License-Identifier: MIT */
/*
 * Whether the library kept its promises in a replay, judged by what the threads
 * saw alone.
 *
 * With one thread, a plain table is kept beside the library, event by event. It
 * must come to the same decisions: what is admitted, where, and what is refused.
 * With any number of threads, replay/race.h applies.
 */
#ifndef TOOL_REPLAY_VERIFY_H
#define TOOL_REPLAY_VERIFY_H

#include "replay/verdict.h"

/* Needs the logs of the threads. -ENOMEM, which is printed. */
int replay_verify(const struct replay_setup *setup,
		  const struct replay_result *result,
		  struct replay_verdict *verdict);

#endif
