// SPDX-License-Identifier: MIT
/* What slices cost, beside what would be done without them. */
#include "config.h"

/* Inline the read section, as a program that needs it would. The analyzer does
 * not see that a thread's first read section registers it. */
#ifndef __clang_analyzer__
#define _LGPL_SOURCE
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/slice_ref.h>

#include "bench.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_ITEMS     10000
#define NR_PUSHES    8192
#define RECORD_BYTES 256
#define NR_RECORDS   64

#undef urcu_bp_read_lock
#undef urcu_bp_read_unlock
void urcu_bp_read_lock(void);
void urcu_bp_read_unlock(void);

static uint32_t items[NR_ITEMS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t nr_references;

/*
 * Remove items from the head of a list: by its header, and by copying the rest.
 */
BENCH_LOOP void cut(void *arg, uint64_t nr)
{
	struct tally_slice s = {.len = NR_ITEMS, .cap = NR_ITEMS};

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		(void)!tally_slice_cut(items, &s, sizeof(*items), 2);
		if (!s.len)
			s = (struct tally_slice){.len = NR_ITEMS,
						 .cap = NR_ITEMS};
	}
}
BENCH_ALIGN(cut)

BENCH_LOOP void cut_by_copy(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		uint32_t *rest = malloc(sizeof(items) - 2 * sizeof(*items));

		if (!rest)
			abort();
		memcpy(rest, items + 2, sizeof(items) - 2 * sizeof(*items));
		bench_used(rest[i % 16]);
		free(rest);
	}
}
BENCH_ALIGN(cut_by_copy)

/* Append: with the barrier that readers need, without one, and with a full one,
 * as a plain store to a sequentially consistent atomic has. */
static uint64_t pushed[NR_PUSHES];
static struct tally_slice list;

static void empty_list(void *arg, uint64_t nr)
{
	(void)arg;
	(void)nr;
	list = (struct tally_slice){.cap = NR_PUSHES};
}

BENCH_LOOP void push(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		(void)!tally_slice_push(pushed, &list, sizeof(i), &i);
}
BENCH_ALIGN(push)

BENCH_LOOP void push_in_order(uint64_t nr, int order)
{
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t len = __atomic_load_n(&list.len, __ATOMIC_RELAXED);

		if (len >= list.cap)
			return;
		memcpy(tally_slice_at(pushed, &list, sizeof(i), len), &i,
		       sizeof(i));
		if (order == __ATOMIC_SEQ_CST)
			__atomic_store_n(&list.len, len + 1, __ATOMIC_SEQ_CST);
		else
			__atomic_store_n(&list.len, len + 1, __ATOMIC_RELAXED);
	}
}

BENCH_LOOP void push_relaxed(void *arg, uint64_t nr)
{
	(void)arg;
	push_in_order(nr, __ATOMIC_RELAXED);
}
BENCH_ALIGN(push_relaxed)

BENCH_LOOP void push_full(void *arg, uint64_t nr)
{
	(void)arg;
	push_in_order(nr, __ATOMIC_SEQ_CST);
}
BENCH_ALIGN(push_full)

/* Look an item up through a published header. */
static struct tally_slice_ref ref;

BENCH_LOOP uint32_t item_of(const struct tally_slice *s, uint64_t i)
{
	const uint32_t *base = (const uint32_t *)tally_slice_at(
		NULL, s, sizeof(*base), i * 7919 % NR_ITEMS);

	return *base;
}

/* Ways to keep the header from changing meanwhile, or none. */
#define NOTHING
#define MUTEX_LOCK   pthread_mutex_lock(&lock);
#define MUTEX_UNLOCK pthread_mutex_unlock(&lock);
#define COUNT_UP     __atomic_fetch_add(&nr_references, 1, __ATOMIC_ACQUIRE);
#define COUNT_DOWN   __atomic_fetch_sub(&nr_references, 1, __ATOMIC_RELEASE);

/* As many look-ups at once as the CPU can do; or, "chained", each for what the
 * one before found. */
