/* SPDX-License-Identifier: MIT */
/* The bytes of a ledger's file after the last instruction that changed it, for
 * tests that step a process: what a kill there would leave. */
#ifndef TEST_SUPPORT_IMAGE_H
#define TEST_SUPPORT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

#include "support/inside.h"

/* Pages of the file that exist, one after another. */
struct image_run {
	size_t at, end;
};

struct image {
	struct layout *now;
	char *last;
	size_t bytes;
	struct image_run *runs;
	size_t nr_runs;
	blkcnt_t blocks; /* when the runs were found */
	int64_t faults;
};

void image_open(struct image *image, const char *path);
void image_close(struct image *image);

/* Whether the file has changed since the last call, or since image_open(). */
bool image_changed(struct image *image);

/* Writes those bytes to a file. */
void image_write(const struct image *image, const char *path);

#endif
