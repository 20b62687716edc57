/* SPDX-License-Identifier: MIT */
/* Counts what a program allocates, where no sanitizer has its own malloc. For
 * one source of a program. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#define HAS(f) __has_feature(f)
#else
#define HAS(f) 0
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) &&         \
	!defined(__SANITIZE_THREAD__) && !HAS(address_sanitizer) && \
	!HAS(thread_sanitizer)
#define COUNT_ALLOCATIONS 1
#endif

#ifdef COUNT_ALLOCATIONS
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nr, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static unsigned int allocations;

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	allocations++;
	return __libc_calloc(nr, size);
}

void *realloc(void *p, size_t size)
{
	allocations++;
	return __libc_realloc(p, size);
}
#endif

#endif
