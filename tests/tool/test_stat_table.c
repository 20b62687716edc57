// SPDX-License-Identifier: MIT

#include "support/test.h"

#include "stat/numastat/table.h"

/* The printed table. The caller frees it. */
static char *printed(const struct stat_table *t, unsigned int width)
{
	FILE *saved = stdout;
	size_t size;
	char *text;

	stdout = open_memstream(&text, &size);
	assert_non_null(stdout);
	stat_table_print(t, width);
	fclose(stdout);
	stdout = saved;
	return text;
}

static void assert_printed(const struct stat_table *t, unsigned int width,
			   const char *want)
{
	char *text = printed(t, width);

	assert_string_equal(text, want);
	free(text);
}

static void set(struct stat_table *t, unsigned int row, unsigned int col,
		int64_t value)
{
	*stat_table_cell(t, row, col) =
		(struct stat_cell){.value = value, .known = true};
}

/* A row for each of a, b, c, …, and a column for each of A, B, C, … */
static void make(struct stat_table *t, unsigned int rows, unsigned int cols)
{
	char name[2] = "";

	stat_table_init(t, rows, cols);
	t->label_min = t->label_max = 16;
	for (unsigned int row = 0; row < rows; row++) {
		name[0] = (char)('a' + row);
		stat_table_label(t, row, name);
	}
	for (unsigned int col = 0; col < cols; col++) {
		name[0] = (char)('A' + col);
		stat_table_head(t, col, name);
	}
}

/* Halves round to the even neighbour, and a double's value is as printf()
 * prints it. */
static void mib_as_printf_has_it(void **state)
{
	static const int64_t near[] = {
		0,	   1,	      5242,	 5243,	     15728,
		128 << 10, 384 << 10, 512 << 10, 1536 << 10, (512 << 10) + 1,
		1 << 20};
	struct stat_table t;
	char want[64], *text;

	(void)state;
	srandom(1);
	make(&t, 1, 1);
	t.bare = true;
	for (unsigned int i = 0; i < 3000; i++) {
		unsigned int nr = sizeof(near) / sizeof(*near);
		int64_t value =
			i < nr ? near[i]
			       : ((int64_t)random() << (random() % 22)) / 1024 *
					 1024;

		if (i % 2)
			value = -value;
		set(&t, 0, 0, value);
		for (int whole = 0; whole < 2; whole++) {
			t.form = whole ? STAT_MIB_WHOLE : STAT_MIB;
			snprintf(want, sizeof(want), "%.*f", whole ? 0 : 2,
				 (double)value / 1048576);
			text = printed(&t, 80);
			text[strlen(text) - 1] = '\0';
			/* It has a sign where printf() prints one for zero. */
			if (strcmp(strrchr(text, ' ') + 1, want) != 0)
				fail_msg("%" PRId64 ": '%s', not '%s'", value,
					 text, want);
			free(text);
		}
	}
	stat_table_free(&t);
}

static void largest_values(void **state)
{
	struct stat_table t;

	(void)state;
	make(&t, 1, 2);
	t.bare = true;
	stat_table_add(&t, 0, 0, INT64_MAX);
	stat_table_add(&t, 0, 0, 1);
	stat_table_add(&t, 0, 1, INT64_MIN);
	stat_table_add(&t, 0, 1, -1);
	assert_printed(
		&t, 80,
		"                                   A                    B\n"
		"a                9223372036854775807 -9223372036854775808\n");
	t.form = STAT_MIB;
	assert_printed(&t, 80,
		       "                                A                 B\n"
		       "a                8796093022208.00 -8796093022208.00\n");
	stat_table_free(&t);
}

static void unknown_values_are_blank(void **state)
{
	struct stat_table t;

	(void)state;
	make(&t, 3, 3);
	set(&t, 0, 0, 1);
	set(&t, 2, 2, 0);
	assert_printed(&t, 80,
		       "                               A               C\n"
		       "                 --------------- ---------------\n"
		       "a                              1                \n"
		       "c                                              0\n");
	t.skip_zeros = true;
	assert_printed(&t, 80,
		       "                               A\n"
		       "                 ---------------\n"
		       "a                              1\n");
	set(&t, 0, 0, 0);
	assert_printed(&t, 80, "Table has no non-zero data.\n");
	t.skip_zeros = false;
	stat_table_cell(&t, 0, 0)->known = false;
	stat_table_cell(&t, 2, 2)->known = false;
	assert_printed(&t, 80, "Table has no data.\n");
	stat_table_free(&t);
}

