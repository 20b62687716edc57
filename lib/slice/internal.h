/* SPDX-License-Identifier: MIT */
/* Checked mode: what its two files share, and ref.c and slice.c use. */
#ifndef SLICE_INTERNAL_H
#define SLICE_INTERNAL_H

#include <numatally/slice.h>

/* Read the words: len may grow at any time, and cap before it. */
struct tally_slice slice_look_at(const struct tally_slice *s);

/* Return what is wrong with the words, or NULL. */
const char *slice_judge_words(const struct tally_slice *seen, size_t size);

/* Print what is wrong with the header, and abort. */
_Noreturn void slice_fail(const char *wrong, const void *origin,
			  const struct tally_slice *s,
			  const struct tally_slice *seen, size_t size);

/* Verify the rules that need no origin. */
void slice_check_words(const struct tally_slice *s, size_t size);

#endif
