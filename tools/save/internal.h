/* SPDX-License-Identifier: MIT */
/* What the files of save/ share. */
#ifndef SAVE_INTERNAL_H
#define SAVE_INTERNAL_H

#include <sys/types.h>

#include <numatally/view.h>

/*
 * Save what the view shows as @file, with the permissions @mode: a regular file
 * is created or replaced; a pipe or a character device, or stdout for "-", is
 * written to. Returns 0 or a negative error; *why is then the reason, in words.
 */
int save_put(const struct tally_view *view, const char *file, mode_t mode,
	     const char **why);

#endif
