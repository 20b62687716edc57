// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <numatally/slice.h>

static void grow_never_passes_cap(void **state)
{
	struct tally_slice s = {.base = 64, .len = 1, .cap = 4};

	(void)state;
	assert_int_equal(tally_slice_grow(&s, 5), -ENOSPC);
	assert_int_equal(s.len, 1);
	assert_int_equal(tally_slice_grow(&s, 4), 0);
	assert_int_equal(s.len, 4);
	assert_int_equal(s.base, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grow_never_passes_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
