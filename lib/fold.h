/* SPDX-License-Identifier: MIT */
#ifndef FOLD_H
#define FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

/*
 * Adds the frozen bank, that of epoch - 1, to the settled cells, and zeroes
 * it. Whoever calls it alone may; after it was broken off anywhere, calling it
 * again finishes it.
 *
 * A bucket is settled by one store of its state: before it the frozen rows and
 * the old copy count, after it the new copy alone. Only then are rows zeroed.
 *
 * Of rows that are over (directory_over()) the new copy has nothing, but for
 * what they counted, in the row behind the others: the same store takes the
 * amounts off the one and puts them onto the other.
 *
 * -ENOSPC, -ENOMEM	no room for settled cells
 */
int fold(struct layout *layout, uint64_t epoch);

/* Whether nothing is settled in the row. */
bool fold_is_clean(const struct layout *layout, uint32_t row);

#endif
