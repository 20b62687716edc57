// SPDX-License-Identifier: MIT
#include "config.h"

#include <numatally/slice.h>

#include "slice/internal.h"

/* The exported copies of the header's inline functions. */
extern inline uint64_t tally_slice_len(const struct tally_slice *s);
extern inline bool tally_slice_may_check(void);
extern inline void *tally_slice_at(void *origin, const struct tally_slice *s,
				   size_t size, uint64_t i);
extern inline void tally_slice_place(struct tally_slice *s, uint64_t base,
				     uint64_t cap);
extern inline void tally_slice_lay(struct tally_slice *s, uint64_t base,
				   uint64_t len, uint64_t cap);
extern inline int tally_slice_push(void *origin, struct tally_slice *s,
				   size_t size, const void *element);

static bool ends_beyond_64_bits(uint64_t base, size_t size, uint64_t cap)
{
	uint64_t bytes, end;

	return __builtin_mul_overflow(cap, (uint64_t)size, &bytes) ||
	       __builtin_add_overflow(base, bytes, &end);
}

int tally_slice_init(const void *origin, uint64_t base, size_t size,
		     uint64_t len, uint64_t cap, struct tally_slice *s)
{
	struct tally_slice made = {.base = base, .len = len, .cap = cap};

	if (len > cap || size == 0)
		return -EINVAL;
	if (ends_beyond_64_bits(base, size, cap))
		return -EOVERFLOW;
	if (tally_slice_may_check())
		tally_slice_check(origin, &made, size);
	*s = made;
	return 0;
}

int tally_slice_grow(struct tally_slice *s, uint64_t len)
{
	uint64_t old = __atomic_load_n(&s->len, __ATOMIC_RELAXED);

	if (tally_slice_may_check())
		slice_check_words(s, 0);
	if (len > __atomic_load_n(&s->cap, __ATOMIC_RELAXED))
		return -ENOSPC;
	while (old < len)
		if (__atomic_compare_exchange_n(&s->len, &old, len, true,
						TALLY_SLICE_PUBLISH,
						__ATOMIC_RELAXED))
			break;
	return 0;
}

int tally_slice_extend(const void *origin, struct tally_slice *s, size_t size,
		       uint64_t cap)
{
	struct tally_slice extended = {
		.base = s->base,
		.len = tally_slice_len(s),
		.cap = cap,
	};

	if (tally_slice_may_check())
		tally_slice_check(origin, s, size);
	if (cap < s->cap)
		return -ERANGE;
	if (ends_beyond_64_bits(s->base, size, cap))
		return -EOVERFLOW;
	if (tally_slice_may_check())
		tally_slice_check(origin, &extended, size);
	__atomic_store_n(&s->cap, cap, __ATOMIC_RELAXED);
	return 0;
}

int tally_slice_cut(const void *origin, struct tally_slice *s, size_t size,
		    uint64_t nr)
{
	if (tally_slice_may_check())
		tally_slice_check(origin, s, size);
	if (nr > s->len)
		return -ERANGE;
	s->base += nr * size;
	s->len -= nr;
	s->cap -= nr;
	return 0;
}

int tally_slice_shorten(struct tally_slice *s, uint64_t len)
{
	if (tally_slice_may_check())
		slice_check_words(s, 0);
	if (len > s->len)
		return -ERANGE;
	s->len = len;
	return 0;
}

int tally_slice_sub(const struct tally_slice *s, size_t size, uint64_t from,
		    uint64_t to, struct tally_slice *sub)
{
	if (tally_slice_may_check())
		slice_check_words(s, size);
	if (from > to || to > tally_slice_len(s))
		return -ERANGE;
	*sub = (struct tally_slice){
		.base = s->base + from * size,
		.len = to - from,
		.cap = to - from,
	};
	return 0;
}
