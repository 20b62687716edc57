// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <numatally/region.h>
#include <numatally/slice.h>

#define NR   16
#define SIZE sizeof(uint64_t)

static uint64_t array[NR];
static struct tally_slice whole;

static int checked(void **state)
{
	(void)state;
	tally_slice_set_checked(true);
	if (tally_slice_register(array, sizeof(array)) != 0)
		return -1;
	return tally_slice_init(NULL, (uintptr_t)array, SIZE, 4, NR, &whole);
}

static int unchecked(void **state)
{
	(void)state;
	tally_slice_set_checked(false);
	return tally_slice_unregister(array);
}

/* What the child wrote to stderr before it aborted; "" if it did not abort. */
static const char *death_of(void (*body)(struct tally_slice *s))
{
	static char text[512];
	size_t n = 0;
	ssize_t got;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit no_core = {0};
		struct tally_slice s = whole;

		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(ends[1], STDERR_FILENO);
		body(&s);
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return "";
	}
	assert_int_equal(WTERMSIG(status), SIGABRT);
	return text;
}

static void assert_death(void (*body)(struct tally_slice *s), const char *says)
{
	const char *text = death_of(body);

	if (!strstr(text, says))
		fail_msg("not \"%s\", but \"%s\"", says, text);
}

static void use(struct tally_slice *s)
{
	(void)tally_slice_at(NULL, s, SIZE, 0);
}

static void len_above_cap(struct tally_slice *s)
{
	s->len = s->cap + 1;
	use(s);
}

static void negative_len(struct tally_slice *s)
{
	s->len = (uint64_t)-1;
	use(s);
}

static void cap_beyond(struct tally_slice *s)
{
	s->cap++;
	use(s);
}

static void cap_overflows(struct tally_slice *s)
{
	s->cap = UINT64_MAX / 4;
	use(s);
}

static void end_overflows(struct tally_slice *s)
{
	s->cap = (UINT64_MAX - s->base) / SIZE + 1;
	use(s);
}

/* The last bytes of the address space. */
static void *at_the_end(void)
{
	return (void *)(UINTPTR_MAX - 8); /* NOLINT(*-int-to-ptr) */
}

static void origin_overflows(struct tally_slice *s)
{
	(void)tally_slice_at(at_the_end(), s, SIZE, 0);
}

static void base_before(struct tally_slice *s)
{
	s->base -= 1;
	use(s);
}

static void base_behind(struct tally_slice *s)
{
	s->base += sizeof(array);
	use(s);
}

static void base_null(struct tally_slice *s)
{
	s->base = 0;
	use(s);
}

static void element_beyond(struct tally_slice *s)
{
	(void)tally_slice_at(NULL, s, SIZE, NR);
}

static void each_rule_at_use(void **state)
{
	(void)state;
	assert_string_equal(death_of(use), "");
	assert_death(len_above_cap, "len is above cap");
	assert_death(negative_len, "len is above cap");
	assert_death(cap_beyond, "cap reaches beyond the allocation");
	assert_death(cap_overflows, "more than 64 bits");
	assert_death(end_overflows, "more than 64 bits");
	assert_death(origin_overflows, "beyond the address space");
	assert_death(base_before, "base is in no allocation");
	assert_death(base_behind, "base is in no allocation");
	assert_death(base_null, "base is in no allocation");
	assert_death(element_beyond, "element 16 is not below cap");
}

static void words_are_named(void **state)
{
	char words[128];

	(void)state;
	snprintf(words, sizeof(words), "base 0x%llx, len 17, cap 16",
		 (unsigned long long)whole.base);
	assert_death(len_above_cap, words);
}

/* Functions that know the origin verify everything; the others, the words. */
static void init_wrong(struct tally_slice *s)
{
	(void)!tally_slice_init(NULL, 64, SIZE, 0, 1, s);
}

static void extend_broken(struct tally_slice *s)
{
	s->base -= 8;
	(void)!tally_slice_extend(NULL, s, SIZE, NR);
}

static void extend_too_far(struct tally_slice *s)
{
	(void)!tally_slice_extend(NULL, s, SIZE, NR + 1);
}

