// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <getopt.h>

#include "common/array.h"
#include "common/opt.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void numbers(void **state)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x1",
					  "1.0",
					  "18446744073709551616",
					  "99999999999999999999"};
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		assert_false(parse_number(bad[i], 0, UINT64_MAX, &n));
	assert_false(parse_number("0", 1, 9, &n));
	assert_false(parse_number("10", 1, 9, &n));
	assert_int_equal(n, 7);
	assert_true(parse_number("18446744073709551615", 0, UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_true(parse_number("007", 7, 7, &n));
	assert_int_equal(n, 7);
}

static void intervals(void **state)
{
	static const char *const bad[] = {"",	   "0",	  "0.0009", "86400.1",
					  "86401", "nan", "inf",    "-1",
					  "1s",	   "x"};
	int64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		assert_false(parse_interval(bad[i], &ns));
	assert_int_equal(ns, 7);
	assert_true(parse_interval("0.001", &ns));
	assert_int_equal(ns, 1000000);
	assert_true(parse_interval("1.5", &ns));
	assert_int_equal(ns, 1500000000);
	assert_true(parse_interval("86400", &ns));
	assert_int_equal(ns, INT64_C(86400000000000));
}

static void ranges(void **state)
{
	static const char *const bad[] = {"",	 "x",	       "-1",   "1-",
					  "3-1", "10",	       "1-10", "1-x",
					  " 1",	 "99999999999"};
	unsigned int first, last;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		assert_null(parse_range(bad[i], 9, &first, &last));
	assert_string_equal(parse_range("3,5", 9, &first, &last), ",5");
	assert_int_equal(first, 3);
	assert_int_equal(last, 3);
	assert_string_equal(parse_range("2-9", 9, &first, &last), "");
	assert_int_equal(first, 2);
	assert_int_equal(last, 9);
}

/* ---- what is printed ------------------------------------------------------- */

static const char *const words[] = {"node", "process"};

static int wrong_number(void)
{
	uint64_t n;

	return opt_number("top", 1, 50, &n);
}

static int wrong_count(void)
{
	uint64_t n;

	return opt_number("count", 1, UINT64_MAX, &n);
}

static int wrong_interval(void)
{
	int64_t ns;

	return opt_interval("interval", &ns);
}

static int wrong_word(void)
{
	unsigned int i;

	return opt_word("by", words, NR(words), &i);
}

static int wrong_argument(void)
{
	return opt_invalid("x");
}

static int missing_argument(void)
{
	return opt_error("missing %s", "LEDGER");
}

/* What print() writes on stderr. */
static char *printed(int (*print)(void))
{
	static char text[512];
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t nr;

	assert_non_null(f);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	assert_int_equal(print(), 2);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(f);
	nr = fread(text, 1, sizeof(text) - 1, f);
	text[nr] = '\0';
	fclose(f);
	return text;
}

static void one_line_and_where_to_look(void **state)
{
	static const struct {
		int (*print)(void);
		char *value;
		const char *line;
	} rows[] = {
		{wrong_number, "0", "--top: '0' is not in 1 to 50"},
		{wrong_count, "x", "--count: 'x' is not a number from 1 up"},
		{wrong_interval, "0",
		 "--interval: '0' is not in 0.001 to 86400"},
		{wrong_word, "x", "--by: 'x' is none of node, process"},
		{wrong_argument, NULL, "invalid argument 'x'"},
		{missing_argument, NULL, "missing LEDGER"},
	};
	static char name[] = "numatally verb";
	char expected[512];

	(void)state;
	program_invocation_short_name = name;
	for (size_t i = 0; i < NR(rows); i++) {
		optarg = rows[i].value;
		snprintf(expected, sizeof(expected),
			 "%s: %s\nTry '%s --help' for more information.\n",
			 name, rows[i].line, name);
		assert_string_equal(printed(rows[i].print), expected);
	}
}

static void values(void **state)
{
	static char number[] = "12", interval[] = "2", word[] = "process";
	unsigned int index = 0;
	uint64_t n = 0;
	int64_t ns = 0;

	(void)state;
	optarg = number;
	assert_int_equal(opt_number("top", 1, 50, &n), 0);
	assert_int_equal(n, 12);
	optarg = interval;
	assert_int_equal(opt_interval("interval", &ns), 0);
	assert_int_equal(ns, 2000000000);
	optarg = word;
	assert_int_equal(opt_word("by", words, NR(words), &index), 0);
	assert_int_equal(index, 1);
	assert_int_equal(parse_word("proc", words, NR(words)), -1);
}

/* ---- arrays ---------------------------------------------------------------- */

static void arrays_grow(void **state)
{
	size_t room = 0;
	int *array = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(array_reserve(array, room, (size_t)i + 1), 0);
		assert_true(room > (size_t)i);
		if (array) /* linters do not see that it is */
			array[i] = i;
	}
	assert_true(room < 2048);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(array ? array[i] : -1, i);
	/* A sanitizer ends the program instead. */
	if (!TEST_SANITIZED) {
		assert_int_equal(array_reserve(array, room, SIZE_MAX / 2),
				 -ENOMEM);
		assert_int_equal(array_reserve(array, room, SIZE_MAX), -ENOMEM);
	}
	assert_int_equal(array ? array[999] : -1, 999);
	assert_int_equal(room, 1024);
	free(array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(intervals),
		cmocka_unit_test(ranges),
		cmocka_unit_test(one_line_and_where_to_look),
		cmocka_unit_test(values),
		cmocka_unit_test(arrays_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
