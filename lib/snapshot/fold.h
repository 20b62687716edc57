/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_FOLD_H
#define SNAPSHOT_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "file/file.h"

/*
 * Add the frozen bank, that of epoch - 1, to the folded cells, and zero it. The
 * caller must hold the epoch lock. Idempotent: may be re-run after a crash.
 *
 * One store of its state folds a bucket. Before the store, the frozen rows and
 * the old copy are valid; after it, the new copy alone. Only then are rows
 * zeroed.
 *
 * Reclaimable rows (directory_reclaimable()) are zero in the new copy; their
 * counters are in the row behind the others. So the same store moves these
 * amounts from one row to the other.
 *
 * -ENOSPC, -ENOMEM	no room for folded cells
 * -EBADMSG	the header over them is damaged
 */
int fold(struct layout *layout, uint64_t epoch);

/* Whether the row's folded cells are all zero. */
bool fold_is_clean(const struct layout *layout, uint32_t row);

#endif