#define LOOK_UP(name, begin, end)                                              \
	BENCH_LOOP void name(void *arg, uint64_t nr)                           \
	{                                                                      \
		(void)arg;                                                     \
		for (uint64_t i = 0; i < nr; i++) {                            \
			begin bench_used(                                      \
				item_of(tally_slice_ref_get(&ref), i));        \
			end                                                    \
		}                                                              \
	}                                                                      \
	BENCH_ALIGN(name)                                                      \
	BENCH_LOOP void name##_chained(void *arg, uint64_t nr)                 \
	{                                                                      \
		uint64_t found = 0;                                            \
		(void)arg;                                                     \
		for (uint64_t i = 0; i < nr; i++) {                            \
			begin found =                                          \
				item_of(tally_slice_ref_get(&ref), i + found); \
			end                                                    \
		}                                                              \
		bench_used(found);                                             \
	}                                                                      \
	BENCH_ALIGN(name##_chained)

LOOK_UP(look_up_bare, NOTHING, NOTHING)
LOOK_UP(look_up, tally_slice_read_lock();, tally_slice_read_unlock();)
LOOK_UP(look_up_call, urcu_bp_read_lock();, urcu_bp_read_unlock();)
LOOK_UP(look_up_mutex, MUTEX_LOCK, MUTEX_UNLOCK)
LOOK_UP(look_up_counted, COUNT_UP, COUNT_DOWN)

/* Several in one section, for which publishers wait a little longer. */
BENCH_LOOP void look_up_64(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr;) {
		uint64_t end = nr - i < 64 ? nr : i + 64;

		tally_slice_read_lock();
		for (; i < end; i++)
			bench_used(item_of(tally_slice_ref_get(&ref), i));
		tally_slice_read_unlock();
	}
}
BENCH_ALIGN(look_up_64)

/* The least that a section for each look-up costs: a store to the thread's own
 * memory. It protects nothing. */
static __thread unsigned long mark;

BENCH_LOOP void look_up_store(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		__atomic_store_n(&mark, 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		bench_used(item_of(tally_slice_ref_get(&ref), i));
	}
}
BENCH_ALIGN(look_up_store)

/* Readers of one buffer that one producer filled: each take is a record. */
static char records[NR_RECORDS][RECORD_BYTES];
static struct tally_slice stream = {.len = NR_RECORDS, .cap = NR_RECORDS};
static uint64_t nr_tried, nr_failed; /* to count a reference */

BENCH_LOOP void copy_record(uint64_t i)
{
	uint64_t words[RECORD_BYTES / 8] = {0};
	uint64_t sum = 0;

	if (tally_slice_len(&stream) > i % NR_RECORDS)
		memcpy(words,
		       tally_slice_at(records, &stream, RECORD_BYTES,
				      i % NR_RECORDS),
		       sizeof(words));
	for (size_t w = 0; w < RECORD_BYTES / 8; w++)
		sum += words[w];
	bench_used(sum);
}

BENCH_LOOP void take(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		copy_record(i);
}
BENCH_ALIGN(take)

BENCH_LOOP void take_mutex(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		pthread_mutex_lock(&lock);
		copy_record(i);
		pthread_mutex_unlock(&lock);
	}
}
BENCH_ALIGN(take_mutex)

BENCH_LOOP void take_counted(void *arg, uint64_t nr)
{
	uint64_t failed = 0;

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t old =
			__atomic_load_n(&nr_references, __ATOMIC_RELAXED);

		while (!__atomic_compare_exchange_n(
			&nr_references, &old, old + 1, true, __ATOMIC_ACQUIRE,
			__ATOMIC_RELAXED))
			failed++;
		copy_record(i);
		__atomic_fetch_sub(&nr_references, 1, __ATOMIC_RELEASE);
	}
	__atomic_fetch_add(&nr_failed, failed, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_tried, nr + failed, __ATOMIC_RELAXED);
}
BENCH_ALIGN(take_counted)

static void note_failed(FILE *to)
{
	fprintf(to, "  references counted in vain: %.1f %%\n",
		100.0 * (double)nr_failed / (double)(nr_tried + !nr_tried));
}

