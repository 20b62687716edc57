// SPDX-License-Identifier: MIT
#include "config.h"

#include <numatally/slice.h>

int tally_slice_grow(struct tally_slice *s, uint64_t len)
{
	uint64_t old = __atomic_load_n(&s->len, __ATOMIC_RELAXED);

	if (len > s->cap)
		return -ENOSPC;
	while (old < len)
		if (__atomic_compare_exchange_n(&s->len, &old, len, true,
						__ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			break;
	return 0;
}

int tally_slice_sub(const struct tally_slice *s, size_t size, uint64_t from,
		    uint64_t to, struct tally_slice *sub)
{
	if (from > to || to > tally_slice_len(s))
		return -ERANGE;
	*sub = (struct tally_slice){
		.base = s->base + from * size,
		.len = to - from,
		.cap = to - from,
	};
	return 0;
}