static void cut_broken(struct tally_slice *s)
{
	s->cap++;
	(void)!tally_slice_cut(NULL, s, SIZE, 1);
}

static void push_broken(struct tally_slice *s)
{
	uint64_t one = 1;

	s->cap++;
	(void)!tally_slice_push(NULL, s, SIZE, &one);
}

static void grow_broken(struct tally_slice *s)
{
	s->len = NR + 1;
	(void)!tally_slice_grow(s, 2);
}

static void shorten_broken(struct tally_slice *s)
{
	s->len = NR + 1;
	(void)!tally_slice_shorten(s, 2);
}

static void sub_broken(struct tally_slice *s)
{
	struct tally_slice sub;

	s->cap = UINT64_MAX / 4;
	(void)!tally_slice_sub(s, SIZE, 0, 1, &sub);
}

static void each_function(void **state)
{
	(void)state;
	assert_death(init_wrong, "no allocation");
	assert_death(extend_broken, "no allocation");
	assert_death(extend_too_far, "beyond the allocation");
	assert_death(cut_broken, "beyond the allocation");
	assert_death(push_broken, "beyond the allocation");
	assert_death(grow_broken, "len is above cap");
	assert_death(shorten_broken, "len is above cap");
	assert_death(sub_broken, "more than 64 bits");
}

static void good_headers_pass(void **state)
{
	struct tally_slice s = whole;
	struct tally_slice sub, empty = {0};
	uint64_t one = 1;

	(void)state;
	assert_int_equal(tally_slice_push(NULL, &s, SIZE, &one), 0);
	assert_int_equal(tally_slice_grow(&s, NR), 0);
	assert_int_equal(tally_slice_sub(&s, SIZE, NR - 1, NR, &sub), 0);
	assert_ptr_equal(tally_slice_at(NULL, &sub, SIZE, 0), &array[NR - 1]);
	assert_int_equal(tally_slice_cut(NULL, &s, SIZE, NR), 0);
	/* No room at all, behind the last element: nothing to check. */
	tally_slice_check(NULL, &s, SIZE);
	tally_slice_check(NULL, &empty, SIZE);
	/* The same memory, by an offset. */
	assert_int_equal(tally_slice_init(array, 8, SIZE, 0, NR - 1, &s), 0);
	assert_ptr_equal(tally_slice_at(array, &s, SIZE, 0), &array[1]);
}

static void use_a_released_region(struct tally_slice *s)
{
	struct tally_region r;

	if (tally_region_create(4096, -1, &r) != 0)
		_exit(1);
	if (tally_slice_init(NULL, (uintptr_t)r.base, SIZE, 8, 512, s) != 0)
		_exit(1);
	*(uint64_t *)tally_slice_at(NULL, s, SIZE, 7) = 1;
	tally_region_destroy(&r);
	use(s);
}

static void use_after_release(void **state)
{
	(void)state;
	assert_death(use_a_released_region, "after its memory was released");
}

/* Memory allocated again at the same address is good. */
static void registered_anew(void **state)
{
	char *memory = malloc((size_t)300 * 16);
	struct tally_slice s = {
		.base = (uintptr_t)memory,
		.len = 2,
		.cap = 2,
	};

	(void)state;
	assert_non_null(memory);
	assert_int_equal(tally_slice_register(memory, 16), 0);
	tally_slice_check(NULL, &s, SIZE);
	assert_int_equal(tally_slice_register(memory, 16), -EEXIST);
	assert_int_equal(tally_slice_register(memory + 8, 16), -EEXIST);
	assert_int_equal(tally_slice_register(memory - 8, 64), -EEXIST);
	assert_int_equal(tally_slice_unregister(memory + 8), -ENOENT);
	assert_int_equal(tally_slice_unregister(memory), 0);
	assert_int_equal(tally_slice_unregister(memory), -ENOENT);
	assert_int_equal(tally_slice_register(memory + 8, 16), 0);
	assert_int_equal(tally_slice_unregister(memory + 8), 0);
	assert_int_equal(tally_slice_register(memory, 16), 0);
	tally_slice_check(NULL, &s, SIZE);
	s = (struct tally_slice){.base = s.base + 8, .len = 1, .cap = 1};
	tally_slice_check(NULL, &s, SIZE);
	assert_int_equal(tally_slice_unregister(memory), 0);
	/* More than are remembered, registered in no order. */
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(
			tally_slice_register(memory + i * 7 % 300 * 16, 16), 0);
	for (size_t i = 0; i < 300; i++) {
		s.base = (uintptr_t)(memory + i * 16);
		tally_slice_check(NULL, &s, SIZE);
		assert_int_equal(tally_slice_unregister(memory + i * 16), 0);
	}
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(tally_slice_register(memory, 16), 0);
		assert_int_equal(tally_slice_unregister(memory), 0);
	}
	free(memory);
}

