// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define FIRST_CAP 16

int array_reserve_bytes(void *array, unsigned int *cap, unsigned int nr,
			size_t size)
{
	unsigned int new_cap = *cap > UINT_MAX / 2 ? UINT_MAX : 2 * *cap;
	void *elements, *grown;

	if (nr <= *cap)
		return 0;
	if (new_cap < FIRST_CAP)
		new_cap = FIRST_CAP;
	if (new_cap < nr)
		new_cap = nr;
	/* Copied: the type of the pointer is the caller's. */
	memcpy(&elements, array, sizeof(elements));
	grown = reallocarray(elements, new_cap, size);
	if (!grown)
		return -ENOMEM;
	memcpy(array, &grown, sizeof(grown));
	*cap = new_cap;
	/* cppcheck-suppress memleak ; *array has it */
	return 0;
}
