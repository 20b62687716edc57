/* SPDX-License-Identifier: MIT */
/* The report of a replay, on stdout. */
#ifndef TOOL_REPLAY_REPORT_H
#define TOOL_REPLAY_REPORT_H

#include "replay/verdict.h"

struct replay_report {
	const struct replay_setup *setup;
	const struct replay_result *result;
	const struct replay_verdict *verdict; /* NULL: not asked for */
};

/* Print it. -ENOMEM is printed; other errors are those of stdout. */
int replay_text(const struct replay_report *report);
int replay_json(const struct replay_report *report);

#endif
