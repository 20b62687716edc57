// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "held.h"

/* Yields before it sleeps, and all that it does before it gives up: 0.2 s. */
#define YIELDS	  200
#define MAX_TRIES 4200
#define NAP_NS	  50000

static void pause_once(unsigned int tries)
{
	const struct timespec nap = {0, NAP_NS};

	if (tries < YIELDS)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

int held_begin(const struct layout *l, struct held_read *read)
{
	while (read->tries++ < MAX_TRIES) {
		read->sequence = __atomic_load_n(&layout_limits(l)->sequence,
						 __ATOMIC_ACQUIRE);
		if (!(read->sequence & 1))
			return 0;
		pause_once(read->tries);
	}
	return -EAGAIN;
}

bool held_again(const struct layout *l, const struct held_read *read)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&layout_limits(l)->sequence, __ATOMIC_RELAXED) !=
	       read->sequence;
}

static int64_t get(const int64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void add(int64_t *sum, int64_t amount)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)amount);
}

static bool exists(const struct layout *l, uint32_t node, uint32_t row)
{
	return __atomic_load_n(layout_held_byte(l, 1 + node, row),
			       __ATOMIC_ACQUIRE) != 0;
}

/* What is held on a node, by all or, where row is not NULL, by one. */
static void add_node(const struct layout *l, uint32_t node, const uint32_t *row,
		     int64_t *sums)
{
	const int64_t *held = row ? layout_held(l, node, *row) : NULL;

	if (row && !exists(l, node, *row))
		return;
	for (uint32_t i = 0; i < l->header.params.nr_resources; i++)
		add(&sums[i],
		    get(held ? &held[i] : &layout_capacity(l, node, i)->held));
}

int held_add(const struct layout *l, const uint32_t *row, uint32_t first,
	     uint32_t end, int64_t *amounts)
{
	uint32_t nr_resources = l->header.params.nr_resources;
	int64_t sums[LAYOUT_MAX_COLUMNS];
	struct held_read read = {0};

	do {
		int err = held_begin(l, &read);

		if (err)
			return err;
		memset(sums, 0, nr_resources * sizeof(*sums));
		for (uint32_t n = first; n < end; n++)
			add_node(l, n, row, sums);
	} while (held_again(l, &read));
	for (uint32_t i = 0; i < nr_resources; i++)
		add(&amounts[i], sums[i]);
	return 0;
}
