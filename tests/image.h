/* SPDX-License-Identifier: MIT */
/* What a ledger's file held after the last instruction that changed it, for
 * tests that step a process: what a kill there leaves. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "inside.h"

struct image {
	struct layout *now;
	char *last;
	size_t bytes;
};

void image_open(struct image *image, const char *path);
void image_close(struct image *image);

/* Whether the file has changed since this was last asked, or image_open(). */
bool image_changed(struct image *image);

/* What it held then, as a file. */
void image_write(const struct image *image, const char *path);

#endif