static int set_up(void)
{
	struct tally_slice whole = {
		.base = (uintptr_t)items,
		.len = NR_ITEMS,
		.cap = NR_ITEMS,
	};

	tally_slice_set_checked(false);
	return tally_slice_ref_init(&whole, &ref);
}

static void tear_down(void)
{
	tally_slice_ref_destroy(&ref);
}

static const struct bench_contender cuts[] = {
	{.name = "numatally: header",
	 .kind = BENCH_OURS,
	 .loops = &cut_loops,
	 .alone = true},
	{.name = "a copy of the rest (malloc, free)",
	 .loops = &cut_by_copy_loops,
	 .alone = true},
};

static const struct bench_contender pushes[] = {
	{.name = "without a barrier",
	 .kind = BENCH_FLOOR,
	 .loops = &push_relaxed_loops,
	 .before = empty_list,
	 .max_nr = NR_PUSHES},
	{.name = "numatally: tally_slice_push",
	 .kind = BENCH_OURS,
	 .loops = &push_loops,
	 .before = empty_list,
	 .max_nr = NR_PUSHES},
	{.name = "with a full barrier",
	 .loops = &push_full_loops,
	 .before = empty_list,
	 .max_nr = NR_PUSHES},
};

#define LOOKUPS(chained, where)                                                \
	{.name = "unprotected",                                                \
	 .kind = BENCH_FLOOR,                                                  \
	 .loops = &look_up_bare##chained##_loops},                             \
		{.name = "numatally: read section, inlined",                   \
		 .kind = BENCH_OURS,                                           \
		 .loops = &look_up##chained##_loops,                           \
		 .row = "a reader's look-up through a published header" where, \
		 .target_ratio = 1.05},                                        \
		{.name = "numatally: read section, called",                    \
		 .kind = BENCH_OURS,                                           \
		 .loops = &look_up_call##chained##_loops},                     \
		{.name = "mutex", .loops = &look_up_mutex##chained##_loops},   \
	{                                                                      \
		.name = "reference count",                                     \
		.loops = &look_up_counted##chained##_loops                     \
	}

static const struct bench_contender lookups[] = {
	LOOKUPS(, ", many at once"),
	{.name = "unprotected, and one store",
	 .kind = BENCH_FLOOR,
	 .loops = &look_up_store_loops},
	{.name = "numatally: read section over 64, inlined",
	 .kind = BENCH_OURS,
	 .loops = &look_up_64_loops},
};

static const struct bench_contender chained_lookups[] = {
	LOOKUPS(_chained, ""),
};

static const struct bench_contender takes[] = {
	{.name = "numatally: header", .kind = BENCH_OURS, .loops = &take_loops},
	{.name = "mutex", .loops = &take_mutex_loops},
	{.name = "reference count", .loops = &take_counted_loops},
};

const struct bench_group bench_slice_groups[] = {
	{.name = "lookup",
	 .title = "Looking an item up through a published header",
	 .unit = "look-up",
	 .contenders = lookups,
	 .nr_contenders = COUNT(lookups),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "lookup-chain",
	 .title = "Looking an item up for what the one before found",
	 .unit = "look-up",
	 .contenders = chained_lookups,
	 .nr_contenders = COUNT(chained_lookups),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "take",
	 .title = "Reading a record of 256 bytes of a shared buffer",
	 .unit = "record",
	 .contenders = takes,
	 .nr_contenders = COUNT(takes),
	 .setup = set_up,
	 .teardown = tear_down,
	 .note = note_failed},
	{.name = "push",
	 .title = "Appending 8 bytes for concurrent readers",
	 .unit = "push",
	 .contenders = pushes,
	 .nr_contenders = COUNT(pushes),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "cut",
	 .title = "Cutting 2 of 10,000 items off the head of a list",
	 .unit = "cut",
	 .contenders = cuts,
	 .nr_contenders = COUNT(cuts),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_slice_groups = COUNT(bench_slice_groups);
