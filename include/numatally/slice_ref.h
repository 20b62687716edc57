/* SPDX-License-Identifier: MIT */
/*
 * slice_ref: a slice header that a publisher replaces while others read it.
 *
 * In a read section, a reader gets one whole header, the old one or the new
 * one. The header and the memory that it leads to stay until the section ends:
 *
 *	tally_slice_read_lock();
 *	s = tally_slice_ref_get(&ref);
 *	... elements of *s ...
 *	tally_slice_read_unlock();
 *
 * Reading takes no lock, writes to no memory that another thread writes to, and
 * can't fail. Read sections nest. They may be long, but publishers wait for
 * them.
 *
 * Read sections are those of liburcu's flavour "bp", because a library can't
 * ask every thread of the program to register: a thread's first read section
 * does. It costs a read section one load more than other flavours. A process
 * with several threads that forks, and reads in the child, calls the
 * urcu_bp_before_fork() family around the fork.
 *
 * This header alone needs liburcu's. Its inline functions are also exported
 * under their names, for callers that can't inline.
 */
#ifndef NUMATALLY_SLICE_REF_H
#define NUMATALLY_SLICE_REF_H

#include <urcu/urcu-bp.h>

#include <numatally/export.h>
#include <numatally/slice.h>

/* ThreadSanitizer does not see liburcu's barriers: tell it what they order. */
#if defined(__SANITIZE_THREAD__)
#define TALLY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TALLY_TSAN 1
#endif
#endif
#ifdef TALLY_TSAN
#include <sanitizer/tsan_interface.h>
#endif

TALLY_BEGIN

struct tally_slice_version;

struct tally_slice_ref {
	const struct tally_slice *current;
	struct tally_slice_version *retired; /* the newest first */
	unsigned int nr_retired;
};

/* With _LGPL_SOURCE, liburcu's own functions are static. */
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wstatic-in-inline"
#endif

/* Begin and end a read section. Each calls liburcu; if _LGPL_SOURCE is defined
 * before the first of its headers, it is inlined. That pays for short sections:
 * a look-up takes 0.6 ns without one, 1.2 in an inlined one, 7 in a called one,
 * and 0.6 each if 64 share an inlined one (tests/bench). */
TALLY_API inline void tally_slice_read_lock(void)
{
	urcu_bp_read_lock();
}

TALLY_API inline void tally_slice_read_unlock(void)
{
#ifdef TALLY_TSAN
	__tsan_release(&tally_slice_checks);
#endif
	urcu_bp_read_unlock();
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/* Return the header published last. The caller must be in a read section; the
 * header does not change until that ends. */
TALLY_API inline const struct tally_slice *
tally_slice_ref_get(const struct tally_slice_ref *ref)
{
	return __atomic_load_n(&ref->current, __ATOMIC_ACQUIRE);
}

/*
 * Publish a copy of *@first as the first header. The caller destroys *@ref.
 *
 * -ENOMEM	no memory
 */
TALLY_API TALLY_NODISCARD int
tally_slice_ref_init(const struct tally_slice *first,
		     struct tally_slice_ref *ref);

/* Wait for the readers, and free all headers; NULL is allowed. No reader may
 * begin any more. The memory under the last header stays its owner's. */
TALLY_API void tally_slice_ref_destroy(struct tally_slice_ref *ref);

/*
 * Publish a copy of *@next in place of the current header. A reader that gets
 * it sees the elements that the caller wrote before. One thread at a time may
 * publish, destroy or reclaim.
 *
 * Once no reader can have the old header, it is freed and @retire, unless NULL,
 * is called with @arg, to free the memory to which only the old header leads.
 * The publisher does so for 64 headers at a time, after one grace period: no
 * thread is needed, and memory stays bounded. Do not publish or reclaim in a
 * read section; @retire must not use *@ref.
 *
 * -ENOMEM	no memory: nothing changed
 */
TALLY_API TALLY_NODISCARD int
tally_slice_ref_publish(struct tally_slice_ref *ref,
			const struct tally_slice *next,
			void (*retire)(void *arg), void *arg);

/* Wait for the readers, then free and retire all replaced headers. */
TALLY_API void tally_slice_ref_reclaim(struct tally_slice_ref *ref);

TALLY_END

#endif
