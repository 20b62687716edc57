/* SPDX-License-Identifier: MIT */
/* uncancelled: pthread_cancel(3) ends no thread inside the library, where it
 * may have locks of the process or of a ledger, descriptors and memory. */
#ifndef BASE_UNCANCELLED_H
#define BASE_UNCANCELLED_H

#include <pthread.h>

static inline int uncancelled_begin(void)
{
	int state = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void uncancelled_end(const int *state)
{
	int ignored;

	pthread_setcancelstate(*state, &ignored);
}

/*
 * From here to the end of the block. Every function of the API in which a
 * thread can meet a cancellation point (pthreads(7)) begins with it, but for
 * those that are called too often: there it is around that point alone.
 */
#define UNCANCELLED                                       \
	__attribute__((cleanup(uncancelled_end), unused)) \
	const int state_ = uncancelled_begin()

#endif
