/* SPDX-License-Identifier: MIT */
/*
 * Whether the library kept its promises in a replay, by what the threads saw of
 * it alone.
 *
 * In order (one thread): a plain table is kept, event by event, and must come
 *to the same: what is admitted, where, and what is refused.
 *
 * In a race: an amount is surely held from when its reserve had returned until
 * its release was called, and may be held from when its reserve was called
 *until its release had returned. At every instant
 *
 *	surely held <= held <= maybe held
 *
 * so that the library is wrong if more than the capacity is surely held at one;
 * if it refused what fitted into what was free of the most that may have been
 * held, all through the call; if its peak is not between these two's; or if it
 * holds something else than that when all calls are over.
 */
#ifndef REPLAY_VERIFY_H
#define REPLAY_VERIFY_H

#include "replay_drive.h"

#define REPLAY_MAX_PROBLEMS 20

struct replay_verdict {
	char *problems[REPLAY_MAX_PROBLEMS];
	size_t nr_told;	      /* of problems */
	uint64_t nr_problems; /* 0: it is verified */
};

/* Needs logs. In order only where there is one. -ENOMEM, which has been said. */
int replay_verify(const struct replay_setup *setup,
		  const struct replay_result *result,
		  struct replay_verdict *verdict);
void replay_verdict_free(struct replay_verdict *verdict);

/* Its halves. */
int replay_verify_order(const struct replay_setup *setup,
			const struct replay_result *result,
			struct replay_verdict *verdict);
int replay_verify_race(const struct replay_setup *setup,
		       const struct replay_result *result,
		       struct replay_verdict *verdict);

/* Adds one, of an event or (at SIZE_MAX) of none. */
void replay_problem(struct replay_verdict *verdict,
		    const struct replay_setup *setup, size_t event,
		    const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
