/* SPDX-License-Identifier: MIT */
/*
 * A lock of the process which no child of fork(2) finds taken, by a thread that it
 * does not have: a fork waits for it. FORK_LOCK(name) defines name_take() and
 * name_leave(). No thread takes two of these locks, but one that forks; and none
 * waits for another thread while it has one.
 */
#ifndef BASE_FORK_LOCK_H
#define BASE_FORK_LOCK_H

#include <pthread.h>

#define FORK_LOCK(name)                                                  \
	static pthread_mutex_t name##_mutex = PTHREAD_MUTEX_INITIALIZER; \
	static pthread_once_t name##_once = PTHREAD_ONCE_INIT;           \
                                                                         \
	static void name##_before_fork(void)                             \
	{                                                                \
		pthread_mutex_lock(&name##_mutex);                       \
	}                                                                \
                                                                         \
	static void name##_leave(void)                                   \
	{                                                                \
		pthread_mutex_unlock(&name##_mutex);                     \
	}                                                                \
                                                                         \
	static void name##_init(void)                                    \
	{                                                                \
		/* It fails without memory alone. */                     \
		pthread_atfork(name##_before_fork, name##_leave,         \
			       name##_leave);                            \
	}                                                                \
                                                                         \
	static void name##_take(void)                                    \
	{                                                                \
		pthread_once(&name##_once, name##_init);                 \
		pthread_mutex_lock(&name##_mutex);                       \
	}                                                                \
	_Static_assert(1, "")

#endif
