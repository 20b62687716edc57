// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <pthread.h>

#include <numatally/slice.h>

static void assert_words(const struct tally_slice *s, uint64_t base,
			 uint64_t len, uint64_t cap)
{
	assert_int_equal(s->base, base);
	assert_int_equal(s->len, len);
	assert_int_equal(s->cap, cap);
}

static void three_words(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct tally_slice), 24);
	assert_int_equal(offsetof(struct tally_slice, base), 0);
	assert_int_equal(offsetof(struct tally_slice, len), 8);
	assert_int_equal(offsetof(struct tally_slice, cap), 16);
}

static void init_keeps_the_rules(void **state)
{
	struct tally_slice s = {.base = 7, .len = 7, .cap = 7};
	int array[4] = {0};

	(void)state;
	assert_int_equal(tally_slice_init(array, 4, 4, 4, 3, &s), -EINVAL);
	assert_int_equal(tally_slice_init(array, 4, 0, 1, 3, &s), -EINVAL);
	assert_int_equal(tally_slice_init(NULL, 16, 8, 0, UINT64_MAX / 8, &s),
			 -EOVERFLOW);
	assert_int_equal(tally_slice_init(NULL, 0, 8, 0, UINT64_MAX, &s),
			 -EOVERFLOW);
	assert_words(&s, 7, 7, 7);
	tally_slice_set_checked(false);
	assert_int_equal(tally_slice_init(array, 4, 4, 1, 3, &s), 0);
	assert_words(&s, 4, 1, 3);
	assert_ptr_equal(tally_slice_at(array, &s, 4, 2), &array[3]);
}

static void place_lays_an_empty_header(void **state)
{
	struct tally_slice s = {0};

	(void)state;
	tally_slice_place(&s, 64, 4);
	assert_words(&s, 64, 0, 4);
}

static void grow_never_passes_cap(void **state)
{
	struct tally_slice s = {.base = 64, .len = 1, .cap = 4};

	(void)state;
	assert_int_equal(tally_slice_grow(&s, 5), -ENOSPC);
	assert_words(&s, 64, 1, 4);
	assert_int_equal(tally_slice_grow(&s, 4), 0);
	assert_words(&s, 64, 4, 4);
	assert_int_equal(tally_slice_grow(&s, 2), 0);
	assert_words(&s, 64, 4, 4);
}

static void extend_raises_cap_in_place(void **state)
{
	struct tally_slice s = {.base = 64, .len = 2, .cap = 4};

	(void)state;
	assert_int_equal(tally_slice_extend(NULL, &s, 8, 3), -ERANGE);
	assert_int_equal(tally_slice_extend(NULL, &s, 8, UINT64_MAX / 8),
			 -EOVERFLOW);
	assert_words(&s, 64, 2, 4);
	assert_int_equal(tally_slice_extend(NULL, &s, 8, 9), 0);
	assert_words(&s, 64, 2, 9);
	assert_int_equal(tally_slice_grow(&s, 9), 0);
}

static void cut_moves_base(void **state)
{
	uint32_t array[5] = {10, 11, 12, 13, 14};
	struct tally_slice s = {.base = 0, .len = 4, .cap = 5};

	(void)state;
	assert_int_equal(tally_slice_cut(array, &s, 4, 5), -ERANGE);
	assert_words(&s, 0, 4, 5);
	assert_int_equal(tally_slice_cut(array, &s, 4, 3), 0);
	assert_words(&s, 12, 1, 2);
	assert_int_equal(*(uint32_t *)tally_slice_at(array, &s, 4, 0), 13);
	assert_int_equal(tally_slice_cut(array, &s, 4, 1), 0);
	assert_words(&s, 16, 0, 1);
	assert_int_equal(tally_slice_cut(array, &s, 4, 0), 0);
	assert_int_equal(tally_slice_cut(array, &s, 4, 1), -ERANGE);
	assert_int_equal(array[0], 10);
}

static void shorten_keeps_the_memory(void **state)
{
	struct tally_slice s = {.base = 8, .len = 3, .cap = 5};

	(void)state;
	assert_int_equal(tally_slice_shorten(&s, 4), -ERANGE);
	assert_words(&s, 8, 3, 5);
	assert_int_equal(tally_slice_shorten(&s, 1), 0);
	assert_words(&s, 8, 1, 5);
	assert_int_equal(tally_slice_grow(&s, 5), 0);
}

