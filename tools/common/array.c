// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/array.h"

void *array_grow(void *array, size_t *room, size_t wanted, size_t size)
{
	size_t larger = *room ? *room : 16;

	if (array && wanted <= *room)
		return array;
	while (larger < wanted)
		if (__builtin_mul_overflow(larger, 2, &larger))
			return NULL;
	array = reallocarray(array, larger, size);
	if (array)
		*room = larger;
	return array;
}
