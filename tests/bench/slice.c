// SPDX-License-Identifier: MIT
/*
 * What slices cost, beside what would be done without them. Each figure is the
 * median of a number of rounds, in which the rivals take turns.
 */
#include "config.h"

/* Lets the read section be inlined, as a program that needs it would. The
 * analyzer doesn't see that a thread's first read section registers it. */
#ifndef __clang_analyzer__
#define _LGPL_SOURCE
#endif
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <numatally/slice_ref.h>

#define NR_ROUNDS    15
#define NR_ITEMS     10000
#define NR_LOOKUPS   200000
#define NR_PUSHES    10000
#define NR_READERS   2
#define RECORD_BYTES 256
#define NR_RECORDS   64
#define NR_TAKES     100000

#undef urcu_bp_read_lock
#undef urcu_bp_read_unlock
void urcu_bp_read_lock(void);
void urcu_bp_read_unlock(void);

struct rival {
	const char *name;
	void (*run)(void);
	double nr; /* operations in a run */
	double ns[NR_ROUNDS];
};

static volatile uint64_t sink;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *one, const void *two)
{
	double a = *(const double *)one;
	double b = *(const double *)two;

	return (a > b) - (a < b);
}

static double median_ns(struct rival *r)
{
	qsort(r->ns, NR_ROUNDS, sizeof(*r->ns), ascending);
	return r->ns[NR_ROUNDS / 2];
}

static void compete(const char *what, struct rival *rivals, int nr)
{
	for (int round = 0; round < NR_ROUNDS; round++) {
		for (int i = 0; i < nr; i++) {
			double start = now_ns();

			rivals[i].run();
			rivals[i].ns[round] = (now_ns() - start) / rivals[i].nr;
		}
	}
	printf("%s\n", what);
	for (int i = 0; i < nr; i++)
		printf("  %-34s %9.2f ns\n", rivals[i].name,
		       median_ns(&rivals[i]));
}

/* Cutting items off the head of a list, by header and by copying the rest. */
static uint32_t items[NR_ITEMS];

static void cut(void)
{
	struct tally_slice s = {.len = NR_ITEMS, .cap = NR_ITEMS};

	for (int i = 0; i < 5000; i++)
		tally_slice_cut(items, &s, sizeof(*items), 2);
	sink = s.base;
}

static void cut_by_copy(void)
{
	for (int i = 0; i < 50; i++) {
		uint32_t *rest = malloc(sizeof(items) - 2 * sizeof(*items));

		if (!rest)
			abort();
		memcpy(rest, items + 2, sizeof(items) - 2 * sizeof(*items));
		sink = rest[i];
		free(rest);
	}
}

/* Appending, with the barrier that readers need, without, and with a full one
 * as a plain store to a sequentially consistent atomic has. */
static uint64_t pushed[NR_PUSHES];
static struct tally_slice list;

static void push(void)
{
	list = (struct tally_slice){.cap = NR_PUSHES};
	for (uint64_t i = 0; i < NR_PUSHES; i++)
		tally_slice_push(pushed, &list, sizeof(i), &i);
}

