// SPDX-License-Identifier: MIT
/* Checked mode: the allocations that slices may lie over. */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <numatally/slice_ref.h>

#include "slice/internal.h"

#define ENDED_MAX 256 /* remembered after their end */

/* An allocation. Ranges are sorted by base and never overlap. One that ended
 * stays, so that a use of it is recognised, until its addresses are registered
 * again. */
struct range {
	uintptr_t base;
	uintptr_t end;
	uint64_t ended; /* 0: it has not; else the order in which it did */
};

/* A header over all ranges. Readers, signal handlers among them, look ranges up
 * without a lock; a registering thread copies them. tally_slice_at() would ask
 * here, so it is not used on them. */
static struct tally_slice_ref registry;
static pthread_mutex_t registering = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t nr_ended;

/* A fork doesn't wait for the lock, whose owner may wait for a reader: the thread
 * that forks. What it was about to free stays. */
static void after_fork(void)
{
	pthread_mutex_init(&registering, NULL);
	registry.retired = NULL;
	registry.nr_retired = 0;
}

static void init(void)
{
	/* It fails without memory alone. */
	pthread_atfork(NULL, NULL, after_fork);
}

static void lock(void)
{
	pthread_once(&once, init);
	pthread_mutex_lock(&registering);
}

static struct range *ranges_of(const struct tally_slice *s)
{
	return (struct range *)(uintptr_t)s->base; /* NOLINT(*-int-to-ptr) */
}

/* Return the number of ranges that begin at or below the address. */
static uint64_t nr_below(const struct range *ranges, uint64_t nr,
			 uintptr_t address)
{
	uint64_t from = 0;

	while (from < nr) {
		uint64_t middle = from + (nr - from) / 2;

		if (ranges[middle].base <= address)
			from = middle + 1;
		else
			nr = middle;
	}
	return from;
}

/* Return what is wrong with [from, end), or NULL. */
static const char *look_up(uintptr_t from, uintptr_t end)
{
	const char *wrong = "base is in no allocation";
	const struct tally_slice *all;

	tally_slice_read_lock();
	all = tally_slice_ref_get(&registry);
	if (all) {
		const struct range *ranges = ranges_of(all);
		uint64_t nr = nr_below(ranges, all->len, from);

		if (nr > 0 && from < ranges[nr - 1].end) {
			const struct range *r = &ranges[nr - 1];

			if (__atomic_load_n(&r->ended, __ATOMIC_RELAXED))
				wrong = "used after its memory was released";
			else if (end > r->end)
				wrong = "cap reaches beyond the allocation";
			else
				wrong = NULL;
		}
	}
	tally_slice_read_unlock();
	return wrong;
}

static const char *judge(const void *origin, const struct tally_slice *seen,
			 size_t size)
{
	const char *wrong = slice_judge_words(seen, size);
	uintptr_t from, end;

	/* Without room for an element, base is never used. */
	if (wrong || seen->cap == 0)
		return wrong;
	if (__builtin_add_overflow((uintptr_t)origin, seen->base, &from) ||
	    __builtin_add_overflow(from, seen->cap * size, &end))
		return "it ends beyond the address space";
	return look_up(from, end);
}

void tally_slice_check(const void *origin, const struct tally_slice *s,
		       size_t size)
{
	struct tally_slice seen;
	const char *wrong;

	if (!tally_slice_checked())
		return;
	seen = slice_look_at(s);
	wrong = judge(origin, &seen, size);
	if (wrong)
		slice_fail(wrong, origin, s, &seen, size);
}

void tally_slice_check_at(const void *origin, const struct tally_slice *s,
			  size_t size, uint64_t i)
{
	struct tally_slice seen;
	char text[64];

	if (!tally_slice_checked())
		return;
	tally_slice_check(origin, s, size);
	seen = slice_look_at(s);
	if (i < seen.cap)
		return;
	snprintf(text, sizeof(text), "element %" PRIu64 " is not below cap", i);
	slice_fail(text, origin, s, &seen, size);
}

/* Return the ended of the range to forget next; 0: there is room. */
static uint64_t to_forget(const struct range *ranges, uint64_t nr)
{
	uint64_t nr_remembered = 0;
	uint64_t first = UINT64_MAX;

	for (uint64_t i = 0; i < nr; i++) {
		if (!ranges[i].ended)
			continue;
		nr_remembered++;
		if (ranges[i].ended < first)
			first = ranges[i].ended;
	}
	return nr_remembered > ENDED_MAX ? first : 0;
}

/* Copy the ranges with the new one in its place, and without ended ones that it
 * overlaps. */
static int copy_with(const struct tally_slice *old, struct range added,
		     struct tally_slice *all)
{
	const struct range *ranges = old ? ranges_of(old) : NULL;
	uint64_t nr = old ? old->len : 0;
	uint64_t forget = to_forget(ranges, nr);
	struct range *copy = malloc((nr + 1) * sizeof(*copy));
	bool done = false;
	uint64_t n = 0;

	if (!copy)
		return -ENOMEM;
	for (uint64_t i = 0; i < nr; i++) {
		bool overlaps = ranges[i].base < added.end &&
				added.base < ranges[i].end;

		if (overlaps && !ranges[i].ended) {
			free(copy);
			return -EEXIST;
		}
		if (overlaps || (forget > 0 && ranges[i].ended == forget))
			continue;
		if (!done && ranges[i].base > added.base) {
			copy[n++] = added;
			done = true;
		}
		copy[n++] = ranges[i];
	}
	if (!done)
		copy[n++] = added;
	*all = (struct tally_slice){
		.base = (uintptr_t)copy,
		.len = n,
		.cap = nr + 1,
	};
	return 0;
}

static int add(struct range added)
{
	const struct tally_slice *old = registry.current;
	struct tally_slice all;
	int err = copy_with(old, added, &all);

	if (err < 0)
		return err;
	if (old)
		err = tally_slice_ref_publish(&registry, &all, free,
					      ranges_of(old));
	else
		err = tally_slice_ref_init(&all, &registry);
	if (err < 0)
		free(ranges_of(&all));
	return err;
}

int tally_slice_register(const void *base, size_t bytes)
{
	struct range added = {.base = (uintptr_t)base};
	int err;

	if (bytes == 0 || __builtin_add_overflow(added.base, bytes, &added.end))
		return -EINVAL;
	lock();
	err = add(added);
	pthread_mutex_unlock(&registering);
	return err;
}

/* Sets the mark in place: an end can't fail, and waits for no reader. */
int tally_slice_unregister(const void *base)
{
	const struct tally_slice *all;
	int err = -ENOENT;

	lock();
	all = registry.current;
	if (all) {
		struct range *ranges = ranges_of(all);
		uint64_t nr = nr_below(ranges, all->len, (uintptr_t)base);

		if (nr > 0 && ranges[nr - 1].base == (uintptr_t)base &&
		    !ranges[nr - 1].ended) {
			__atomic_store_n(&ranges[nr - 1].ended, ++nr_ended,
					 __ATOMIC_RELAXED);
			err = 0;
		}
	}
	pthread_mutex_unlock(&registering);
	return err;
}
