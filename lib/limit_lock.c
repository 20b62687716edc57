// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <urcu/arch.h>

#include <numatally/limit.h>

#include "limit_lock.h"

/* Before a thread sleeps: a few us. */
#define SPINS	    50
#define SPIN_PAUSES 4

_Static_assert(sizeof(pthread_mutex_t) <= LAYOUT_LINE,
	       "the file has room for the lock");

#ifdef __GLIBC__
#define LOCK_KIND (UINT64_C(1) << 32 | sizeof(pthread_mutex_t))
/* Of a mutex that is robust (16) and shared between processes (128). */
#define LOCK_GLIBC_KIND (16 | 128)
#else
#define LOCK_KIND (UINT64_C(2) << 32 | sizeof(pthread_mutex_t))
#endif

/* TSan takes it for no lock. */
#if defined(__SANITIZE_THREAD__)
#define KNOWS_CLOCKLOCK 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KNOWS_CLOCKLOCK 0
#endif
#endif
#ifndef KNOWS_CLOCKLOCK
#define KNOWS_CLOCKLOCK 1
#endif

static pthread_mutex_t *lock_of(struct layout *l)
{
	return (pthread_mutex_t *)(void *)layout_limits(l)->lock;
}

int limit_lock_init(struct layout *l)
{
	pthread_mutexattr_t attr;
	int err = pthread_mutexattr_init(&attr);

	if (err)
		return -err;
	err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!err)
		err = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (!err)
		err = pthread_mutex_init(lock_of(l), &attr);
	pthread_mutexattr_destroy(&attr);
	layout_limits(l)->lock_kind = LOCK_KIND;
	return -err;
}

static struct layout_undo *undo_at(const struct layout *l, uint64_t i)
{
	return (struct layout_undo *)(l->origin + l->plan->undo.offset) + i;
}

static bool is_word(const struct layout *l, uint64_t offset)
{
	return offset % sizeof(uint64_t) == 0 &&
	       offset >= l->plan->limits_offset &&
	       offset < l->header.file_bytes;
}

/* Readers see no word of a change before the sequence is odd, ... */
static void begin(struct layout *l)
{
	uint64_t *sequence = &layout_limits(l)->sequence;

	__atomic_store_n(sequence, limit_get(sequence) | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* ... and an even one only behind all of them. */
static void end(struct layout *l)
{
	uint64_t *sequence = &layout_limits(l)->sequence;

	if (limit_get(sequence) & 1)
		__atomic_store_n(sequence, limit_get(sequence) + 1,
				 __ATOMIC_RELEASE);
}

void limit_set(struct layout *l, void *word, uint64_t value)
{
	uint64_t *nr_undo = &layout_limits(l)->nr_undo;
	uint64_t nr = limit_get(nr_undo), old = limit_get(word);
	struct layout_undo *undo;

	if (old == value)
		return;
	assert(nr < LAYOUT_NR_UNDO);
	if (!nr)
		begin(l);
	undo = undo_at(l, nr);
	undo->offset = (uint64_t)((char *)word - l->origin);
	undo->value = old;
	/* Whoever is killed has done what stands before. */
	__atomic_store_n(nr_undo, nr + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n((uint64_t *)word, value, __ATOMIC_RELAXED);
}

void limit_keep(struct layout *l)
{
	__atomic_store_n(&layout_limits(l)->nr_undo, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	end(l);
}

static int undo_all(struct layout *l)
{
	uint64_t *nr_undo = &layout_limits(l)->nr_undo;
	uint64_t nr = limit_get(nr_undo);
	int err = 0;

	if (nr > LAYOUT_NR_UNDO)
		return -EBADMSG;
	while (nr) {
		const struct layout_undo *undo = undo_at(l, --nr);
		uint64_t offset = limit_get(&undo->offset);

		if (is_word(l, offset))
			__atomic_store_n((uint64_t *)(l->origin + offset),
					 limit_get(&undo->value),
					 __ATOMIC_RELEASE);
		else
			err = -EBADMSG;
		__atomic_store_n(nr_undo, nr, __ATOMIC_RELEASE);
	}
	end(l);
	return err;
}

void limit_undo(struct layout *l)
{
	undo_all(l);
}

/* By a clock that nobody sets, where there is such a call. */
static int lock_within(pthread_mutex_t *lock, int64_t ns)
{
	struct timespec until;

#if defined(HAVE_PTHREAD_MUTEX_CLOCKLOCK) && KNOWS_CLOCKLOCK
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ns / 1000000000;
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until);
#else
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ns / 1000000000;
	return pthread_mutex_timedlock(lock, &until);
#endif
}

/* Whether it is of the kind that limit_lock_init() made: the C library trusts
 * what a mutex says of that, and asserts. */
static bool is_ours(const pthread_mutex_t *lock)
{
#ifdef __GLIBC__
	return __atomic_load_n(&lock->__data.__kind, __ATOMIC_RELAXED) ==
	       LOCK_GLIBC_KIND;
#else
	(void)lock;
	return true;
#endif
}

/* Who has it needs it for less than it takes to sleep and be woken. */
static int lock_soon(pthread_mutex_t *lock)
{
	int err = pthread_mutex_trylock(lock);

	for (int i = 0; err == EBUSY && i < SPINS; i++) {
		for (int k = 0; k < SPIN_PAUSES; k++)
			caa_cpu_relax();
		err = pthread_mutex_trylock(lock);
	}
	return err;
}

int limit_lock(struct layout *l, bool wait)
{
	pthread_mutex_t *lock = lock_of(l);
	int err, damage;

	if (layout_limits(l)->lock_kind != LOCK_KIND)
		return -ENOSYS;
	if (!is_ours(lock))
		return -EBADMSG;
	err = wait ? lock_soon(lock) : pthread_mutex_trylock(lock);
	if (err == EBUSY && wait)
		err = lock_within(lock, TALLY_LIMIT_WAIT_NS);
	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(lock);
	if (err)
		return err == EBUSY || err == ETIMEDOUT ? -EAGAIN : -EBADMSG;
	/* Of whoever had it before; also of one that opened the lock in a way
	 * of its own. */
	damage = undo_all(l);
	if (damage)
		pthread_mutex_unlock(lock);
	return damage;
}

void limit_unlock(struct layout *l)
{
	assert(!layout_limits(l)->nr_undo);
	pthread_mutex_unlock(lock_of(l));
}
