// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/signals.h"
#include "stat/again.h"

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = number;
}

void stat_again_begin(const struct stat_options *o)
{
	if (!o->interval_ns)
		return;
	signal_take(SIGINT, stop);
	signal_take(SIGTERM, stop);
}

void stat_again_end(void)
{
	if (stopped && !fflush(stdout))
		signal_die(stopped);
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
