/* SPDX-License-Identifier: MIT */
/* Signals that the parent ignores stay ignored: see nohup(1). A shell without job
 * control ignores SIGINT and SIGQUIT for what it runs in the background. */
#ifndef TOOL_COMMON_SIGNALS_H
#define TOOL_COMMON_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static inline bool signal_is_ignored(int number)
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) &&
	       action.sa_handler == SIG_IGN;
}

/* Handle the signal, unless it is ignored. It interrupts system calls. */
static inline void signal_take(int number, void (*handler)(int number))
{
	const struct sigaction action = {.sa_handler = handler};

	if (!signal_is_ignored(number))
		sigaction(number, &action, NULL);
}

/* Die of the signal, so that the parent learns of it. */
static inline void signal_die(int number)
{
	signal(number, SIG_DFL);
	raise(number);
}

#endif
