/* SPDX-License-Identifier: MIT */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>

/* Sort elements of size bytes each, and never allocate, as qsort() may. The
 * order of equal elements is undefined. */
void sort_in_place(void *base, size_t nr, size_t size,
		   int (*order)(const void *a, const void *b));

#endif
