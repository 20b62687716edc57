/* SPDX-License-Identifier: MIT */
/* What the verbs that look at ledgers share: where these are, what is said of
 * them, and how they are read without trusting them. */
#ifndef LEDGERS_H
#define LEDGERS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <numatally/reader.h>

struct ledgers_file {
	char *path;
	char *name;
};

struct ledgers {
	struct ledgers_file *files; /* by name, then by path */
	size_t nr;
	bool incomplete; /* a directory can't be listed: this has been said */
};

/*
 * Lists all files that may be ledgers: those in $NUMATALLY_DIR, if that is
 * set, else those in /dev/shm/numatally, if it is root's, and in every
 * /dev/shm/numatally-UID that is that user's. -ENOMEM: no memory, and nothing
 * to free.
 */
int ledgers_list(struct ledgers *ledgers);
void ledgers_free(struct ledgers *ledgers);

/*
 * Finds the ledger that argument means: a path, where it has a '/', else a
 * name: in our own directory, in root's, or in another user's where only one
 * has it. Has said so on stderr where it returns false.
 */
bool ledgers_find(const char *argument, char path[PATH_MAX]);

/* What an error that opening or reading a ledger gives means, in words. */
const char *ledgers_error(int err);

struct ledgers_writers {
	unsigned int alive;
	unsigned int dead;
	unsigned int hidden; /* in a PID namespace that we can't see */
};
struct ledgers_writers ledgers_writers(const struct tally_reader *reader);
json_t *ledgers_json_writers(const struct ledgers_writers *writers);

/* "live", "no writer", "stale", "damaged", or "hidden": all its writers may be
 * alive. */
const char *ledgers_state(const struct tally_reader *reader,
			  const struct ledgers_writers *writers);

/* Writes "NAME: 12 accounts, 2 writers", or what there is to say instead, but
 * no newline. -ENOMEM */
int ledgers_print_head(const char *name, uint64_t nr_accounts,
		       const struct tally_reader *reader);

#endif
