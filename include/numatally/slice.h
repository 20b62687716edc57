/* SPDX-License-Identifier: MIT */
/*
 * slice: a header of three words over memory that it does not own.
 *
 *     origin                base           base + len * size     base + cap *
 * size |                    |                     |                     | v v
 * v                     v
 *       +--------------------+=====================+.....................+----
 *       |                    |  elements in use    |  room to grow into  |
 *       +--------------------+=====================+.....................+----
 *
 * base counts bytes from an origin that the owner of the memory names: the
 * start of a mapping where the slice lies in a file that several processes
 * map at different addresses; NULL inside one process, which makes base an
 * address. len and cap count elements, whose size every caller passes (it is
 * a constant at the call, so that it costs nothing).
 *
 * The rules: 0 <= len <= cap, and base + cap * size lies inside one
 * allocation. Growing never moves a byte, so a sub-view never dangles; a
 * sub-view's cap is clipped to its len, so that siblings never overlap.
 *
 * Only this module writes to a header. A header has one writer at a time;
 * tally_slice_grow() alone may be called by several threads and processes at
 * once. Readers of a header that is written meanwhile use tally_slice_len(),
 * and read base only after they saw a len that is not 0.
 */
#ifndef NUMATALLY_SLICE_H
#define NUMATALLY_SLICE_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>

TALLY_BEGIN

struct tally_slice {
	uint64_t base; /* bytes from the origin to element 0 */
	uint64_t len;  /* elements in use */
	uint64_t cap;  /* elements that there is room for */
};

/* The len that a reader may rely on: elements below it are initialised. Pairs
 * with the release in tally_slice_grow(). */
static inline uint64_t tally_slice_len(const struct tally_slice *s)
{
	return __atomic_load_n(&s->len, __ATOMIC_ACQUIRE);
}

/* The address of element i, which must be below the len that the caller saw. */
static inline void *tally_slice_at(void *origin, const struct tally_slice *s,
				   size_t size, uint64_t i)
{
	return (char *)origin + s->base + i * size;
}

/* Lays a header that is all 0 (len too) over cap elements at base. Threads and
 * processes may lay one header at once, if they lay it alike. */
static inline void tally_slice_place(struct tally_slice *s, uint64_t base,
				     uint64_t cap)
{
	__atomic_store_n(&s->base, base, __ATOMIC_RELAXED);
	__atomic_store_n(&s->cap, cap, __ATOMIC_RELAXED);
}

/*
 * Raises len to at least len, in place: element addresses stay as they are,
 * and what the caller wrote into the new elements is visible to whoever sees
 * the new len. Never lowers it. Threads and processes may grow one header at
 * once.
 *
 * -ENOSPC	len > cap
 */
TALLY_API int tally_slice_grow(struct tally_slice *s, uint64_t len);

/*
 * The elements [from, to) of s as a slice of their own, its cap clipped to
 * them: what grows out of *sub can't overwrite what follows it in s.
 *
 * -ERANGE	not from <= to <= len
 */
TALLY_API int tally_slice_sub(const struct tally_slice *s, size_t size,
			      uint64_t from, uint64_t to,
			      struct tally_slice *sub);

TALLY_END

#endif
