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

static const struct {
	const char *function;
	int error;
	const char *text;
} expected[] = {
	{"tally_gauge_raise", ENOENT, "the ledger has no such node"},
	{"tally_gauge_raise", EREMOTE, "the node is of another machine"},
	{"tally_gauge_raise", ESTALE, "the account is gone"},
	{"tally_gauge_raise", EPERM,
	 "a child of fork(2) can't write to a ledger of one process"},
	{"tally_ledger_inline_add", ENOENT, "the ledger has no such node"},
	{"tally_ledger_inline_add", EREMOTE, "the node is of another machine"},
	{"tally_ledger_inline_add", ESTALE, "the account is gone"},
	{"tally_limit_inline_take", ENOSPC, "not enough is free on the node"},
	{"tally_limit_inline_give", ERANGE, "more than what was taken"},
	{"tally_ledger_remove", EBUSY,
	 "a process writes to the ledger, or it has accounts"},
	{"tally_ledger_remove", EINVAL, "an unknown flag"},
	{"tally_ledger_create", EINVAL,
	 "a resource or an option is not valid, or the topology is too large"},
	{"tally_ledger_create", ENOSPC,
	 "the file system is full, or the quotas need more rows"},
	{"tally_ledger_declare_limited", ESTALE,
	 "an account was ended meanwhile"},
	{"tally_account_open", ENOSPC,
	 "no row is free, or the file system is full"},
	{"tally_limit_adopt", ENOSPC,
	 "a sum is over 63 bits, or the file system is full"},
	{"tally_limit_credit", EUSERS,
	 "4096 credits have taken something, or too many processes write"},
	{"tally_limit_exchange", EINVAL,
	 "not a reservable resource, a negative limit, or an empty key"},
	{"tally_limit_exchange", EOVERFLOW,
	 "the accounts have more than 63 bits together"},
	{"tally_limit_exchange", ENAMETOOLONG, "the key is too long"},
	{"tally_limit_node", EAGAIN,
	 "a process was stopped or killed while it changed reservations"},
	{"tally_slice_unregister", ENOENT, "no allocation begins there"},
	{"tally_topo_open_xml", EAGAIN, "no process can be started"},
	{"tally_topo_open", EAGAIN, "nodes or CPUs come and go"},
};

/* The words tell the cause, where the system's or those of another function
 * would name another one. */
static void words_of_a_cause(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_string_equal(tally_strerror_of(expected[i].function,
						      -expected[i].error),
				    expected[i].text);
	assert_string_equal(tally_strerror_of("inline_", -ESTALE),
			    tally_strerror(-ESTALE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_version),
		cmocka_unit_test(every_number_has_words),
		cmocka_unit_test(words_of_a_function),
		cmocka_unit_test(words_of_a_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
