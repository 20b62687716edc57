// SPDX-License-Identifier: MIT
/* Scans of columns, by vectors where the processor has them, else node by node. */
#include "config.h"

#include "place/scan.h"

#define LONG  512u /* nodes in a block: at most 2^SCAN_INDEX_BITS */
#define SHORT 64u

/* As a double, its mantissa is an integer. */
#define MAGIC UINT64_C(0x4330000000000000)

struct scan {
	const int64_t *const *free;
	const int64_t *amounts;
	const double *weights;
	unsigned int nr;
};

static int64_t key_of(const struct scan *s, uint32_t node, int64_t index)
{
	double cost = 0;
	int64_t key;

	for (unsigned int r = 0; r < s->nr; r++) {
		int64_t has = s->free[r][node], left;

		if (has < s->amounts[r])
			return SCAN_NONE;
		left = has - s->amounts[r];
		cost += (double)(left < SCAN_MOST ? left : SCAN_MOST) *
			s->weights[r];
	}
	memcpy(&key, &cost, sizeof(key));
	return (key & -(INT64_C(1) << SCAN_INDEX_BITS)) | index;
}

static int64_t one_by_one(const struct scan *s, uint32_t from, uint32_t nr)
{
	int64_t least = SCAN_NONE;

	for (uint32_t i = 0; i < nr; i++) {
		int64_t key = key_of(s, from + i, i);

		least = key < least ? key : least;
	}
	return least;
}

#if defined(__x86_64__)
#define LANES	   4
#define NAME(what) what##_avx2
#define TARGET	   "avx2"
#define LANE_INDEX         \
	{                  \
		0, 1, 2, 3 \
	}
#include "place/vectors.h"
#define LANES	   8
#define NAME(what) what##_avx512
#define TARGET	   "avx512f,avx512vl,avx512dq"
#define LANE_INDEX                     \
	{                              \
		0, 1, 2, 3, 4, 5, 6, 7 \
	}
#include "place/vectors.h"
#endif

typedef int64_t (*scan_block)(const struct scan *s, uint32_t from, uint32_t nr);

static scan_block best_block(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512dq"))
		return columns_avx512;
	if (__builtin_cpu_supports("avx2"))
		return columns_avx2;
#endif
	return one_by_one;
}

int64_t scan_columns(const int64_t *const *free, const int64_t *amounts,
		     const double *weights, unsigned int nr, uint32_t nr_nodes,
		     int first)
{
	const struct scan s = {free, amounts, weights, nr};
	const scan_block block = best_block();
	uint32_t step = first ? SHORT : LONG;
	int64_t least = SCAN_NONE, node = -1;

	for (uint32_t from = 0; from < nr_nodes; from += step) {
		uint32_t left = nr_nodes - from;
		int64_t key = left < step ? one_by_one(&s, from, left)
					  : block(&s, from, step);

		if (key == SCAN_NONE ||
		    key >> SCAN_INDEX_BITS >= least >> SCAN_INDEX_BITS)
			continue;
		least = key;
		node = from + (key & ((1 << SCAN_INDEX_BITS) - 1));
		if (first)
			break;
	}
	return node;
}
