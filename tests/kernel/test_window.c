// SPDX-License-Identifier: MIT
/* What the looks before and behind a window tell of it. */
#include "support/test.h"

#include "kernel/memory/peak.h"
#include "kernel/memory/window.h"

#define PAGE   4096
#define AROUND (64 * KIB)

static const struct peak_growth growth = {
	.fault_bytes = AROUND,
	.anonymous_bytes = PAGE,
};

/* So many faults, each of which added one page. */
static struct peak_window put_pages(int64_t faults, bool anonymous)
{
	const struct peak_process was = {
		.pid = 2,
		.start_ticks = 1,
		.rss_bytes = 64 * MIB,
		.anonymous_bytes = 64 * MIB,
		.peak_bytes = 64 * MIB,
	};
	struct peak_process is = was;
	struct peak_window w = {.end = -1, .sampled = -1};

	is.faults = is.most_faults = faults;
	is.rss_bytes += faults * PAGE;
	is.peak_bytes = is.rss_bytes;
	if (anonymous)
		is.anonymous_bytes += faults * PAGE;
	else
		is.other_bytes += faults * PAGE;
	assert_int_equal(peak_window_put(&w, &growth, &was, &is, 0), faults);
	return w;
}

/* A write to shared memory maps one page, a read up to 16: these faults can have
 * got what was given up again. */
static void faults_that_mapped_little_are_in_doubt(void **state)
{
	struct peak_window anonymous = put_pages(512, true);
	struct peak_window shared = put_pages(512, false);

	(void)state;
	assert_int_equal(anonymous.doubt, 0);
	assert_int_equal(anonymous.lost, 0);
	assert_int_equal(shared.doubt, (512 - 512 / 16) * AROUND);
	assert_int_equal(shared.lost, shared.doubt);
	/* No more than it had. */
	shared = put_pages(4096, false);
	assert_int_equal(shared.doubt, 80 * MIB);
}

static void add(struct peak_windows *w, int64_t base, int64_t gained,
		int64_t unseen)
{
	const struct peak_window window = {
		.base = base,
		.gained = gained,
		.end = base,
		.sampled = -1,
		.unseen = {.fault_bytes = unseen, .nr = -1},
	};
	const struct peak_late late = {.fault_bytes = unseen};

	assert_int_equal(peak_windows_add(w, &window, &late, 0), 0);
}

/* A process that ended is in no count until its parent is looked at again. */
static void faults_that_are_missing_next_hide_none_of_before(void **state)
{
	struct peak_windows w = {.nr = 0};

	(void)state;
	add(&w, 0, 0, 0);
	add(&w, 10 * MIB, 10 * MIB, 50 * MIB);
	add(&w, 10 * MIB, 0, -90 * MIB);
	assert_int_equal(peak_windows_most(&w, -1), 60 * MIB);
	peak_windows_free(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_that_mapped_little_are_in_doubt),
		cmocka_unit_test(
			faults_that_are_missing_next_hide_none_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
