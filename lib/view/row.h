/* SPDX-License-Identifier: MIT */
/*
 * row: sums one account's row that is one cache line. There finding the cells
 * takes the time, not adding them.
 */
#ifndef VIEW_ROW_H
#define VIEW_ROW_H

#include <stdint.h>

#include "view/sum.h"

/* ThreadSanitizer must see each load of a cell as atomic. */
#if !defined(__SANITIZE_THREAD__)
#define SUM_ROW 1
#endif

/* Like sum(), for the row s->from; sums is one cache line. */
int sum_row(const struct sum *s, uint64_t *sums);

#endif
