// SPDX-License-Identifier: MIT
/* What the looks before and behind a window tell of it. */
#include "support/test.h"

#include "kernel/memory/window.h"

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
		cmocka_unit_test(
			faults_that_are_missing_next_hide_none_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
