// SPDX-License-Identifier: MIT
/* A heap sort (Williams, 1964). */
#include "config.h"

#include <string.h>

#include "base/sort.h"

struct heap {
	unsigned char *base;
	size_t size;
	int (*order)(const void *a, const void *b);
};

static void *at(const struct heap *h, size_t i)
{
	return h->base + i * h->size;
}

static void swap(const struct heap *h, size_t i, size_t j)
{
	unsigned char *a = at(h, i), *b = at(h, j), t[16];
	size_t n, step;

	for (n = 0; n < h->size; n += step) {
		step = h->size - n < sizeof(t) ? h->size - n : sizeof(t);
		memcpy(t, a + n, step);
		memcpy(a + n, b + n, step);
		memcpy(b + n, t, step);
	}
}

static void sift(const struct heap *h, size_t i, size_t nr)
{
	size_t child;

	while ((child = 2 * i + 1) < nr) {
		if (child + 1 < nr &&
		    h->order(at(h, child), at(h, child + 1)) < 0)
			child++;
		if (h->order(at(h, i), at(h, child)) >= 0)
			return;
		swap(h, i, child);
		i = child;
	}
}

void sort_in_place(void *base, size_t nr, size_t size,
		   int (*order)(const void *a, const void *b))
{
	struct heap h = {.base = base, .size = size, .order = order};
	size_t i;

	for (i = nr / 2; i-- > 0;)
		sift(&h, i, nr);
	for (i = nr; i-- > 1;) {
		swap(&h, 0, i);
		sift(&h, 0, i);
	}
}
