/* SPDX-License-Identifier: MIT */
/* The problems that a verification found. */
#ifndef TOOL_REPLAY_VERDICT_H
#define TOOL_REPLAY_VERDICT_H

#include "replay/setup.h"

#define REPLAY_MAX_PROBLEMS 20

struct replay_verdict {
	char *problems[REPLAY_MAX_PROBLEMS];
	size_t nr_kept;	      /* of problems */
	uint64_t nr_problems; /* 0: it is verified */
};

/* Add a problem with an event, or, at SIZE_MAX, with none in particular. */
void replay_problem(struct replay_verdict *verdict,
		    const struct replay_setup *setup, size_t event,
		    const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void replay_verdict_free(struct replay_verdict *verdict);

#endif
