// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <locale.h>

#include "common/output.h"

static void bytes_for_people(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{-1536, "-1.5 KiB"},
		{1048575, "1.0 MiB"},
		{(int64_t)134893494272, "125.6 GiB"},
		{INT64_MAX, "8.0 EiB"},
		{INT64_MIN, "-8.0 EiB"},
	};
	char buf[OUTPUT_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(output_bytes(rows[i].bytes, buf),
				    rows[i].text);
}

static void time_for_people(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1.00 us"},
		{999499, "999 us"},
		{999500, "1.00 ms"},
		{12345678, "12.3 ms"},
		{999999999, "1.00 s"},
		{59060000000, "59.1 s"},
		{-5000000000, "-5.00 s"},
		{99949000000, "99.9 s"},
		{99960000000, "1m 40s"},
		{725000000000, "12m 05s"},
		{3599499999999, "59m 59s"},
		{3599500000000, "1h 00m"},
		{INT64_MAX, "2562047h 47m"},
		{INT64_MIN, "-2562047h 47m"},
	};
	char buf[OUTPUT_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(output_time(rows[i].ns, buf), rows[i].text);
}

static void assert_bar(int64_t part, int64_t whole, unsigned int width,
		       const char *expected)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	output_bar(f, part, whole, width);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void a_bar_in_ascii(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_bar(0, 10, 4, "    ");
	assert_bar(5, 10, 4, "##  ");
	assert_bar(10, 10, 4, "####");
	assert_bar(11, 10, 4, "####");
	assert_bar(-1, 10, 4, "    ");
	assert_bar(1, 0, 4, "    ");
	assert_bar(1, 1, 0, "");
	assert_bar(INT64_MAX, INT64_MAX, 2, "##");
}

static void a_bar_of_blocks(void **state)
{
	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		print_message("# no locale C.UTF-8\n");
		skip();
	}
	assert_bar(5, 10, 4, "\u2588\u2588  ");
	assert_bar(1, 16, 2, "\u258f ");
	assert_bar(9, 16, 2, "\u2588\u258f");
	assert_bar(7, 16, 2, "\u2589 ");
	assert_bar(16, 16, 2, "\u2588\u2588");
}

static void the_width_of_no_terminal(void **state)
{
	static const char *const bad[] = {"", "0", "-1", "9x", "99999999999"};
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	unsetenv("COLUMNS");
	assert_int_equal(output_width(f), OUTPUT_UNBOUND);
	setenv("COLUMNS", "132", 1);
	assert_int_equal(output_width(f), 132);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("COLUMNS", bad[i], 1);
		assert_int_equal(output_width(f), OUTPUT_UNBOUND);
	}
	assert_false(output_is_terminal(f));
	assert_false(output_colour(f));
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_for_people),
		cmocka_unit_test(time_for_people),
		cmocka_unit_test(a_bar_in_ascii),
		cmocka_unit_test(a_bar_of_blocks),
		cmocka_unit_test(the_width_of_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
