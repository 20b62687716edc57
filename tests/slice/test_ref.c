// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include <numatally/slice_ref.h>

#define NR_READERS  3
#define NR_VERSIONS 2000

static struct tally_slice_ref ref;
static int nr_freed;

static void free_list(void *list)
{
	uint64_t *elements = list;

	/* A reader that still uses it would see this. */
	elements[0] = 0;
	free(elements);
	__atomic_fetch_add(&nr_freed, 1, __ATOMIC_RELAXED);
}

/* A list of 1 to 64 elements, each the version's number: all three words of its
 * header follow from that. */
static uint64_t *make_list(uint64_t version, struct tally_slice *s)
{
	uint64_t len = version % 64 + 1;
	uint64_t *list = malloc(64 * sizeof(*list));

	assert_non_null(list);
	for (uint64_t i = 0; i < len; i++)
		list[i] = version;
	*s = (struct tally_slice){
		.base = (uintptr_t)list,
		.len = len,
		.cap = len + version % 3,
	};
	return list;
}

static uint64_t *list_of(const struct tally_slice *s)
{
	return tally_slice_at(NULL, s, sizeof(uint64_t), 0);
}

static int unchecked(void **state)
{
	(void)state;
	tally_slice_set_checked(false);
	nr_freed = 0;
	return 0;
}

static void publish_replaces(void **state)
{
	struct tally_slice s;
	const struct tally_slice *seen;
	uint64_t *list, *next;

	(void)state;
	list = make_list(1, &s);
	assert_int_equal(tally_slice_ref_init(&s, &ref), 0);
	tally_slice_read_lock();
	seen = tally_slice_ref_get(&ref);
	assert_memory_equal(seen, &s, sizeof(s));
	tally_slice_read_unlock();
	next = make_list(2, &s);
	assert_int_equal(tally_slice_ref_publish(&ref, &s, free_list, list), 0);
	tally_slice_read_lock();
	tally_slice_read_lock();
	seen = tally_slice_ref_get(&ref);
	tally_slice_read_unlock();
	assert_memory_equal(seen, &s, sizeof(s));
	tally_slice_read_unlock();
	tally_slice_ref_reclaim(&ref);
	assert_int_equal(nr_freed, 1);
	tally_slice_ref_reclaim(&ref);
	assert_int_equal(nr_freed, 1);
	/* Without a retire function only the header is freed. */
	assert_int_equal(tally_slice_ref_publish(&ref, &s, NULL, NULL), 0);
	tally_slice_ref_destroy(&ref);
	assert_int_equal(nr_freed, 1);
	tally_slice_ref_destroy(&ref);
	tally_slice_ref_destroy(NULL);
	free(next);
}

/* A publisher that never calls reclaim keeps only a few replaced headers. */
static void replaced_ones_are_few(void **state)
{
	struct tally_slice s;
	uint64_t *list = make_list(0, &s);

	(void)state;
	assert_int_equal(tally_slice_ref_init(&s, &ref), 0);
	for (uint64_t v = 1; v <= 1000; v++) {
		uint64_t *next = make_list(v, &s);

		assert_int_equal(
			tally_slice_ref_publish(&ref, &s, free_list, list), 0);
		list = next;
		assert_true((uint64_t)nr_freed + 64 >= v);
	}
	tally_slice_ref_destroy(&ref);
	assert_int_equal(nr_freed, 1000);
	free(list);
}

static bool done;

/* Returns arg if it sees a header mixed from two versions, or an older one. */
static void *read_all_the_time(void *arg)
{
	uint64_t last = 0;
	void *wrong = NULL;

	while (!wrong && !__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		const struct tally_slice *s;
		uint64_t version;

		tally_slice_read_lock();
		s = tally_slice_ref_get(&ref);
		version = list_of(s)[0];
		if (version < last || s->len != version % 64 + 1 ||
		    s->cap != s->len + version % 3)
			wrong = arg;
		for (uint64_t i = 0; i < s->len; i++)
			if (list_of(s)[i] != version)
				wrong = arg;
		last = version;
		tally_slice_read_unlock();
	}
	return wrong;
}

static void readers_see_whole_headers(void **state)
{
	pthread_t readers[NR_READERS];
	struct tally_slice s;
	uint64_t *list = make_list(1, &s);
	void *wrong;

	(void)state;
	done = false;
	assert_int_equal(tally_slice_ref_init(&s, &ref), 0);
	for (int i = 0; i < NR_READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL,
						read_all_the_time, &ref),
				 0);
	for (uint64_t v = 2; v < NR_VERSIONS; v++) {
		uint64_t *next = make_list(v, &s);

		assert_int_equal(
			tally_slice_ref_publish(&ref, &s, free_list, list), 0);
		list = next;
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &wrong), 0);
		assert_null(wrong);
	}
	tally_slice_ref_destroy(&ref);
	assert_int_equal(nr_freed, NR_VERSIONS - 2);
	free(list);
}

static int stage;

static void go_to(int next)
{
	__atomic_store_n(&stage, next, __ATOMIC_RELEASE);
}

static void wait_for(int awaited)
{
	while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) < awaited)
		sched_yield();
}

/* Uses the first list past its replacement; returns arg if it was freed. */
static void *hold_on(void *arg)
{
	const struct tally_slice *s;
	void *wrong = NULL;

	tally_slice_read_lock();
	s = tally_slice_ref_get(&ref);
	go_to(1);
	wait_for(2);
	for (int i = 0; i < 1000; i++) {
		sched_yield();
		if (__atomic_load_n(&nr_freed, __ATOMIC_RELAXED) != 0 ||
		    list_of(s)[0] != 5)
			wrong = arg;
	}
	tally_slice_read_unlock();
	return wrong;
}

static void freed_after_the_last_reader(void **state)
{
	struct tally_slice s;
	uint64_t *list = make_list(5, &s);
	uint64_t *next;
	pthread_t reader;
	void *wrong;

	(void)state;
	stage = 0;
	assert_int_equal(tally_slice_ref_init(&s, &ref), 0);
	assert_int_equal(pthread_create(&reader, NULL, hold_on, &ref), 0);
	wait_for(1);
	next = make_list(6, &s);
	assert_int_equal(tally_slice_ref_publish(&ref, &s, free_list, list), 0);
	go_to(2);
	tally_slice_ref_reclaim(&ref);
	assert_int_equal(nr_freed, 1);
	assert_int_equal(pthread_join(reader, &wrong), 0);
	assert_null(wrong);
	tally_slice_ref_destroy(&ref);
	free(next);
}

/* Through pointers, the library's own copies of the inline functions are
 * called. */
static void inline_functions_are_exported(void **state)
{
	void (*volatile lock)(void) = tally_slice_read_lock;
	void (*volatile unlock)(void) = tally_slice_read_unlock;
	const struct tally_slice *(*volatile get)(
		const struct tally_slice_ref *) = tally_slice_ref_get;
	const struct tally_slice first = {.base = 8, .len = 1, .cap = 2};

	(void)state;
	assert_int_equal(tally_slice_ref_init(&first, &ref), 0);
	lock();
	assert_memory_equal(get(&ref), &first, sizeof(first));
	unlock();
	tally_slice_ref_destroy(&ref);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(publish_replaces, unchecked),
		cmocka_unit_test_setup(replaced_ones_are_few, unchecked),
		cmocka_unit_test_setup(readers_see_whole_headers, unchecked),
		cmocka_unit_test_setup(freed_after_the_last_reader, unchecked),
		cmocka_unit_test_setup(inline_functions_are_exported,
				       unchecked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
