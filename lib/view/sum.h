/* SPDX-License-Identifier: MIT */
/* Sums cells in place, over lanes, banks and folded cells. */
#ifndef VIEW_SUM_H
#define VIEW_SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "file/file.h"

struct sum {
	const struct layout *layout;
	const struct tally_slice *records; /* of lanes, by node index */
	uint64_t frozen; /* the epoch whose bank stands still, plus 1; 0: live */
	uint32_t first_plane, end_plane;
	uint64_t from, to; /* rows */
	bool totals;	   /* with counters of gone accounts, without gauges */
};

/*
 * Sum up every resource; sums wrap at 64 bits. sums is a row, aligned to a
 * cache line; it is overwritten, on failure too.
 *
 * -EBADMSG	a header in the file is damaged or never stands still, or the
 *		file was cut short
 */
int sum(const struct sum *s, uint64_t *sums);

/* The end of the buckets of a plane that a lane in the node's region has touched;
 * in a damaged file, maybe a later one. */
uint64_t sum_end_bucket(const struct sum *s, uint32_t node, uint32_t plane);

#endif
