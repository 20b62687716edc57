/* SPDX-License-Identifier: MIT */
/*
 * Scans of columns. What is left over on a node is weighed and summed to its
 * cost. A key is the cost's bits, whose order is that of positive numbers, with
 * the node's index in a block in place of the last 12, so that the least key of a
 * block is the first node of those with the least cost.
 */
#ifndef PLACE_SCAN_H
#define PLACE_SCAN_H

#include <stdint.h>
#include <string.h>

#define SCAN_INDEX_BITS 12
#define SCAN_MOST	((INT64_C(1) << 52) - 1) /* that a double holds exactly */
#define SCAN_NONE	INT64_MAX

/* The cost, to 40 bits. */
static inline double scan_cost(const int64_t *left, const double *weight,
			       unsigned int nr)
{
	double cost = 0;
	int64_t bits;

	for (unsigned int i = 0; i < nr; i++)
		cost += (double)(left[i] < SCAN_MOST ? left[i] : SCAN_MOST) *
			weight[i];
	memcpy(&bits, &cost, sizeof(bits));
	bits &= -(INT64_C(1) << SCAN_INDEX_BITS);
	memcpy(&cost, &bits, sizeof(bits));
	return cost;
}

/* The index of the node with the least cost, of those with as much free as
 * amounts in each of nr columns; -1: none. With first the first of them. */
int64_t scan_columns(const int64_t *const *free, const int64_t *amounts,
		     const double *weights, unsigned int nr, uint32_t nr_nodes,
		     int first);

#endif
