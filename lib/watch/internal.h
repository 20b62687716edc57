/* SPDX-License-Identifier: MIT */
/*
 * What the files of watch/ share.
 *
 *	struct tally_watch
 *	  thresholds[nr] ── account ──> names[]: copies of the callers' keys
 *	  accounts[nr]                  their handles, where a key names one
 *	  entries[max]                  of the accounts below a key; NULL: no
 *	                                threshold reads these
 *	  of_node[nr_nodes]             one sum for each node
 */
#ifndef WATCH_INTERNAL_H
#define WATCH_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include <numatally/watch.h>

#include "ledger/mapped.h"

struct tally_watch {
	const struct tally_view *view;
	struct layout *layout;
	struct tally_ledger *ledger; /* NULL: nobody tells of changes */
	int64_t look_ns;
	unsigned int flags;
	bool fired;
	uint64_t nr_fired;
	int64_t looked_ns; /* when it last looked at the file, and who writes */
	int64_t asked_ns;
	unsigned int nr;
	struct tally_watch_threshold thresholds[TALLY_WATCH_THRESHOLDS];
	struct tally_account accounts[TALLY_WATCH_THRESHOLDS];
	struct tally_entry *entries;
	size_t max_entries;
	int64_t *of_node;
	char *names;
	uint32_t stop; /* a futex of this process; 1: the thread ends */

	/* Of tally_watch_fd(). */
	int fd; /* -1: none */
	pid_t pid;
	pthread_t thread;
	pthread_mutex_t lock;		/* of the next two */
	struct tally_watch_event event; /* size 0: taken */
	int error;			/* that the thread ended with */
};

/* Whether the amount is on that side of the mark; with the hysteresis. */
bool watch_is_crossed(const struct tally_watch_threshold *t, int64_t amount);
bool watch_is_within(const struct tally_watch_threshold *t, int64_t amount);

/* Find what the threshold of this index names, and check it. Errors as
 * tally_watch_open(). */
int watch_find(struct tally_watch *watch, unsigned int index);

/* Read what the threshold of this index compares. -EAGAIN: it is not known at
 * this moment; others as tally_watch_wait(). */
int watch_amount(struct tally_watch *watch, unsigned int index,
		 int64_t *amount);

/* tally_watch_wait(), also of a watch with a descriptor. -ECANCELED: it is to
 * stop. */
int watch_wait(struct tally_watch *watch, int64_t timeout_ns,
	       struct tally_watch_event *event);

/* End the thread of tally_watch_fd(), if it runs. */
void watch_stop(struct tally_watch *watch);

#endif
