// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/verdict.h"

void replay_problem(struct replay_verdict *v, const struct replay_setup *setup,
		    size_t event, const char *format, ...)
{
	const struct replay_trace *trace = setup->trace;
	char what[256], whole[768];
	va_list args;

	if (v->nr_problems++ >= REPLAY_MAX_PROBLEMS)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s", what);
	if (event < trace->nr_events) {
		const struct replay_event *e = &trace->events[event];

		snprintf(whole, sizeof(whole), "%.500s:%u: %s",
			 trace->files[e->file], e->line, what);
	}
	v->problems[v->nr_kept] = strdup(whole);
	if (v->problems[v->nr_kept])
		v->nr_kept++;
}

void replay_verdict_free(struct replay_verdict *verdict)
{
	for (size_t i = 0; i < verdict->nr_kept; i++)
		free(verdict->problems[i]);
}