/* Siblings cannot overlap: neither grows into the other. */
static void sub_is_clipped(void **state)
{
	uint16_t array[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct tally_slice s = {.base = 0, .len = 6, .cap = 8};
	struct tally_slice left, right = {.base = 9, .len = 9, .cap = 9};
	uint16_t value = 99;

	(void)state;
	assert_int_equal(tally_slice_sub(&s, 2, 4, 7, &right), -ERANGE);
	assert_int_equal(tally_slice_sub(&s, 2, 4, 3, &right), -ERANGE);
	assert_words(&right, 9, 9, 9);
	assert_int_equal(tally_slice_sub(&s, 2, 1, 3, &left), 0);
	assert_words(&left, 2, 2, 2);
	assert_int_equal(tally_slice_sub(&s, 2, 3, 6, &right), 0);
	assert_int_equal(*(uint16_t *)tally_slice_at(array, &right, 2, 0), 3);
	assert_int_equal(tally_slice_grow(&left, 3), -ENOSPC);
	assert_int_equal(tally_slice_push(array, &left, 2, &value), -ENOSPC);
	assert_int_equal(array[3], 3);
	/* The whole slice grows; its sub-views do not move. */
	assert_int_equal(tally_slice_push(array, &s, 2, &value), 0);
	assert_words(&left, 2, 2, 2);
	assert_int_equal(array[6], 99);
	assert_int_equal(tally_slice_sub(&s, 2, 7, 7, &left), 0);
	assert_words(&left, 14, 0, 0);
}

#define NR_ELEMENTS 100000
#define NR_READERS  3

struct element {
	uint64_t number;
	uint64_t check;
};

static struct element elements[NR_ELEMENTS];
static struct tally_slice stream;

static void *read_stream(void *arg)
{
	uint64_t seen = 0;

	while (seen < NR_ELEMENTS) {
		uint64_t len = tally_slice_len(&stream);

		if (len < seen)
			return arg;
		for (; seen < len; seen++) {
			const struct element *e = tally_slice_at(
				elements, &stream, sizeof(*e), seen);

			if (e->number != seen || e->check != ~seen)
				return arg;
		}
	}
	return NULL;
}

/* One thread pushes; a reader sees all elements below len. */
static void one_producer(void **state)
{
	pthread_t readers[NR_READERS];
	void *wrong;

	(void)state;
	stream = (struct tally_slice){.cap = NR_ELEMENTS};
	for (int i = 0; i < NR_READERS; i++)
		assert_int_equal(
			pthread_create(&readers[i], NULL, read_stream, &stream),
			0);
	for (uint64_t i = 0; i < NR_ELEMENTS; i++) {
		struct element e = {.number = i, .check = ~i};

		assert_int_equal(
			tally_slice_push(elements, &stream, sizeof(e), &e), 0);
	}
	for (int i = 0; i < NR_READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(tally_slice_push(elements, &stream, sizeof(*elements),
					  elements),
			 -ENOSPC);
}

static struct tally_slice raced;

static void *grow_stepwise(void *arg)
{
	for (uint64_t len = 1; len <= 10000; len++) {
		if (tally_slice_grow(&raced, len) != 0 ||
		    tally_slice_len(&raced) < len)
			return arg;
	}
	return NULL;
}

static void many_grow_one(void **state)
{
	pthread_t threads[4];
	void *wrong;

	(void)state;
	raced = (struct tally_slice){.cap = 10000};
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						grow_stepwise, &raced),
				 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_words(&raced, 0, 10000, 10000);
}

/* Headers over memory that was never registered. */
static int unchecked(void **state)
{
	(void)state;
	tally_slice_set_checked(false);
	return 0;
}

/* Through pointers, the library's own copies of the inline functions are
 * called. */
static void inline_functions_are_exported(void **state)
{
	void *(*volatile at)(void *, const struct tally_slice *, size_t,
			     uint64_t) = tally_slice_at;
	int (*volatile push)(void *, struct tally_slice *, size_t,
			     const void *) = tally_slice_push;
	uint64_t (*volatile len)(const struct tally_slice *) = tally_slice_len;
	void (*volatile place)(struct tally_slice *, uint64_t, uint64_t) =
		tally_slice_place;
	void (*volatile lay)(struct tally_slice *, uint64_t, uint64_t,
			     uint64_t) = tally_slice_lay;
	struct tally_slice s = {0};
	int array[4] = {0}, seven = 7;

	(void)state;
	tally_slice_set_checked(false);
	place(&s, sizeof(int), 2);
	assert_words(&s, sizeof(int), 0, 2);
	assert_int_equal(push(array, &s, sizeof(int), &seven), 0);
	assert_int_equal(len(&s), 1);
	assert_ptr_equal(at(array, &s, sizeof(int), 0), &array[1]);
	assert_int_equal(array[1], 7);
	lay(&s, 0, 2, 2);
	assert_int_equal(push(array, &s, sizeof(int), &seven), -ENOSPC);
	assert_words(&s, 0, 2, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_words),
		cmocka_unit_test(init_keeps_the_rules),
		cmocka_unit_test(place_lays_an_empty_header),
		cmocka_unit_test(grow_never_passes_cap),
		cmocka_unit_test(extend_raises_cap_in_place),
		cmocka_unit_test(cut_moves_base),
		cmocka_unit_test(shorten_keeps_the_memory),
		cmocka_unit_test(sub_is_clipped),
		cmocka_unit_test(one_producer),
		cmocka_unit_test(many_grow_one),
		cmocka_unit_test(inline_functions_are_exported),
	};

	return cmocka_run_group_tests(tests, unchecked, NULL);
}
