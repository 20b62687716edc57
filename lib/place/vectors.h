/* SPDX-License-Identifier: MIT */
/*
 * The least key of a block of columns, as one_by_one() finds it, LANES nodes at a
 * time. scan.c includes this once for each TARGET, and NAME() tells them apart:
 * not every compiler makes vectors of a plain loop at the usual -O2.
 */
#define ints	NAME(ints)
#define words	NAME(words)
#define doubles NAME(doubles)
typedef int64_t ints __attribute__((vector_size(LANES * sizeof(int64_t))));
typedef uint64_t words __attribute__((vector_size(LANES * sizeof(uint64_t))));
typedef double doubles __attribute__((vector_size(LANES * sizeof(double))));

/* Always inlined, so that nr is a constant and its loop unrolled. */
static inline __attribute__((always_inline, target(TARGET))) int64_t
NAME(vectors)(const struct scan *s, uint32_t from, uint32_t nr_nodes,
	      unsigned int nr)
{
	ints least = (ints){0} + SCAN_NONE, index = LANE_INDEX;
	int64_t result = SCAN_NONE;

	for (uint32_t i = 0; i < nr_nodes; i += LANES) {
		doubles cost = {0};
		ints lacks = {0}, key, less;

#pragma GCC unroll 4
		for (unsigned int r = 0; r < nr; r++) {
			ints has, left, over;
			doubles amount;

			memcpy(&has, &s->free[r][from + i], sizeof(has));
			lacks |= has < s->amounts[r];
			/* Wraps where too little is free. */
			left = (ints)((words)has - (uint64_t)s->amounts[r]);
			over = left > SCAN_MOST;
			left = (left & ~over) | (over & SCAN_MOST);
			left |= (int64_t)MAGIC;
			memcpy(&amount, &left, sizeof(amount));
			cost += (amount - 0x1p52) * s->weights[r];
		}
		memcpy(&key, &cost, sizeof(key));
		key = (key & -(INT64_C(1) << SCAN_INDEX_BITS)) | index;
		key |= lacks;
		key &= SCAN_NONE; /* the largest, where some lacks */
		less = key < least;
		least = (key & less) | (least & ~less);
		index += LANES;
	}
	for (unsigned int i = 0; i < LANES; i++)
		result = least[i] < result ? least[i] : result;
	return result;
}

__attribute__((target(TARGET))) static int64_t
NAME(columns)(const struct scan *s, uint32_t from, uint32_t nr)
{
	switch (s->nr) {
	case 1:
		return NAME(vectors)(s, from, nr, 1);
	case 2:
		return NAME(vectors)(s, from, nr, 2);
	case 3:
		return NAME(vectors)(s, from, nr, 3);
	case 4:
		return NAME(vectors)(s, from, nr, 4);
	default:
		return one_by_one(s, from, nr);
	}
}

#undef ints
#undef words
#undef doubles
#undef LANES
#undef NAME
#undef TARGET
#undef LANE_INDEX
