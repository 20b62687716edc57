/* SPDX-License-Identifier: MIT */
/*
 * error: words for the negative errno values that the library returns.
 *
 * Both functions return a string that is never NULL, never changes and is
 * never freed. Any thread may call them.
 */
#ifndef NUMATALLY_ERROR_H
#define NUMATALLY_ERROR_H

#include <numatally/export.h>

TALLY_BEGIN

/*
 * Describe @err, a negative errno value, in words that fit every function of
 * the library. The system's words describe what the library only passes on.
 */
TALLY_API TALLY_NODISCARD const char *tally_strerror(int err);

/*
 * Describe @err in the words of the function that returned it, by its name: to
 * tally_strerror_of("tally_account_find", -ENOENT) it is "no such account".
 * Equals tally_strerror() where the function, or NULL, has no words of its
 * own.
 */
TALLY_API TALLY_NODISCARD const char *tally_strerror_of(const char *function,
							int err);

TALLY_END

#endif
