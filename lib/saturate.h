/* SPDX-License-Identifier: MIT */
#ifndef SATURATE_H
#define SATURATE_H

#include <stdint.h>

/* Of amounts that are not negative. What is too large, as only a hostile tree
 * has it, stays the largest that there is. */
static inline int64_t saturate_add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

#endif
