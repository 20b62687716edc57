// SPDX-License-Identifier: MIT
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "common/clock.h"
#include "stat/again.h"

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

void stat_again_begin(const struct stat_options *o)
{
	struct sigaction action = {.sa_handler = stop};

	if (!o->interval_ns)
		return;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool stat_again(const struct stat_options *o, struct stat_again *again,
		int64_t time_ns)
{
	again->nr++;
	if (ferror(stdout) || !o->interval_ns || again->nr == o->count)
		return false;
	if (again->nr == 1)
		again->next_ns = time_ns;
	if (!stopped)
		sleep_interval(&again->next_ns, o->interval_ns);
	return !stopped;
}
