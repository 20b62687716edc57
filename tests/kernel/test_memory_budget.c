// SPDX-License-Identifier: MIT
/* When a sample is due, what it may cost, and what it keeps. */
#include "support/test.h"

#include <numatally/kernel_memory.h>

#include "support/allocations.h"
#include "support/memory_trees.h"

static void peaks(void **state)
{
	static const char *const texts[] = {
		"1000 default anon=8 N0=8 kernelpagesize_kB=4\n"
		"2000 default file=/a mapped=1 N1=1 kernelpagesize_kB=4\n",
		"1000 default anon=3 N0=1 N1=2 kernelpagesize_kB=4\n"
		"2000 default file=/a mapped=4 N1=4 kernelpagesize_kB=4\n",
		"1000 default\n",
	};
	unsigned int i;

	(void)state;
	put_process(10, 1, NULL, NULL, NULL);
	for (i = 0; i < 3; i++) {
		put("10", "numa_maps", texts[i]);
		sample(10);
		assert_int_equal(result->nr_samples, i + 1);
	}
	exactly(&node(0)->now_total, 0);
	exactly(&node(0)->peak_total, 8);
	exactly(&node(1)->now_total, 0);
	exactly(&node(1)->peak[TALLY_MEM_ANONYMOUS], 2);
	exactly(&node(1)->peak[TALLY_MEM_FILE], 4);
	exactly(&node(1)->peak_total, 6);
	exactly(&result->all.peak_total, 9);
	exactly(&result->all.peak[TALLY_MEM_ANONYMOUS], 8);
}

/* ---- allocating ----------------------------------------------------------- */

static void allocates_only_to_grow(void **state)
{
	(void)state;
#ifdef COUNT_ALLOCATIONS
	unsigned int i, before;
	volatile char *used;

	/* The counting itself must work. */
	before = allocations;
	used = malloc(1);
	assert_non_null(used);
	free((void *)used);
	assert_int_equal(allocations, before + 1);
	put_process(10, 1, LIB("10000-20000", "00000000"),
		    LIB_PAGES("10000", "10"), NULL);
	put_process(11, 10, LIB("10000-20000", "00000000"),
		    LIB_PAGES("10000", "10"), NULL);
	sample(10);
	sample(10);
	before = allocations;
	for (i = 0; i < 10; i++)
		sample(10);
	assert_int_equal(allocations, before);
#else
	print_message("# the sanitizer has its own malloc\n");
#endif
}

/* ---- the budget ----------------------------------------------------------- */

/* A clock that each sample reads twice, and that the test moves in between. */
struct fake {
	int64_t now;
	int64_t cost;
	unsigned int reads;
};

static int64_t fake_clock(void *arg)
{
	struct fake *f = arg;

	if (f->reads++ % 2)
		f->now += f->cost;
	return f->now;
}

#define MS ((int64_t)1000000)

static void with_clock(struct fake *f, struct tally_mem_options *o)
{
	o->clock = fake_clock;
	o->clock_arg = f;
	put_process(10, 1, NULL, "1000 default anon=8 N0=8\n", NULL);
	assert_int_equal(tally_kernel_tree_create(root, 10, true, &tree), 0);
	assert_int_equal(tally_kernel_mem_create(root, o, &mem), 0);
	assert_true(tally_kernel_mem_due(mem) <= f->now);
}

static void intervals_grow(void **state)
{
	static const int64_t want[] = {1, 2, 4, 8, 9, 9};
	struct tally_mem_options o = {.size = sizeof(o),
				      .first_interval_ns = MS,
				      .last_interval_ns = 9 * MS};
	struct fake f = {.now = 1000 * MS, .cost = 0};
	unsigned int i;

	(void)state;
	with_clock(&f, &o);
	for (i = 0; i < 6; i++) {
		sample(10);
		assert_int_equal(tally_kernel_mem_due(mem) - f.now,
				 want[i] * MS);
		f.now = tally_kernel_mem_due(mem);
	}
	assert_int_equal(result->cost_ns, 0);
}

static void a_dear_sample_is_paid_off(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o),
				      .budget_ppm = 20000,
				      .burst_ns = 2 * MS,
				      .last_interval_ns = MS};
	struct fake f = {.now = 1000 * MS, .cost = 12 * MS};

	(void)state;
	with_clock(&f, &o);
	sample(10);
	/* 12 ms, of which 2 ms may be owed: at 2 %, 10 ms cost 500 ms. */
	assert_int_equal(tally_kernel_mem_due(mem) - f.now, 500 * MS);
	assert_int_equal(result->last_cost_ns, 12 * MS);
	/* A slower one: the 2 ms are still owed, and 3 ms more, less what was
	 * paid while it ran. */
	f.now = tally_kernel_mem_due(mem);
	f.cost = 50 * MS;
	sample(10);
	assert_int_equal(tally_kernel_mem_due(mem) - f.now, MS * 50 * 49);
	assert_int_equal(result->cost_ns, 62 * MS);
	/* After a long pause nothing is owed, and nothing is saved up. */
	f.now += (int64_t)3600 * 1000 * MS;
	sample(10);
	assert_int_equal(tally_kernel_mem_due(mem) - f.now, MS * 48 * 50);
}

/* Whatever each costs, all samples together keep to the budget. */
static void the_budget_holds(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 10000};
	struct fake f = {.now = 1000 * MS};
	int64_t start = f.now;
	unsigned int i;

	(void)state;
	with_clock(&f, &o);
	srandom(1);
	for (i = 0; i < 200; i++) {
		f.cost = random() % (20 * MS);
		sample(10);
		f.now = tally_kernel_mem_due(mem);
		assert_true(result->cost_ns <=
			    (f.now - start) / 100 + 1 * MS + 1);
	}
}

static void bad_options(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o), .budget_ppm = 1000001};
	struct {
		struct tally_mem_options o;
		int64_t later;
	} later = {.later = 1};

	(void)state;
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	o = (struct tally_mem_options){.size = sizeof(struct tally_mem_options),
				       .burst_ns = -1};
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	o = (struct tally_mem_options){.size = sizeof(struct tally_mem_options),
				       .large_bytes = -1};
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	o = (struct tally_mem_options){.seed = 1};
	assert_int_equal(tally_kernel_mem_create(NULL, &o, &mem), -EINVAL);
	later.o.size = sizeof(later);
	assert_int_equal(tally_kernel_mem_create(NULL, &later.o, &mem), -E2BIG);
	assert_int_equal(tally_kernel_mem_create("/nowhere", NULL, &mem),
			 -ENOENT);
	assert_null(mem);
	assert_string_equal(tally_kernel_mem_name(TALLY_MEM_SHARED), "shared");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(peaks),
		WITH_ROOT(allocates_only_to_grow),
		WITH_ROOT(intervals_grow),
		WITH_ROOT(a_dear_sample_is_paid_off),
		WITH_ROOT(the_budget_holds),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
