/* SPDX-License-Identifier: MIT */
/*
 * sparse: which parts of a ledger's file exist. Most of it is holes, and
 * reading a hole on a tmpfs allocates a page at the reader's cost: a file of a
 * few pages that claims its whole address range would take days to read and
 * more memory than there is. So before the first read of a place, a reader asks
 * the kernel whether it exists, and keeps the answer, one word for each run of
 * elements.
 */
#ifndef FILE_SPARSE_H
#define FILE_SPARSE_H

#include <stdbool.h>
#include <stdint.h>

struct layout;

/* The number of bytes that exist from an offset on, without a gap. */
uint64_t sparse_from(const struct layout *layout, uint64_t at);

/* Whether any of these bytes exist. */
bool sparse_begins(const struct layout *layout, uint64_t at, uint64_t bytes);

/*
 * Whether the i-th element of an array exists. sparse_has() is for an array
 * that is filled from its beginning; sparse_has_part() for one with gaps, and
 * asks for any part of the element, since a copy of the file may lack pages
 * that are 0. known: a word for each array, 0 at first.
 */
bool sparse_has(const struct layout *layout, uint64_t *known, uint64_t first,
		uint64_t stride, uint64_t i);
bool sparse_has_part(const struct layout *layout, uint64_t *known,
		     uint64_t first, uint64_t stride, uint64_t i);

#endif
