// SPDX-License-Identifier: MIT
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <numatally/slice_ref.h>

#include "slice_check.h"

#ifdef TALLY_DEBUG
#define CHECKED_AT_FIRST 1
#else
#define CHECKED_AT_FIRST 0
#endif

#define ENDED_MAX 256 /* allocations that are remembered after their end */

/* One allocation. They are sorted by base, and don't overlap; those that ended
 * stay to be recognised, until their addresses are registered anew. */
struct range {
	uintptr_t base;
	uintptr_t end;
	uint64_t ended; /* 0: it hasn't; else the how-manieth one */
};

int tally_slice_checks = -1;

/* A header over all ranges, which are looked up without a lock, also from
 * signal handlers; who registers copies them. Elements are not taken with
 * tally_slice_at(), which asks here. */
static struct tally_slice_ref registry;
static pthread_mutex_t registering = PTHREAD_MUTEX_INITIALIZER;
static uint64_t nr_ended;

static struct range *ranges_of(const struct tally_slice *s)
{
	return (struct range *)(uintptr_t)s->base; /* NOLINT(*-int-to-ptr) */
}

void tally_slice_set_checked(bool on)
{
	__atomic_store_n(&tally_slice_checks, on ? 1 : 0, __ATOMIC_RELAXED);
}

bool tally_slice_checked(void)
{
	int checks = __atomic_load_n(&tally_slice_checks, __ATOMIC_RELAXED);

	if (checks < 0) {
		const char *value = getenv("NUMATALLY_CHECKED");
		int first = CHECKED_AT_FIRST;

		if (value && *value)
			first = strcmp(value, "0") != 0;
		/* One who decided meanwhile is right. */
		if (__atomic_compare_exchange_n(&tally_slice_checks, &checks,
						first, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			checks = first;
	}
	return checks > 0;
}

/* The number of ranges that begin at or below the address. */
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

/* What is wrong with [from, end), or NULL. */
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

static _Noreturn void fail(const char *wrong, const void *origin,
			   const struct tally_slice *s,
			   const struct tally_slice *seen, size_t size)
{
	char text[320];
	int n = snprintf(text, sizeof(text),
			 "numatally: slice header at %p: %s: base 0x%" PRIx64
			 ", len %" PRIu64 ", cap %" PRIu64
			 " (origin %p, elements of %zu bytes)\n",
			 (const void *)s, wrong, seen->base, seen->len,
			 seen->cap, origin, size);

	if (n > 0 &&
	    write(STDERR_FILENO, text, strnlen(text, sizeof(text))) < 0)
		abort();
	abort();
}

/* The words, of which len may grow at any time and cap before it. */
static struct tally_slice look_at(const struct tally_slice *s)
{
	struct tally_slice seen;

	seen.len = tally_slice_len(s);
	seen.base = __atomic_load_n(&s->base, __ATOMIC_RELAXED);
	seen.cap = __atomic_load_n(&s->cap, __ATOMIC_RELAXED);
	return seen;
}

static const char *judge_words(const struct tally_slice *seen, size_t size)
{
	uint64_t bytes, end;

	if (seen->len > seen->cap)
		return "len is above cap";
	if (__builtin_mul_overflow(seen->cap, (uint64_t)size, &bytes) ||
	    __builtin_add_overflow(seen->base, bytes, &end))
		return "base + cap * size is more than 64 bits";
	return NULL;
}

static const char *judge(const void *origin, const struct tally_slice *seen,
			 size_t size)
{
	const char *wrong = judge_words(seen, size);
	uintptr_t from, end;

	/* Without room for an element, base leads nowhere. */
	if (wrong || seen->cap == 0)
		return wrong;
	if (__builtin_add_overflow((uintptr_t)origin, seen->base, &from) ||
	    __builtin_add_overflow(from, seen->cap * size, &end))
		return "it ends beyond the address space";
	return look_up(from, end);
}

void slice_check_words(const struct tally_slice *s, size_t size)
{
	struct tally_slice seen;
	const char *wrong;

	if (!tally_slice_checked())
		return;
	seen = look_at(s);
	wrong = judge_words(&seen, size);
	if (wrong)
		fail(wrong, NULL, s, &seen, size);
}

void tally_slice_check(const void *origin, const struct tally_slice *s,
		       size_t size)
{
	struct tally_slice seen;
	const char *wrong;

	if (!tally_slice_checked())
		return;
	seen = look_at(s);
	wrong = judge(origin, &seen, size);
	if (wrong)
		fail(wrong, origin, s, &seen, size);
}

void tally_slice_check_at(const void *origin, const struct tally_slice *s,
			  size_t size, uint64_t i)
{
	struct tally_slice seen;
	char text[64];

	if (!tally_slice_checked())
		return;
	tally_slice_check(origin, s, size);
	seen = look_at(s);
	if (i < seen.cap)
		return;
	snprintf(text, sizeof(text), "element %" PRIu64 " is not below cap", i);
	fail(text, origin, s, &seen, size);
}

/* Of those that ended and are remembered, the first; 0: there is room. */
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

/* The ranges with the new one in its place, without those that it takes the
 * addresses of. */
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
	pthread_mutex_lock(&registering);
	err = add(added);
	pthread_mutex_unlock(&registering);
	return err;
}

/* Marks it where it is: an end can't fail, and waits for nobody. */
int tally_slice_unregister(const void *base)
{
	const struct tally_slice *all;
	int err = -ENOENT;

	pthread_mutex_lock(&registering);
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