static const char *many;

static void use_the_first(struct tally_slice *s)
{
	s->base = (uintptr_t)many;
	s->cap = 4;
	use(s);
}

static void use_the_last(struct tally_slice *s)
{
	s->base = (uintptr_t)many + (uintptr_t)399 * 64;
	s->cap = 4;
	use(s);
}

/* A bounded number of released registrations is remembered. */
static void the_oldest_is_forgotten(void **state)
{
	char *memory = malloc((size_t)400 * 64);

	(void)state;
	assert_non_null(memory);
	for (size_t i = 0; i < 400; i++) {
		assert_int_equal(tally_slice_register(memory + i * 64, 64), 0);
		assert_int_equal(tally_slice_unregister(memory + i * 64), 0);
	}
	many = memory;
	assert_death(use_the_first, "base is in no allocation");
	assert_death(use_the_last, "after its memory was released");
	free(memory);
}

static void bad_registrations(void **state)
{
	(void)state;
	assert_int_equal(tally_slice_register(array, 0), -EINVAL);
	assert_int_equal(tally_slice_register(at_the_end(), 64), -EINVAL);
	assert_int_equal(tally_slice_unregister(&whole), -ENOENT);
}

static void off_is_off(void **state)
{
	struct tally_slice wrong = {.base = 64, .len = 9, .cap = 8};

	(void)state;
	tally_slice_set_checked(false);
	assert_false(tally_slice_checked());
	use(&wrong);
	tally_slice_check(NULL, &wrong, SIZE);
	tally_slice_check_at(NULL, &wrong, SIZE, 77);
	tally_slice_set_checked(true);
	assert_true(tally_slice_checked());
}

/* The environment is read at the first use, unless the program decided. */
static void by_environment(void **state)
{
	(void)state;
	tally_slice_checks = -1;
	setenv("NUMATALLY_CHECKED", "0", 1);
	assert_false(tally_slice_checked());
	tally_slice_checks = -1;
	setenv("NUMATALLY_CHECKED", "1", 1);
	assert_death(len_above_cap, "len is above cap");
	assert_true(tally_slice_checked());
	tally_slice_checks = -1;
	tally_slice_set_checked(false);
	assert_false(tally_slice_checked());
	unsetenv("NUMATALLY_CHECKED");
	tally_slice_checks = -1;
#ifdef TALLY_DEBUG
	assert_true(tally_slice_checked());
#else
	assert_false(tally_slice_checked());
#endif
	tally_slice_set_checked(true);
}

static bool stop;

static void *use_all_the_time(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		use(arg);
	return NULL;
}

/* Registrations come and go; one that stays is found throughout. */
static void uses_while_registering(void **state)
{
	struct tally_slice s = whole;
	pthread_t threads[2];
	char *memory = malloc(1024);

	(void)state;
	assert_non_null(memory);
	stop = false;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, use_all_the_time, &s),
			0);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(tally_slice_register(memory + i, 8), 0);
		assert_int_equal(tally_slice_unregister(memory + i), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_at_use),
		cmocka_unit_test(words_are_named),
		cmocka_unit_test(each_function),
		cmocka_unit_test(good_headers_pass),
		cmocka_unit_test(use_after_release),
		cmocka_unit_test(registered_anew),
		cmocka_unit_test(the_oldest_is_forgotten),
		cmocka_unit_test(bad_registrations),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(by_environment),
		cmocka_unit_test(uses_while_registering),
	};

	return cmocka_run_group_tests(tests, checked, unchecked);
}
