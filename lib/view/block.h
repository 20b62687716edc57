/* SPDX-License-Identifier: MIT */
/*
 * block: sums a run of rows of one bucket, each by itself: the cells of many
 * accounts lie next to each other, and are read in that order.
 *
 *	sums [plane][row][resource]	of the planes of the struct sum
 */
#ifndef VIEW_BLOCK_H
#define VIEW_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "view/sum.h"

/* Where the cells of the planes end, so that a CPU that never added for a node
 * costs nothing for each block. */
struct block_planes {
	uint32_t *ends;	     /* buckets, [plane][region]; to be freed */
	unsigned char *used; /* [plane]: 0: all sums of the last block are 0, and
				are not filled in; to be freed */
};

/* The bytes of the sums of that many rows. */
size_t block_bytes(const struct sum *s, uint64_t nr_rows);

/* Look at the cells that there are now. -ENOMEM */
int block_look(const struct sum *s, struct block_planes *planes);

/*
 * Sum up each of the rows [s->from, s->to), which are of one bucket, in each
 * plane. sums is aligned to a cache line; it is overwritten, on failure too. The
 * caller looks afterwards whether the file is whole.
 *
 * -EBADMSG	as from sum()
 */
int block_sum(const struct sum *s, const struct block_planes *planes,
	      uint64_t *sums);

#endif
