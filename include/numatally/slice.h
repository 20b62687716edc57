/* SPDX-License-Identifier: MIT */
/*
 * slice: a header of three words over memory that it does not own.
 *
 *   origin           base            base + len * size    base + cap * size
 *     |                |                     |                    |
 *     v                v                     v                    v
 *     +----------------+=====================+....................+----
 *     |                |  elements in use    | room to grow into  |
 *     +----------------+=====================+....................+----
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
 * once, and tally_slice_place() by several that lay it alike. Readers of a
 * header that is written meanwhile use tally_slice_len(), and read base only
 * after they saw a len that is not 0. That holds for a header that only grows
 * (place, grow, push, extend); one that is cut or shortened has no other user,
 * and is shown to others as a copy (numatally/slice_ref.h).
 *
 * Checked mode verifies the rules at every use, and ends the process at the
 * first header that breaks one, with its words on stderr; the functions below
 * say what they verify. It is on from the start in a library configured with
 * --enable-debug, or where the environment has NUMATALLY_CHECKED=1 (0: off);
 * tally_slice_set_checked() decides while running. It knows the allocations
 * that were registered; off, it costs a use one untaken branch.
 */
#ifndef NUMATALLY_SLICE_H
#define NUMATALLY_SLICE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <numatally/export.h>

/* How a new len, or a new header, is shown to readers. A build with
 * __ATOMIC_RELAXED shows what goes wrong without the barrier: see
 * tests/slice_barrier.sh. */
#ifndef TALLY_SLICE_PUBLISH
#define TALLY_SLICE_PUBLISH __ATOMIC_RELEASE
#endif

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

/* Checked mode: 0 is off, 1 is on, -1 is not asked yet. Only for the inline
 * functions here. */
TALLY_API extern int tally_slice_checks;

/* Checked mode's test of all rules; i: of element i too. They return where it
 * is off, or nothing is wrong. */
TALLY_API void tally_slice_check(const void *origin,
				 const struct tally_slice *s, size_t size);
TALLY_API void tally_slice_check_at(const void *origin,
				    const struct tally_slice *s, size_t size,
				    uint64_t i);

static inline bool tally_slice_may_check(void)
{
	return __builtin_expect(
		__atomic_load_n(&tally_slice_checks, __ATOMIC_RELAXED) != 0, 0);
}

/* The address of element i, which must be below the len that the caller saw
 * (or below cap, for the one who is about to grow). Checked: all rules, and
 * i < cap. */
static inline void *tally_slice_at(void *origin, const struct tally_slice *s,
				   size_t size, uint64_t i)
{
	uint64_t base;

	if (tally_slice_may_check())
		tally_slice_check_at(origin, s, size, i);
	/* Atomic, as others may be laying the header once more, alike. */
	base = __atomic_load_n(&s->base, __ATOMIC_RELAXED);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): no null is added to */
	return (void *)((uintptr_t)origin +
			(uintptr_t)(base + i * (uint64_t)size));
}

/*
 * Lays a new header over cap elements of size bytes at base, len of them in
 * use. Checked: all rules.
 *
 * -EINVAL	len > cap, or size is 0
 * -EOVERFLOW	base + cap * size is more than 64 bits
 */
TALLY_API int tally_slice_init(const void *origin, uint64_t base, size_t size,
			       uint64_t len, uint64_t cap,
			       struct tally_slice *s);

/* Lays a header that is all 0 (len too) over cap elements at base. Threads and
 * processes may lay one header at once, if they lay it alike. */
static inline void tally_slice_place(struct tally_slice *s, uint64_t base,
				     uint64_t cap)
{
	__atomic_store_n(&s->base, base, __ATOMIC_RELAXED);
	__atomic_store_n(&s->cap, cap, __ATOMIC_RELAXED);
}

/*
 * The same, with the first len of them in use from the start: what the caller
 * wrote into them is visible to whoever sees len. len <= cap is the caller's
 * to see to.
 */
static inline void tally_slice_lay(struct tally_slice *s, uint64_t base,
				   uint64_t len, uint64_t cap)
{
	tally_slice_place(s, base, cap);
	__atomic_store_n(&s->len, len, TALLY_SLICE_PUBLISH);
}

/*
 * Raises len to at least len, in place: element addresses stay as they are,
 * and what the caller wrote into the new elements is visible to whoever sees
 * the new len. Never lowers it. Threads and processes may grow one header at
 * once. Checked: len <= cap.
 *
 * -ENOSPC	len > cap
 */
TALLY_API int tally_slice_grow(struct tally_slice *s, uint64_t len);

/*
 * Copies *element behind the last one and shows it to readers: one thread
 * pushes, any number reads, each up to the len that it saw, without a lock or
 * a count of references. Checked: all rules.
 *
 * -ENOSPC	len == cap
 */
static inline int tally_slice_push(void *origin, struct tally_slice *s,
				   size_t size, const void *element)
{
	uint64_t len = __atomic_load_n(&s->len, __ATOMIC_RELAXED);

	if (len >= s->cap)
		return -ENOSPC;
	memcpy(tally_slice_at(origin, s, size, len), element, size);
	__atomic_store_n(&s->len, len + 1, TALLY_SLICE_PUBLISH);
	return 0;
}

/*
 * Raises cap, where the owner of the memory knows that it reaches so far: the
 * header grows on without a byte being moved. Checked: all rules, of the new
 * cap too.
 *
 * -ERANGE	below the present cap
 * -EOVERFLOW	base + cap * size is more than 64 bits
 */
TALLY_API int tally_slice_extend(const void *origin, struct tally_slice *s,
				 size_t size, uint64_t cap);

/*
 * Cuts the first nr elements off, by moving base: no element moves, whatever
 * their number. Checked: all rules.
 *
 * -ERANGE	nr > len
 */
TALLY_API int tally_slice_cut(const void *origin, struct tally_slice *s,
			      size_t size, uint64_t nr);

/*
 * Lowers len; the memory stays the slice's, and its elements as they are.
 * Checked: len <= cap.
 *
 * -ERANGE	above the present len
 */
TALLY_API int tally_slice_shorten(struct tally_slice *s, uint64_t len);

/*
 * The elements [from, to) of s as a slice of their own, its cap clipped to
 * them: what grows out of *sub can't overwrite what follows it in s. Checked:
 * what shows without the origin: len <= cap, and that cap fits 64 bits; the
 * rest where an element of *sub is used.
 *
 * -ERANGE	not from <= to <= len
 */
TALLY_API int tally_slice_sub(const struct tally_slice *s, size_t size,
			      uint64_t from, uint64_t to,
			      struct tally_slice *sub);

/* Turns checked mode on or off, for the whole process, at any time. */
TALLY_API void tally_slice_set_checked(bool on);
TALLY_API bool tally_slice_checked(void);

/*
 * Tells checked mode (on or off: it may be turned on later) that an allocation
 * begins or ends. Private regions do so themselves; whoever maps a file, or
 * lays slices over memory of another kind, does it for that. A use after the
 * end is reported as that, as long as the addresses were not registered anew
 * and no more than some hundred allocations ended since. Thread-safe;
 * registering may wait for threads in read sections (numatally/slice_ref.h),
 * so it is not called in one.
 *
 * -EINVAL	bytes is 0, or reaches past the end of the address space
 * -EEXIST	overlaps a registered allocation
 * -ENOMEM	no memory
 * -ENOENT	unregister: none begins at base
 */
TALLY_API int tally_slice_register(const void *base, size_t bytes);
TALLY_API int tally_slice_unregister(const void *base);

TALLY_END

#endif
