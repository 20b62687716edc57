/* SPDX-License-Identifier: MIT */
#ifndef BASE_SATURATE_H
#define BASE_SATURATE_H

#include <stdint.h>

/* Add amounts that are not negative. A sum that is too large, as a hostile tree
 * can have it, becomes INT64_MAX. */
static inline int64_t saturate_add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

#endif
