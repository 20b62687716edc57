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
 * base counts bytes from an origin that the owner of the memory chooses: the
 * start of the mapping, for a slice in a file that several processes map at
 * different addresses; NULL, for a slice of one process, whose base is then an
 * address. len and cap count elements. Every call passes the size of an
 * element, which is a constant there and costs nothing.
 *
 * The rules: 0 <= len <= cap, and base + cap * size lies inside one
 * allocation. Growing never moves a byte, so a sub-view never dangles. The cap
 * of a sub-view is clipped to its len, so siblings never overlap.
 *
 * Only this module writes to a header. A header has one writer at a time, with
 * two exceptions: any number of threads and processes may call
 * tally_slice_grow() at once, and tally_slice_place() with equal arguments.
 * While a header grows (place, lay, grow, push, extend) other threads may read
 * it: they call tally_slice_len(), and read base only after they saw a len
 * above 0. A header that is cut or shortened must have no other user; readers
 * get a copy of it (<numatally/slice_ref.h>).
 *
 * Checked mode verifies the rules at every use; each function below says which.
 * It aborts the process at the first header that breaks a rule, and writes what
 * is wrong to stderr. It is on in a library configured with --enable-debug, or
 * if NUMATALLY_CHECKED=1 is in the environment (0: off), and
 * tally_slice_set_checked() switches it at run time. It knows the allocations
 * that were registered. Switched off, it costs a use one untaken branch. A
 * ledger that is opened in checked mode also refuses bad inlined adds
 * (<numatally/ledger_inline.h>).
 *
 * The inline functions are also exported under their names, for callers that
 * can't inline.
 */
#ifndef NUMATALLY_SLICE_H
#define NUMATALLY_SLICE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <numatally/export.h>

/* The memory order with which a new len, or a new header, becomes visible to
 * readers. tests/slice/barrier.sh shows with __ATOMIC_RELAXED what goes wrong
 * without the barrier. */
#ifndef TALLY_SLICE_PUBLISH
#define TALLY_SLICE_PUBLISH __ATOMIC_RELEASE
#endif

TALLY_BEGIN

struct tally_slice {
	uint64_t base; /* bytes from the origin to element 0 */
	uint64_t len;  /* elements in use */
	uint64_t cap;  /* elements that there is room for */
};

/* Return the len that a reader may use: elements below it are initialised.
 * Pairs with the release in tally_slice_grow(). */
TALLY_API inline uint64_t tally_slice_len(const struct tally_slice *s)
{
	return __atomic_load_n(&s->len, __ATOMIC_ACQUIRE);
}

/* Checked mode: 0: off, 1: on, -1: not asked yet. For the inline functions in
 * this header only. */
TALLY_API extern int tally_slice_checks;

/* Verify all rules, and for check_at that i < cap, in checked mode. Return if
 * it is off, or nothing is wrong. */
TALLY_API void tally_slice_check(const void *origin,
				 const struct tally_slice *s, size_t size);
TALLY_API void tally_slice_check_at(const void *origin,
				    const struct tally_slice *s, size_t size,
				    uint64_t i);

/* Whether checked mode is on, or not asked yet. */
TALLY_API inline bool tally_slice_may_check(void)
{
	return __builtin_expect(
		__atomic_load_n(&tally_slice_checks, __ATOMIC_RELAXED) != 0, 0);
}

/* Return the address of element @i, which must be below a len that the caller
 * saw; below cap, if the caller is about to grow. Checked: all rules, and
 * i < cap. */
TALLY_API inline void *tally_slice_at(void *origin, const struct tally_slice *s,
				      size_t size, uint64_t i)
{
	uint64_t base;

	if (tally_slice_may_check())
		tally_slice_check_at(origin, s, size, i);
	/* Atomic: another thread may place the same header again. */
	base = __atomic_load_n(&s->base, __ATOMIC_RELAXED);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): no null is added to */
	return (void *)((uintptr_t)origin +
			(uintptr_t)(base + i * (uint64_t)size));
}

/*
 * Set up a header over @cap elements of @size bytes at @base, @len of them in
 * use. Checked: all rules.
 *
 * -EINVAL	len > cap, or size is 0
 * -EOVERFLOW	base + cap * size exceeds 64 bits
 */
TALLY_API TALLY_NODISCARD int tally_slice_init(const void *origin,
					       uint64_t base, size_t size,
					       uint64_t len, uint64_t cap,
					       struct tally_slice *s);

/* Turn a header that is all 0 into an empty one over @cap elements at @base.
 * Several threads and processes may place one header at once, if their
 * arguments are equal. */
