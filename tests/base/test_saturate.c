// SPDX-License-Identifier: MIT
/* Sums of amounts that are not negative. */
#include "support/test.h"

#include "base/saturate.h"

static void a_sum(void **state)
{
	(void)state;
	assert_true(saturate_add(0, 0) == 0);
	assert_true(saturate_add(3, 4) == 7);
	assert_true(saturate_add(INT64_MAX - 1, 1) == INT64_MAX);
}

static void a_sum_that_is_too_large(void **state)
{
	(void)state;
	assert_true(saturate_add(INT64_MAX, 1) == INT64_MAX);
	assert_true(saturate_add(1, INT64_MAX) == INT64_MAX);
	assert_true(saturate_add(INT64_MAX, INT64_MAX) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sum),
		cmocka_unit_test(a_sum_that_is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