static void folds(void **state)
{
	struct stat_table t;

	(void)state;
	make(&t, 1, 3);
	t.compress = true;
	t.total = false;
	for (unsigned int col = 0; col < 3; col++)
		set(&t, 0, col, col);
	assert_printed(&t, 15,
		       "         A    B\n"
		       "      ---- ----\n"
		       "a        0    1\n"
		       "\n"
		       "         C\n"
		       "      ----\n"
		       "a        2\n");
	/* There is always one column. */
	t.skip_zeros = true;
	assert_printed(&t, 1,
		       "         B\n"
		       "      ----\n"
		       "a        1\n"
		       "\n"
		       "         C\n"
		       "      ----\n"
		       "a        2\n");
	stat_table_free(&t);
}

static void a_total_and_a_corner(void **state)
{
	struct stat_table t;

	(void)state;
	make(&t, 2, 1);
	t.corner = "PID";
	t.total = true;
	t.compress = true;
	stat_table_label(&t, 0, "a label of more than sixteen");
	set(&t, 0, 0, 123456);
	set(&t, 1, 0, 123456);
	assert_printed(&t, 80,
		       "PID                               A\n"
		       "---------------------------  ------\n"
		       "a label of more than sixteen 123456\n"
		       "---------------------------  ------\n"
		       "b                            123456\n");
	stat_table_free(&t);
}

/* A label touches no number: numbers have a blank before them. */
static void labels_as_wide_as_they_need(void **state)
{
	static const struct {
		int label;
		unsigned int width;
	} want[] = {{15, 17}, {16, 17}, {22, 23}, {23, 24}, {24, 24}, {25, 25}};
	struct stat_table t;
	char label[32], *text;

	(void)state;
	make(&t, 1, 1);
	t.bare = true;
	t.label_max = 24;
	set(&t, 0, 0, 1);
	for (unsigned int i = 0; i < sizeof(want) / sizeof(*want); i++) {
		snprintf(label, sizeof(label), "%0*d", want[i].label, 0);
		stat_table_label(&t, 0, label);
		text = printed(&t, 80);
		assert_int_equal(strlen(text), 2 * (want[i].width + 16 + 1));
		free(text);
	}
	stat_table_free(&t);
}

static void assert_order(const struct stat_table *t, const char *want)
{
	char have[32];

	for (unsigned int i = 0; i < t->nr_rows; i++)
		have[i] = (char)('a' + t->order[i]);
	have[t->nr_rows] = '\0';
	assert_string_equal(have, want);
}

/* The largest trades places with the first. */
static void equal_rows_are_swapped(void **state)
{
	static const int64_t values[] = {1, 1, 3, 1, 3, 2};
	struct stat_table t;

	(void)state;
	make(&t, 6, 1);
	for (unsigned int row = 0; row < 6; row++)
		set(&t, row, 0, values[row]);
	stat_table_sort(&t, 6, 6, 0);
	assert_order(&t, "cefdba");
	stat_table_free(&t);
}

static void others_are_merged(void **state)
{
	static const int64_t values[] = {5, 9, 5, 7, 5, 1, 9};
	struct stat_table t;

	(void)state;
	make(&t, 7, 1);
	for (unsigned int row = 0; row < 7; row++)
		set(&t, row, 0, values[row]);
	stat_table_sort(&t, 3, 7, 0);
	assert_order(&t, "bgdacef");
	stat_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mib_as_printf_has_it),
		cmocka_unit_test(largest_values),
		cmocka_unit_test(unknown_values_are_blank),
		cmocka_unit_test(folds),
		cmocka_unit_test(a_total_and_a_corner),
		cmocka_unit_test(labels_as_wide_as_they_need),
		cmocka_unit_test(equal_rows_are_swapped),
		cmocka_unit_test(others_are_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