TALLY_API inline void tally_slice_place(struct tally_slice *s, uint64_t base,
					uint64_t cap)
{
	__atomic_store_n(&s->base, base, __ATOMIC_RELAXED);
	__atomic_store_n(&s->cap, cap, __ATOMIC_RELAXED);
}

/* Likewise, with @len <= @cap elements in use. A reader that sees the len sees
 * what the caller wrote into them before. Not verified. */
TALLY_API inline void tally_slice_lay(struct tally_slice *s, uint64_t base,
				      uint64_t len, uint64_t cap)
{
	tally_slice_place(s, base, cap);
	__atomic_store_n(&s->len, len, TALLY_SLICE_PUBLISH);
}

/*
 * Raise len to at least @len, in place; never lower it. Addresses of elements
 * do not change. A reader that sees the new len sees what the caller wrote into
 * the new elements before. Any number of threads and processes may grow one
 * header at once. Checked: len <= cap.
 *
 * -ENOSPC	len > cap
 */
TALLY_API TALLY_NODISCARD int tally_slice_grow(struct tally_slice *s,
					       uint64_t len);

/*
 * Copy *@element behind the last one, and make it visible to readers. One
 * thread pushes; any number read, each up to the len that it saw, without a
 * lock or a reference count. Checked: all rules.
 *
 * -ENOSPC	len == cap
 */
TALLY_API TALLY_NODISCARD inline int tally_slice_push(void *origin,
						      struct tally_slice *s,
						      size_t size,
						      const void *element)
{
	uint64_t len = __atomic_load_n(&s->len, __ATOMIC_RELAXED);

	if (len >= s->cap)
		return -ENOSPC;
	memcpy(tally_slice_at(origin, s, size, len), element, size);
	__atomic_store_n(&s->len, len + 1, TALLY_SLICE_PUBLISH);
	return 0;
}

/*
 * Raise cap to @cap, up to which the memory must reach: the header can grow on,
 * and no byte moves. Checked: all rules, of the new cap too.
 *
 * -ERANGE	below the present cap
 * -EOVERFLOW	base + cap * size exceeds 64 bits
 */
TALLY_API TALLY_NODISCARD int tally_slice_extend(const void *origin,
						 struct tally_slice *s,
						 size_t size, uint64_t cap);

/*
 * Cut off the first @nr elements by moving base; no element moves. Checked: all
 * rules.
 *
 * -ERANGE	nr > len
 */
TALLY_API TALLY_NODISCARD int tally_slice_cut(const void *origin,
					      struct tally_slice *s,
					      size_t size, uint64_t nr);

/*
 * Lower len to @len. cap and the elements stay as they are. Checked: len is at
 * most cap.
 *
 * -ERANGE	above the present len
 */
TALLY_API TALLY_NODISCARD int tally_slice_shorten(struct tally_slice *s,
						  uint64_t len);

/*
 * Set *@sub to the elements [@from, @to) of @s. Its cap is clipped to them: a
 * push to *@sub can't overwrite the elements that follow in @s. Checked, as the
 * origin is not known: len <= cap, and base + cap * size fits 64 bits; the
 * other rules, when an element of *@sub is used.
 *
 * -ERANGE	not from <= to <= len
 */
TALLY_API TALLY_NODISCARD int tally_slice_sub(const struct tally_slice *s,
					      size_t size, uint64_t from,
					      uint64_t to,
					      struct tally_slice *sub);

/* Switch checked mode on or off, for the whole process, at any time; and tell
 * whether it is on. */
TALLY_API void tally_slice_set_checked(bool on);
TALLY_API bool tally_slice_checked(void);

/*
 * Tell checked mode, even while it is off, that an allocation begins or ends.
 * Private regions call these themselves. Call them after mapping and before
 * unmapping a file, and for any other memory that slices lie over. A use after
 * the end is reported as such until the addresses are registered again or
 * some hundred other allocations ended.
 *
 * Thread-safe. Registering may wait for read sections of other threads: do not
 * call it in one (<numatally/slice_ref.h>).
 *
 * -EINVAL	bytes is 0, or reaches past the end of the address space
 * -EEXIST	overlaps a registered allocation
 * -ENOMEM	no memory
 * -ENOENT	unregister: no allocation begins at base
 */
TALLY_API TALLY_NODISCARD int tally_slice_register(const void *base,
						   size_t bytes);
TALLY_API int tally_slice_unregister(const void *base);

TALLY_END

#endif
