/* SPDX-License-Identifier: MIT */
/*
 * slice_ref: a slice header that is replaced as a whole while others read it.
 *
 * A publisher swaps the header; a reader gets, in a read section, one whole
 * header, the one before or the one after, and what it leads to stays until
 * the section ends:
 *
 *	tally_slice_read_lock();
 *	s = tally_slice_ref_get(&ref);
 *	... elements of *s ...
 *	tally_slice_read_unlock();
 *
 * Reading takes no lock, writes to no memory that another thread writes to,
 * and can't fail. Read sections nest; they may be short or long, but
 * publishers come to wait for them.
 *
 * This is liburcu's "bp" flavour, since a library can't ask every thread of
 * its user's program to register: a thread's first read section does it. It
 * costs a read section one load more than the other flavours. A process that
 * forks with several threads and reads on in the child calls the
 * urcu_bp_before_fork() family around it.
 */
#ifndef NUMATALLY_SLICE_REF_H
#define NUMATALLY_SLICE_REF_H

#include <urcu/urcu-bp.h>

#include <numatally/export.h>
#include <numatally/slice.h>

/* ThreadSanitizer doesn't see liburcu's barriers: tell it what they order. */
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

/* Each is a call into liburcu, or, where _LGPL_SOURCE is defined before any of
 * its headers is included, inlined: worth it where read sections are short (a
 * look-up without one takes 0.6 ns, in an inlined one 1.2, in a called one 7,
 * and 64 in an inlined one 0.6 each; tests/bench). Threads need nothing before
 * their first. */
static inline void tally_slice_read_lock(void)
{
	urcu_bp_read_lock();
}

static inline void tally_slice_read_unlock(void)
{
#ifdef TALLY_TSAN
	__tsan_release(&tally_slice_checks);
#endif
	urcu_bp_read_unlock();
}

/* The header as it was published last, in a read section, until whose end it
 * stays as it is. */
static inline const struct tally_slice *
tally_slice_ref_get(const struct tally_slice_ref *ref)
{
	return __atomic_load_n(&ref->current, __ATOMIC_ACQUIRE);
}

/*
 * Publishes a copy of *first. The caller destroys *ref.
 *
 * -ENOMEM	no memory
 */
TALLY_API int tally_slice_ref_init(const struct tally_slice *first,
				   struct tally_slice_ref *ref);

/* Waits for the readers, and frees what was published; takes NULL. No reader
 * may come any more. The memory under the last header is its owner's. */
TALLY_API void tally_slice_ref_destroy(struct tally_slice_ref *ref);

/*
 * Publishes a copy of *next; elements that the caller wrote before are visible
 * to whoever gets it. One thread at a time publishes, destroys or reclaims.
 *
 * The header that it replaces is freed when no reader can have it any more;
 * then retire(arg) is called, where retire is not NULL: to free the memory
 * that only the old header leads to. Headers are freed by the publisher, 64 at
 * a time, after waiting for one grace period (no thread is started, and no
 * publisher outruns the memory); so publish and reclaim are not called in a
 * read section, and retire must not use *ref.
 *
 * -ENOMEM	no memory: nothing changed
 */
TALLY_API int tally_slice_ref_publish(struct tally_slice_ref *ref,
				      const struct tally_slice *next,
				      void (*retire)(void *arg), void *arg);

/* Waits for the readers and frees, retires, all that was replaced. */
TALLY_API void tally_slice_ref_reclaim(struct tally_slice_ref *ref);

TALLY_END

#endif
