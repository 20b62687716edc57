/* SPDX-License-Identifier: MIT */
/* Arrays that grow by doubling. */
#ifndef TOOL_COMMON_ARRAY_H
#define TOOL_COMMON_ARRAY_H

#include <errno.h>
#include <stddef.h>

/*
 * Grow an array of *@room elements of @size bytes until it has room for
 * @wanted. Returns it at its new place, with *@room updated; or NULL where
 * there is no memory, with both as they were. A new array is NULL, its room 0.
 */
void *array_grow(void *array, size_t *room, size_t wanted, size_t size)
	__attribute__((warn_unused_result));

/* Make room in @array, a pointer, for @wanted elements; @room is a size_t.
 * Returns 0, or -ENOMEM with both as they were. */
#define array_reserve(array, room, wanted)                                    \
	({                                                                    \
		void *array_at =                                              \
			array_grow(array, &(room), wanted, sizeof(*(array))); \
                                                                              \
		if (array_at)                                                 \
			(array) = array_at;                                   \
		array_at ? 0 : -ENOMEM;                                       \
	})

#endif
