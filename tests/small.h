/* SPDX-License-Identifier: MIT */
/* A ledger that is small and has everything in it, for tests that damage it
 * in many ways: which amounts it must hold, and its bytes. */
#ifndef SMALL_H
#define SMALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/reader.h>

#include "machine.h"

#define SMALL_KEYS 3

struct small {
	const char *path;
	char *image;
	size_t bytes;
	int64_t totals[4][2];		    /* by node; the last: of all */
	int64_t accounts[SMALL_KEYS][4][2]; /* by key, as totals */
};
extern const char *const small_keys[SMALL_KEYS];

/* Makes the ledger m->path, with four CPUs, live and settled amounts. */
void small_make(struct machine *m, struct small *small);
/* The same of one that was made so. */
void small_load(const char *path, struct small *small);
void small_free(struct small *small);

/* Makes the file what it was. */
void small_restore(const struct small *small);

/*
 * Reads all that a reader can. 0: all of it is right; -EBADMSG, ...: what the
 * first call that failed said. 1: an amount is wrong.
 */
int small_look(const struct small *small, struct tally_reader *reader);

/* Opens, looks, and closes. */
int small_says(const struct small *small);

#endif
