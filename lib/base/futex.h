/* SPDX-License-Identifier: MIT */
/* futex(2) on a word that processes share. */
#ifndef BASE_FUTEX_H
#define BASE_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleep until another process wakes the word; until @timeout, if that is not
 * NULL; or not at all, if the word is not @value. -1, errno: as futex(2). */
static inline long futex_wait(const uint32_t *word, uint32_t value,
			      const struct timespec *timeout)
{
	return syscall(SYS_futex, word, FUTEX_WAIT, value, timeout, NULL, 0);
}

/* Wake nr sleepers. It takes a word that may be read alone. */
static inline void futex_wake(const uint32_t *word, int nr)
{
	syscall(SYS_futex, word, FUTEX_WAKE, nr, NULL, NULL, 0);
}

/* The same for those bits: a wake ends the waits that share a bit with it. The
 * time-out is a moment of CLOCK_MONOTONIC. */
static inline long futex_wait_bits(const uint32_t *word, uint32_t value,
				   const struct timespec *until, uint32_t bits)
{
	return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, until, NULL,
		       bits);
}

static inline void futex_wake_bits(const uint32_t *word, uint32_t bits)
{
	syscall(SYS_futex, word, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, bits);
}

#endif
