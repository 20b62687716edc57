/* SPDX-License-Identifier: MIT */
/* Checked mode, for the functions that do not know a slice's origin. */
#ifndef SLICE_CHECK_H
#define SLICE_CHECK_H

#include <numatally/slice.h>

/* The rules that show without it. */
void slice_check_words(const struct tally_slice *s, size_t size);

#endif
