/* SPDX-License-Identifier: MIT */
/* Arrays that grow: a pointer, and the number of elements it has room for. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/*
 * Make room for at least nr elements. array and cap are variables: a pointer to
 * the elements, NULL at first, and an unsigned int. Elements above the old cap
 * are not initialised. The caller frees the array.
 *
 * -ENOMEM	no memory: nothing changed
 */
#define array_reserve(array, cap, nr)                                  \
	array_reserve_bytes(                                           \
		&(array), &(cap),                                      \
		(nr), /* NOLINTNEXTLINE(bugprone-sizeof-expression) */ \
		sizeof(*(array)))

/* array points to the pointer to the elements. */
int array_reserve_bytes(void *array, unsigned int *cap, unsigned int nr,
			size_t size);

#endif
