/* SPDX-License-Identifier: MIT */
/*
 * Threads that give amounts from account to account in a circle, and count each
 * time after that, while snapshots are taken. An account counts after the one
 * before it: so in a snapshot no account has counted more than the one before.
 */
#ifndef TEST_SUPPORT_GIVING_H
#define TEST_SUPPORT_GIVING_H

#include "support/test.h"

#include <pthread.h>

#include <numatally/reader.h>

#include "support/machine.h"

#define GIVING_ACCOUNTS 6
#define GIVING_THREADS	4 /* at most, of one process */

struct giver {
	pthread_t thread;
	struct tally_ledger *ledger;
	struct tally_account accounts[GIVING_ACCOUNTS];
	const int *stop;
	int64_t nr; /* that it gave */
	int err;
};

struct giving {
	struct giver givers[GIVING_THREADS];
	unsigned int nr;
	int stop;
};

/* Start nr threads on a ledger of machine_resources; end them, and return how
 * often they gave. */
void giving_start(struct giving *giving, struct tally_ledger *ledger,
		  unsigned int nr);
int64_t giving_stop(struct giving *giving);

/* How often all have given so far. */
int64_t giving_nr(const struct giving *giving);

/*
 * Return 0 if a snapshot of a ledger in which nr threads give is whole: amounts
 * sum to zero, and no account has an effect without its cause, or less than in
 * the snapshot before, of which *last keeps the count (0 at first). Otherwise
 * the number of what does not hold; -errno.
 */
int giving_check(const struct tally_view *view, unsigned int nr, int64_t *last);

#endif