static void push_in_order(int order)
{
	list = (struct tally_slice){.cap = NR_PUSHES};
	for (uint64_t i = 0; i < NR_PUSHES; i++) {
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

static void push_relaxed(void)
{
	push_in_order(__ATOMIC_RELAXED);
}

static void push_full(void)
{
	push_in_order(__ATOMIC_SEQ_CST);
}

/* Looking an item up through a published header. */
static struct tally_slice_ref ref;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t nr_references;

static uint32_t item_of(const struct tally_slice *s, uint64_t i)
{
	const uint32_t *base = (const uint32_t *)tally_slice_at(
		NULL, s, sizeof(*base), i * 7919 % NR_ITEMS);

	return *base;
}

static void look_up_bare(void)
{
	for (uint64_t i = 0; i < NR_LOOKUPS; i++)
		sink = item_of(tally_slice_ref_get(&ref), i);
}

static void look_up(void)
{
	for (uint64_t i = 0; i < NR_LOOKUPS; i++) {
		tally_slice_read_lock();
		sink = item_of(tally_slice_ref_get(&ref), i);
		tally_slice_read_unlock();
	}
}

static void look_up_call(void)
{
	for (uint64_t i = 0; i < NR_LOOKUPS; i++) {
		urcu_bp_read_lock();
		sink = item_of(tally_slice_ref_get(&ref), i);
		urcu_bp_read_unlock();
	}
}

static void look_up_mutex(void)
{
	for (uint64_t i = 0; i < NR_LOOKUPS; i++) {
		pthread_mutex_lock(&lock);
		sink = item_of(tally_slice_ref_get(&ref), i);
		pthread_mutex_unlock(&lock);
	}
}

static void look_up_counted(void)
{
	for (uint64_t i = 0; i < NR_LOOKUPS; i++) {
		__atomic_fetch_add(&nr_references, 1, __ATOMIC_ACQUIRE);
		sink = item_of(tally_slice_ref_get(&ref), i);
		__atomic_fetch_sub(&nr_references, 1, __ATOMIC_RELEASE);
	}
}

/* Readers of one buffer that one producer filled: each take is a record. */
enum way { BY_MUTEX, BY_COUNT, BY_HEADER };

static char records[NR_RECORDS][RECORD_BYTES];
static struct tally_slice stream = {.len = NR_RECORDS, .cap = NR_RECORDS};
static enum way way;
static uint64_t nr_failed;

static void *take(void *arg)
{
	uint64_t words[RECORD_BYTES / 8] = {0};
	uint64_t sum = 0, failed = 0;

	for (uint64_t i = 0; i < NR_TAKES; i++) {
		uint64_t old;

		if (way == BY_MUTEX) {
			pthread_mutex_lock(&lock);
		} else if (way == BY_COUNT) {
			old = __atomic_load_n(&nr_references, __ATOMIC_RELAXED);
			while (!__atomic_compare_exchange_n(
				&nr_references, &old, old + 1, true,
				__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				failed++;
		}
		if (tally_slice_len(&stream) > i % NR_RECORDS)
			memcpy(words,
			       tally_slice_at(records, &stream, RECORD_BYTES,
					      i % NR_RECORDS),
			       sizeof(words));
		for (size_t w = 0; w < RECORD_BYTES / 8; w++)
			sum += words[w];
		if (way == BY_MUTEX)
			pthread_mutex_unlock(&lock);
		else if (way == BY_COUNT)
			__atomic_fetch_sub(&nr_references, 1, __ATOMIC_RELEASE);
	}
	__atomic_fetch_add(&nr_failed, failed, __ATOMIC_RELAXED);
	sink = sum;
	return arg;
}

static void read_by(enum way by)
{
	pthread_t readers[NR_READERS];

	way = by;
	for (int i = 0; i < NR_READERS; i++)
		if (pthread_create(&readers[i], NULL, take, NULL) != 0)
			abort();
	for (int i = 0; i < NR_READERS; i++)
		pthread_join(readers[i], NULL);
}

static void read_by_mutex(void)
{
	read_by(BY_MUTEX);
}

static void read_by_count(void)
{
	read_by(BY_COUNT);
}

static void read_by_header(void)
{
	read_by(BY_HEADER);
}

int main(void)
{
	struct rival cuts[] = {
		{"header", cut, 5000, {0}},
		{"a copy of the rest (malloc, free)", cut_by_copy, 50, {0}},
	};
	struct rival pushes[] = {
		{"without a barrier", push_relaxed, NR_PUSHES, {0}},
		{"with the library's", push, NR_PUSHES, {0}},
		{"with a full one", push_full, NR_PUSHES, {0}},
	};
	struct rival lookups[] = {
		{"unprotected", look_up_bare, NR_LOOKUPS, {0}},
		{"read section, inlined", look_up, NR_LOOKUPS, {0}},
		{"read section, called", look_up_call, NR_LOOKUPS, {0}},
		{"mutex", look_up_mutex, NR_LOOKUPS, {0}},
		{"reference count", look_up_counted, NR_LOOKUPS, {0}},
	};
	double nr_takes = (double)NR_TAKES * NR_READERS;
	struct rival reads[] = {
		{"mutex", read_by_mutex, nr_takes, {0}},
		{"reference count", read_by_count, nr_takes, {0}},
		{"header", read_by_header, nr_takes, {0}},
	};
	struct tally_slice whole = {
		.base = (uintptr_t)items,
		.len = NR_ITEMS,
		.cap = NR_ITEMS,
	};

	/* From here on there were threads: glibc's mutex locks in earnest. */
	read_by(BY_HEADER);
	tally_slice_set_checked(false);
	if (tally_slice_ref_init(&whole, &ref) != 0)
		return 1;
	compete("cut 2 of 10,000 items off the head", cuts, 2);
	compete("push of 8 bytes", pushes, 3);
	compete("look-up of an item through a published header", lookups, 5);
	compete("2 readers of one buffer, per record of 256 bytes", reads, 3);
	for (int i = 0; i < 3; i++)
		printf("  %-34s %9.0f MB/s\n", reads[i].name,
		       RECORD_BYTES * 1e3 / reads[i].ns[NR_ROUNDS / 2]);
	printf("  %-34s %9.1f %%\n", "reference counts tried in vain",
	       100.0 * (double)nr_failed /
		       ((double)nr_failed + nr_takes * NR_ROUNDS));
	tally_slice_ref_destroy(&ref);
	return 0;
}
