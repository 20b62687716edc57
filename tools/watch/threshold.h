/* SPDX-License-Identifier: MIT */
/* What numatally watch waits for, and what it does then. */
#ifndef TOOL_WATCH_THRESHOLD_H
#define TOOL_WATCH_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/reader.h>
#include <numatally/watch.h>

/* A threshold as the user wrote it: RESOURCE[@NODE][:KEY]{<|>|=}MARK[,BACK];
 * of pending accounts: [KEY]{>|=}MARK[,BACK]. */
struct watch_threshold {
	const char *text;   /* the option's value */
	unsigned int bytes; /* of it, before the sign */
	char *resource;	    /* NULL: of pending accounts */
	char *node;	    /* NULL: all nodes together */
	char *key;	    /* NULL: all accounts */
	struct tally_watch_threshold parsed;
};

struct watch_line {
	const char *argument; /* that named the ledger */
	const char *path;
	const struct tally_view *view;
	const struct watch_threshold *thresholds;
	unsigned int nr;
	bool json;
};

/* Parse the value of an option: 0, or the exit status 2. Nothing is looked up. */
int watch_parse(const char *option, const char *text, enum tally_watch_of of,
		enum tally_watch_side side, struct watch_threshold *threshold);
void watch_free(struct watch_threshold *threshold);

/* Look up its resource and node. False: an error was printed. */
bool watch_resolve(const struct tally_view *view, const char *ledger,
		   struct watch_threshold *threshold);

/* Return the line that tells of an event, without a newline, from malloc(). NULL:
 * no memory. */
char *watch_line(const struct watch_line *line,
		 const struct tally_watch_event *event);

/* Run a command, with the line in its environment, and wait for its end. Set
 * *@status to its exit status, or to 128 and the signal that ended it. False: it
 * can't be run; an error was printed, and *@status is 126 or 127. */
bool watch_command(char **argv, const char *line, int *status);

#endif
