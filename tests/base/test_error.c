// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <limits.h>
#include <pthread.h>

#include <numatally.h>

static void one_version(void **state)
{
	char text[32];
	uint32_t v = tally_version();

	(void)state;
	assert_int_equal(v, TALLY_VERSION);
	snprintf(text, sizeof(text), "%u.%u.%u", v >> 16, v >> 8 & 0xff,
		 v & 0xff);
	assert_string_equal(text, TALLY_VERSION_STRING);
	assert_string_equal(text, PACKAGE_VERSION);
}

static void every_number_has_words(void **state)
{
	(void)state;
	for (int err = -300; err <= 300; err++) {
		assert_non_null(tally_strerror(err));
		assert_true(*tally_strerror(err) != '\0');
		assert_ptr_equal(tally_strerror(err), tally_strerror(err));
	}
	assert_string_equal(tally_strerror(0), "Success");
	assert_string_equal(tally_strerror(-EDQUOT),
			    "a quota does not allow it");
	assert_string_equal(tally_strerror(-EACCES), "Permission denied");
	assert_string_equal(tally_strerror(EACCES), "unknown error");
	assert_string_equal(tally_strerror(INT_MIN), "unknown error");
	assert_string_equal(tally_strerror(INT_MAX), "unknown error");
	assert_string_equal(tally_strerror(-4000), "unknown error");
}

static void words_of_a_function(void **state)
{
	(void)state;
	assert_string_equal(tally_strerror_of("tally_account_find", -ENOENT),
			    "no such account");
	assert_string_equal(tally_strerror_of("tally_ledger_open", -ESTALE),
			    "the ledger is of an earlier boot");
	assert_string_equal(
		tally_strerror_of("tally_ledger_open_or_create", -EEXIST),
		"the ledger has other resources or nodes");
	assert_string_equal(tally_strerror_of("tally_ledger_declare", -ENOSPC),
			    "no spare column is left");
	assert_string_equal(tally_strerror_of("tally_ledger_add", -ESTALE),
			    "the account is gone");
	assert_string_equal(tally_strerror_of("tally_ledger_add", -EBADMSG),
			    tally_strerror(-EBADMSG));
	assert_string_equal(tally_strerror_of("puts", -ESTALE),
			    tally_strerror(-ESTALE));
	assert_string_equal(tally_strerror_of("", -ESTALE),
			    tally_strerror(-ESTALE));
	assert_string_equal(tally_strerror_of(NULL, -ESTALE),
			    tally_strerror(-ESTALE));
	assert_string_equal(tally_strerror_of("tally_ledger_add", INT_MIN),
			    "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_version),
		cmocka_unit_test(every_number_has_words),
		cmocka_unit_test(words_of_a_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
