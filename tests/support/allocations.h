/* SPDX-License-Identifier: MIT */
/* Counts a program's allocations, unless a sanitizer replaces malloc(). For one
 * source of a program. */
#ifndef TEST_SUPPORT_ALLOCATIONS_H
#define TEST_SUPPORT_ALLOCATIONS_H

#include "support/test.h"

#if defined(__GLIBC__) && !TEST_SANITIZED
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
