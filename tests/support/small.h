/* SPDX-License-Identifier: MIT */
/* A small ledger with everything in it, for tests that damage it in many ways:
 * the amounts that it must hold, and its bytes. */
#ifndef TEST_SUPPORT_SMALL_H
#define TEST_SUPPORT_SMALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/reader.h>

#include "support/machine.h"

#define SMALL_KEYS 3

struct small {
	const char *path;
	char *image;
	size_t bytes;
	int64_t totals[4][2];		    /* by node; the last: of all */
	int64_t accounts[SMALL_KEYS][4][2]; /* by key, as totals */
};
extern const char *const small_keys[SMALL_KEYS];

/* Make the ledger m->path, with four CPUs, live and folded amounts. */
void small_make(struct machine *m, struct small *small);
/* Load a ledger that small_make() made. */
void small_load(const char *path, struct small *small);
void small_free(struct small *small);

/* Restore the file. */
void small_restore(const struct small *small);

/*
 * Read all that a reader can. 0: all of it is right; -EBADMSG, ...: the result
 * of the first call that failed; 1: an amount is wrong.
 */
int small_look(const struct small *small, struct tally_reader *reader);

/* Open, look, and close. */
int small_says(const struct small *small);

#endif
