/* SPDX-License-Identifier: MIT */
/*
 * extent: what exists of a ledger's file. It is mostly holes, and to read one
 * on a tmpfs makes a page, at the reader's cost: a file of a few pages that
 * claims all of its addresses would be read for days, into memory that nobody
 * has. So nothing is read for the first time before the kernel says that it is
 * there; what it said is kept, one word for each run of elements.
 */
#ifndef EXTENT_H
#define EXTENT_H

#include <stdbool.h>
#include <stdint.h>

struct layout;

/* How many bytes there are at an offset, without a gap. */
uint64_t extent_from(const struct layout *layout, uint64_t at);

/* Whether any of the bytes there exist. */
bool extent_begins(const struct layout *layout, uint64_t at, uint64_t bytes);

/*
 * Whether the i-th element of an array that is made from its beginning on
 * exists; or, of one that has gaps, any part of it: a copy of the file may lack
 * pages that are 0. *known: 0 at first, the array's own.
 */
bool extent_has(const struct layout *layout, uint64_t *known, uint64_t first,
		uint64_t stride, uint64_t i);
bool extent_has_part(const struct layout *layout, uint64_t *known,
		     uint64_t first, uint64_t stride, uint64_t i);

#endif
