// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <math.h>

#include "common/json.h"

/* A document in memory. */
struct document {
	struct json_writer w;
	char *text;
	size_t size;
};

static void begin(struct document *d)
{
	FILE *f = open_memstream(&d->text, &d->size);

	assert_non_null(f);
	json_begin(&d->w, f);
}

static void assert_document(struct document *d, const char *expected)
{
	assert_int_equal(json_finish(&d->w), 0);
	assert_int_equal(fclose(d->w.f), 0);
	assert_string_equal(d->text, expected);
	free(d->text);
}

static void values_nest_on_one_line(void **state)
{
	struct document d;

	(void)state;
	begin(&d);
	json_open_object(&d.w, NULL);
	json_put_int(&d.w, "version", 1);
	json_open_array(&d.w, "nodes");
	for (int i = 0; i < 2; i++) {
		json_open_object(&d.w, NULL);
		json_put_int(&d.w, "id", i);
		json_close_object(&d.w);
	}
	json_open_array(&d.w, NULL);
	json_close_array(&d.w);
	json_put_string(&d.w, NULL, "x");
	json_close_array(&d.w);
	json_put_bool(&d.w, "yes", true);
	json_put_bool(&d.w, "no", false);
	json_put_null(&d.w, "nothing");
	json_open_object(&d.w, "empty");
	json_close_object(&d.w);
	json_put_int(&d.w, "last", 2);
	json_close_object(&d.w);
	assert_document(&d, "{\"version\":1,\"nodes\":[{\"id\":0},{\"id\":1},"
			    "[],\"x\"],\"yes\":true,\"no\":false,"
			    "\"nothing\":null,\"empty\":{},\"last\":2}\n");
}

static void numbers_are_exact(void **state)
{
	struct document d;

	(void)state;
	begin(&d);
	json_open_array(&d.w, NULL);
	json_put_int(&d.w, NULL, INT64_MIN);
	json_put_int(&d.w, NULL, INT64_MAX);
	json_put_int(&d.w, NULL, 0);
	json_put_uint(&d.w, NULL, UINT64_MAX);
	json_put_int_unless(&d.w, NULL, -1, -1);
	json_put_int_unless(&d.w, NULL, -2, -1);
	json_close_array(&d.w);
	assert_document(&d, "[-9223372036854775808,9223372036854775807,0,"
			    "18446744073709551615,null,-2]\n");
}

static void doubles_have_three_decimals(void **state)
{
	struct document d;

	(void)state;
	begin(&d);
	json_open_array(&d.w, NULL);
	json_put_double(&d.w, NULL, 0);
	json_put_double(&d.w, NULL, 0.9996);
	json_put_double(&d.w, NULL, -1.25);
	json_put_double(&d.w, NULL, 1234567.0625);
	json_put_double(&d.w, NULL, 1e18);
	json_put_double(&d.w, NULL, INFINITY);
	json_put_double(&d.w, NULL, NAN);
	json_close_array(&d.w);
	assert_document(&d, "[0.000,1.000,-1.250,1234567.063,"
			    "1.00000000000000000e+18,null,null]\n");
}

static void strings_are_escaped(void **state)
{
	struct document d;

	(void)state;
	begin(&d);
	json_open_object(&d.w, NULL);
	json_put_string(&d.w, "a\"b", "\" \\ / \b\f\n\r\t \x01\x1f\x7f");
	json_put_string(&d.w, "none", NULL);
	json_put_string(&d.w, "empty", "");
	json_put_string(&d.w, "utf8", "\u00e4\u20ac\U0001f600");
	json_put_string(&d.w, "c1", "\xc2\x9b\xc2\xa0");
	json_close_object(&d.w);
	assert_document(&d,
			"{\"a\\\"b\":\"\\\" \\\\ / \\b\\f\\n\\r\\t "
			"\\u0001\\u001F\\u007F\",\"none\":null,\"empty\":\"\","
			"\"utf8\":\"\u00e4\u20ac\U0001f600\","
			"\"c1\":\"\\u009B\xc2\xa0\"}\n");
}

static void terminals_get_ascii(void **state)
{
	struct document d;

	(void)state;
	begin(&d);
	d.w.ascii = true;
	json_open_array(&d.w, NULL);
	json_put_string(&d.w, NULL, "a\xc2\x80\u00e4\u20ac\U0001f600z");
	json_put_string(&d.w, NULL, "\xff");
	json_close_array(&d.w);
	assert_document(
		&d,
		"[\"a\\u0080\\u00E4\\u20AC\\uD83D\\uDE00z\",\"\\uFFFD\"]\n");
}

/* Overlong, a surrogate, above U+10FFFF, cut short, and a lone byte. */
static void bytes_that_are_not_utf8(void **state)
{
	static const struct {
		const char *bytes, *json;
	} rows[] = {
		{"a\xff"
		 "b",
		 "{\"key\":\"a\ufffdb\",\"key_hex\":\"61ff62\"}\n"},
		{"\xc0\xaf",
		 "{\"key\":\"\ufffd\ufffd\",\"key_hex\":\"c0af\"}\n"},
		{"\xed\xa0\x80",
		 "{\"key\":\"\ufffd\ufffd\ufffd\",\"key_hex\":\"eda080\"}\n"},
		{"\xf4\x90\x80\x80", "{\"key\":\"\ufffd\ufffd\ufffd\ufffd\","
				     "\"key_hex\":\"f4908080\"}\n"},
		{"\xe2\x82",
		 "{\"key\":\"\ufffd\ufffd\",\"key_hex\":\"e282\"}\n"},
		{"fine", "{\"key\":\"fine\"}\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct document d;

		begin(&d);
		json_open_object(&d.w, NULL);
		json_put_bytes(&d.w, "key", rows[i].bytes);
		json_close_object(&d.w);
		assert_document(&d, rows[i].json);
	}
}

static void put_many(struct json_writer *w, unsigned int nr)
{
	json_open_array(w, NULL);
	for (unsigned int i = 0; i < nr; i++)
		json_put_uint(w, NULL, i);
	json_close_array(w);
}

/* The first error is returned, even if it came before the end. */
static void output_that_does_not_arrive(void **state)
{
	static const unsigned int nrs[] = {0, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++) {
		FILE *f = fopen("/dev/full", "w");
		struct json_writer w;

		if (!f) {
			print_message("# no /dev/full\n");
			skip();
		}
		json_begin(&w, f);
		put_many(&w, nrs[i]);
		assert_int_equal(json_finish(&w), -ENOSPC);
		fclose(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_nest_on_one_line),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(doubles_have_three_decimals),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(terminals_get_ascii),
		cmocka_unit_test(bytes_that_are_not_utf8),
		cmocka_unit_test(output_that_does_not_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
