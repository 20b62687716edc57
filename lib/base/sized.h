/* SPDX-License-Identifier: MIT */
/* Structures of the API that begin with their size, which the caller sets. The
 * caller may have been compiled for a library with fewer or more members. */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* More is no size, but memory that the caller did not set. */
#define SIZED_MOST 4096

/* The bytes up to the end of a member: of the last one of the first version. */
#define sized_upto(type, member) \
	(offsetof(type, member) + sizeof(((type *)NULL)->member))

/* Whether the caller set a size, of a structure that began with first bytes. */
static inline bool sized_fits(const void *given, size_t first)
{
	size_t has = *(const size_t *)given;

	return has >= first && has <= SIZED_MOST;
}

/*
 * Copy what the caller filled into the library's structure of size bytes, which
 * becomes its size; members that the caller does not know become 0.
 *
 * -EINVAL	the caller did not set the size
 * -E2BIG	the caller set a member that this library does not know
 */
static inline int sized_get(void *ours, size_t size, size_t first,
			    const void *given)
{
	size_t has = *(const size_t *)given;

	if (!sized_fits(given, first))
		return -EINVAL;
	for (size_t i = size; i < has; i++)
		if (((const char *)given)[i])
			return -E2BIG;
	memset(ours, 0, size);
	memcpy(ours, given, has < size ? has : size);
	*(size_t *)ours = size;
	return 0;
}

/*
 * Copy the library's structure of size bytes into the caller's, which fits and
 * whose size stays; members that this library does not know become 0.
 */
static inline void sized_put(void *given, const void *ours, size_t size)
{
	size_t has = *(const size_t *)given, skip = sizeof(has);
	size_t same = has < size ? has : size;

	memcpy((char *)given + skip, (const char *)ours + skip, same - skip);
	memset((char *)given + same, 0, has - same);
}

#endif
