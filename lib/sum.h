/* SPDX-License-Identifier: MIT */
/* Sums cells over lanes, banks and settled cells, where they lie. */
#ifndef SUM_H
#define SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

struct sum {
	const struct layout *layout;
	const struct tally_slice *records; /* of lanes, by node index */
	uint64_t frozen; /* the epoch whose bank stands still, plus 1; 0: live */
	uint32_t first_plane, end_plane;
	uint64_t from, to; /* rows */
	bool totals;	   /* whole buckets: with counters of what is gone, and
			      without its stocks */
};

/*
 * The sums of every resource; they wrap at 64 bits. sums: a row, aligned to a
 * cache line; what was in it is lost, on failure too.
 *
 * -EBADMSG	a header in the file is damaged, or never stands still, or the
 *		file was cut short
 */
int sum(const struct sum *s, uint64_t *sums);

#endif
