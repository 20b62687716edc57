/* SPDX-License-Identifier: MIT */
/*
 * sum_row: one account's row, where that is one cache line. What takes time
 * there is to find the cells, and not to add them.
 */
#ifndef SUM_ROW_H
#define SUM_ROW_H

#include <stdint.h>

#include "sum.h"

/* ThreadSanitizer is to see each load of a cell as the atomic one it is. */
#if !defined(__SANITIZE_THREAD__)
#define SUM_ROW 1
#endif

/* As sum(), of the row s->from, into a cache line. */
int sum_row(const struct sum *s, uint64_t *sums);

#endif
