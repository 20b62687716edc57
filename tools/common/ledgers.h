/* SPDX-License-Identifier: MIT */
/* Finds ledgers, and describes their errors, writers and states. */
#ifndef TOOL_COMMON_LEDGERS_H
#define TOOL_COMMON_LEDGERS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/reader.h>
#include <numatally/registry.h>

#include "common/json.h"

/*
 * Find a ledger. @argument is a path, if it has a '/', else a name: it is looked
 * up in the user's own directory, in root's, then in other users', of which only
 * one may have it. False: an error was printed.
 */
bool ledgers_find(const char *argument, char path[PATH_MAX]);

/* Print the error of a directory of ledgers. */
void ledgers_complain(const struct tally_registry_entry *directory);

/* Print the error of opening or reading a ledger. */
void ledgers_complain_of(const char *name, int err);

/* The words for an error of opening or reading a ledger. */
const char *ledgers_error(int err);

struct ledgers_writers {
	unsigned int alive;
	unsigned int dead;
	unsigned int unknown; /* whether they live is not known */
};
struct ledgers_writers ledgers_writers(const struct tally_reader *reader);
/* Put them as a member of an object. */
void ledgers_put_writers(struct json_writer *w, const char *name,
			 const struct ledgers_writers *writers);

/* "live", "no writer", "saved", "stale", "damaged", or "unknown": its writers can't be
 * seen, and may be alive. */
const char *ledgers_state(const struct tally_reader *reader,
			  const struct ledgers_writers *writers);
const char *ledgers_entry_state(const struct tally_registry_entry *entry);

/* Print "NAME: 12 accounts, 2 writers" or another state, without a newline.
 * Returns 0 or -ENOMEM. */
int ledgers_print_head(const char *name, uint64_t nr_accounts,
		       const struct tally_reader *reader);

#endif
