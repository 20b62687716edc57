// SPDX-License-Identifier: MIT
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stat_again.h"

#define S_NS INT64_C(1000000000)

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* A sleep ends at once, a table that is being written doesn't. */
void stat_again_begin(const struct stat_options *o)
{
	struct sigaction action = {.sa_handler = stop};

	if (!o->interval_ns)
		return;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* At times that are whole intervals from the first; those that we missed are
 * left out. */
static void sleep_until(int64_t *next_ns, int64_t interval_ns)
{
	struct timespec now, then;
	int64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = now.tv_sec * S_NS + now.tv_nsec;
	*next_ns += interval_ns;
	if (*next_ns < now_ns)
		*next_ns += (now_ns - *next_ns) / interval_ns * interval_ns;
	then.tv_sec = *next_ns / S_NS;
	then.tv_nsec = *next_ns % S_NS;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
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
		sleep_until(&again->next_ns, o->interval_ns);
	return !stopped;
}

void stat_csv_text(const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}
