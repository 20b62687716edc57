/* SPDX-License-Identifier: MIT */
#ifndef SORT_H
#define SORT_H

#include <stddef.h>

/* Sorts elements of size bytes each, and never allocates, which qsort() may
 * do. Equal elements come in any order. */
void sort_in_place(void *base, size_t nr, size_t size,
		   int (*order)(const void *a, const void *b));

#endif
