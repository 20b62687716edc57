// SPDX-License-Identifier: MIT
/* Rates, amounts as text, the order of rows, and the grid. */
#include "support/test.h"

#include <locale.h>

#include "top/draw/text.h"
#include "support/top_machine.h"

/* ---- rates -----------------------------------------------------------------*/

static void rates(void **state)
{
	struct top_rate r = top_rate(100, 350, 500000000);

	(void)state;
	assert_int_equal(r.state, TOP_RATE_KNOWN);
	assert_true(r.per_s > 499.999 && r.per_s < 500.001);
	r = top_rate(INT64_MIN + 1, INT64_MAX, 1);
	assert_int_equal(r.state, TOP_RATE_KNOWN);
	assert_true(r.per_s > 1.8e28);
	assert_int_equal(top_rate(5, 4, 1000000000).state, TOP_RATE_RESET);
	assert_int_equal(top_rate(5, 6, 0).state, TOP_RATE_FIRST);
	assert_int_equal(top_rate(TOP_UNKNOWN, 6, 1).state, TOP_RATE_FIRST);
	assert_int_equal(top_rate(5, TOP_UNKNOWN, 1).state, TOP_RATE_UNKNOWN);
}

static void sums_of_rates(void **state)
{
	struct top_rate none = {.state = TOP_RATE_UNKNOWN};
	struct top_rate reset = {.state = TOP_RATE_RESET};
	struct top_rate first = {.state = TOP_RATE_FIRST};
	struct top_rate two = {.state = TOP_RATE_KNOWN, .per_s = 2};

	(void)state;
	assert_true(top_rate_add(two, two).per_s == 4);
	assert_true(top_rate_add(two, none).per_s == 2);
	assert_true(top_rate_add(none, two).per_s == 2);
	assert_true(top_rate_add(two, first).per_s == 2);
	assert_int_equal(top_rate_add(first, none).state, TOP_RATE_FIRST);
	assert_int_equal(top_rate_add(two, reset).state, TOP_RATE_RESET);
	assert_int_equal(top_rate_add(reset, none).state, TOP_RATE_RESET);
	assert_int_equal(top_rate_add(none, none).state, TOP_RATE_UNKNOWN);
}

static void busy(void **state)
{
	(void)state;
	assert_int_equal(top_busy_ppm(0, 25, 0, 75), 250000);
	assert_int_equal(top_busy_ppm(10, 10, 0, 75), 0);
	assert_int_equal(top_busy_ppm(0, 7, 5, 5), 1000000);
	/* Idle time may go backwards; busy time may not. */
	assert_int_equal(top_busy_ppm(0, 7, 6, 5), 1000000);
	assert_int_equal(top_busy_ppm(8, 7, 5, 9), TOP_UNKNOWN);
	assert_int_equal(top_busy_ppm(8, 8, 5, 5), TOP_UNKNOWN);
	assert_int_equal(top_busy_ppm(TOP_UNKNOWN, 8, 5, 5), TOP_UNKNOWN);
	assert_int_equal(top_busy_ppm(0, 8, 5, TOP_UNKNOWN), TOP_UNKNOWN);
}

static void all_nodes(void **state)
{
	struct top_model model = {0};
	struct top_node all;

	(void)state;
	top_model_sum(&model, &all);
	assert_int_equal(all.total_bytes, TOP_UNKNOWN);
	assert_int_equal(all.cpu_ppm, TOP_UNKNOWN);
	top_machine_nodes(&model, 3, 5);
	model.nodes[0].nr_cpus = 0; /* 0, 10 and 20 percent busy */
	model.nodes[1].nr_cpus = 30;
	model.nodes[2].nr_cpus = 10;
	model.nodes[1].total_bytes = TOP_UNKNOWN;
	model.nodes[2].used_bytes = INT64_MAX;
	top_model_sum(&model, &all);
	/* That of one node is not known. */
	assert_int_equal(all.total_bytes, TOP_UNKNOWN);
	assert_int_equal(all.used_bytes, INT64_MAX);
	assert_int_equal(all.cpu_ppm, 125000);
	assert_int_equal(all.nr_cpus, 40);
	assert_true(all.rates[TOP_MISS].per_s == 3);
	model.nodes[1].rates[TOP_MISS].state = TOP_RATE_RESET;
	top_model_sum(&model, &all);
	assert_int_equal(all.rates[TOP_MISS].state, TOP_RATE_RESET);
	assert_int_equal(top_model_index(&model, 5), 1);
	assert_int_equal(top_model_index(&model, 6), -1);
	assert_int_equal(top_model_index(&model, 11), -1);
	top_model_free(&model);
}

/* ---- text ------------------------------------------------------------------*/

static void amounts(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "1B"},
		{1023, "1023B"},
		{1024, "1.0K"},
		{10188, "9.9K"},
		{10189, "10K"},
		{1048063, "1023K"},
		{1048064, "1.0M"},
		{(int64_t)134893494272, "126G"},
		{INT64_MAX, "8.0E"},
		{-1, "-"},
		{TOP_UNKNOWN, "-"},
	};
	char text[TOP_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_string_equal(top_text_bytes(rows[i].bytes, false, text),
				    rows[i].text);
		assert_true(strlen(text) <= 5);
	}
	assert_string_equal(top_text_bytes(4096, true, text), "~4.0K");
	assert_string_equal(top_text_ppm(994999, false, text), "99%");
	assert_string_equal(top_text_ppm(2000000, true, text), "~100%");
	assert_string_equal(top_text_ppm(TOP_UNKNOWN, true, text), "-");
	assert_string_equal(top_text_cpus(0.5, false, text), "50.0");
	assert_string_equal(top_text_cpus(16, true, text), "~1600");
	assert_string_equal(top_text_cpus(1e300, false, text), "99999");
	assert_string_equal(top_text_cpus(-1, false, text), "-");
}

static void rates_as_text(void **state)
{
	static const struct {
		double per_s;
		const char *text;
	} rows[] = {
		{0, "0"},	 {0.44, "0.4"},	   {9.9, "9.9"},
		{9.96, "10"},	 {99999, "99999"}, {123456, "123k"},
		{9.9e6, "9.9M"}, {1e18, "1.0E"},   {1e30, ">999E"},
	};
	char text[TOP_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct top_rate r = {TOP_RATE_KNOWN, rows[i].per_s};

		assert_string_equal(top_text_rate(r, text), rows[i].text);
	}
	assert_string_equal(
		top_text_rate((struct top_rate){.state = TOP_RATE_RESET}, text),
		"reset");
	assert_string_equal(top_text_rate((struct top_rate){0}, text), "-");
}

/* ---- trees -----------------------------------------------------------------*/

/* Each process as pid and ppid; the tree as a letter for each and its depth. */
static void assert_tree(const int (*pids)[2], int nr, const char *expected)
{
	struct top_model model = {0};
	struct top_list list = {0};
	const struct top_sort sort = {.column = TOP_ID};
	char got[64] = "", *p = got;

	for (int i = 0; i < nr; i++) {
		const char name[2] = {(char)('a' + i), '\0'};
		struct top_row *row = top_machine_process(&model, pids[i][0],
							  name, "u", 0, 0, 0);

		row->parent = pids[i][1];
	}
	assert_int_equal(
		top_list_make(&list, &model, &sort, TOP_VIEW_MEMORY, ""), 0);
	assert_int_equal(top_list_tree(&list), 0);
	assert_int_equal(list.nr, nr);
	for (int i = 0; i < nr; i++)
		p += sprintf(p, "%s%u",
			     top_model_text(&model, list.entries[i].row->name),
			     list.entries[i].depth);
	assert_string_equal(got, expected);
	top_list_free(&list);
	top_model_free(&model);
}

static void children_follow_their_parent(void **state)
{
	(void)state;
	assert_tree(
		(const int[][2]){
			{1, 0}, {2, 0}, {3, 1}, {4, 3}, {5, 1}, {6, 2}},
		6, "a0c1d2e1b0f1");
	/* A parent that is not listed. */
	assert_tree((const int[][2]){{5, 4}, {6, 5}, {7, 9}}, 3, "a0b1c0");
	/* A child with a lower number. */
	assert_tree((const int[][2]){{3, 9}, {5, 0}, {9, 0}}, 3, "b0c0a1");
	assert_tree((const int[][2]){{3, 3}}, 1, "a0");
	/* Circles, as a forged tree may have. */
	assert_tree((const int[][2]){{1, 2}, {2, 1}, {3, 1}, {4, 0}}, 4,
		    "d0a0b0c0");
	assert_tree((const int[][2]){{1, 0}}, 0, "");
}

/* ---- the order -------------------------------------------------------------*/

static void make(struct top_model *model)
{
	static const char *const names[] = {"b", "a", "d", "c"};

	*model = (struct top_model){0};
	top_machine_nodes(model, 3, 2);
	for (int i = 0; i < 4; i++)
		top_machine_process(model, 11 - i, names[i],
				    i & 1 ? "root" : "Bert",
				    (int64_t)(i + 1) << 20, (unsigned int)i % 2,
				    (i * 3 % 4) * 0.1);
}

static void assert_order(const struct top_model *model, const char *key,
			 bool reverse, enum top_view view, const char *filter,
			 const char *names)
{
	struct top_list list = {0};
	struct top_sort sort;
	char got[16] = "";

	assert_int_equal(top_sort_parse(key, &sort), 0);
	sort.reverse = reverse;
	assert_int_equal(top_list_make(&list, model, &sort, view, filter), 0);
	assert_true(list.nr < sizeof(got));
	for (size_t i = 0; i < list.nr; i++)
		got[i] = *top_model_text(model, list.entries[i].row->name);
	assert_string_equal(got, names);
	top_list_free(&list);
}

static void orders(void **state)
{
	struct top_model m;

	(void)state;
	/* b: pid 11, 1 MiB of node 0; a: 10, 2 of 2; d: 9, 3 of 0; c */
	make(&m);
	assert_order(&m, "memory", false, 0, "", "cdab");
	assert_order(&m, "memory", true, 0, "", "badc");
	assert_order(&m, "pid", false, 0, "", "cdab");
	assert_order(&m, "pid", true, 0, "", "badc");
	assert_order(&m, "name", false, 0, "", "abcd");
	assert_order(&m, "name", true, 0, "", "dcba");
	assert_order(&m, "user", false, 0, "", "dbca");
	assert_order(&m, "cpu", false, 0, "", "adcb");
	/* b and d have 1 and 3 MiB on node 0, a and c none: then by pid. */
	assert_order(&m, "0", false, TOP_VIEW_MEMORY, "", "dbca");
	assert_order(&m, "node2", false, TOP_VIEW_ANONYMOUS, "", "cadb");
	assert_order(&m, "node2", false, TOP_VIEW_CPU, "", "acdb");
	/* No such node: by pid. */
	assert_order(&m, "1", false, TOP_VIEW_MEMORY, "", "cdab");
	/* Unknown values are last, in either order. */
	m.rows[1].bytes = TOP_UNKNOWN;
	assert_order(&m, "memory", false, 0, "", "cdba");
	assert_order(&m, "memory", true, 0, "", "bdca");
	top_model_free(&m);
}

static void filters(void **state)
{
	struct top_model m;

	(void)state;
	make(&m);
	assert_order(&m, "pid", false, 0, "bert", "db");
	assert_order(&m, "pid", false, 0, "C", "c");
	assert_order(&m, "pid", false, 0, "11", "b");
	assert_order(&m, "pid", false, 0, "no such thing", "");
	/* Cgroups and users have no pid. */
	m.by = TOP_CGROUPS;
	assert_order(&m, "pid", false, 0, "11", "");
	top_model_free(&m);
}

static void sort_keys(void **state)
{
	struct top_sort sort = {.column = TOP_SWAP};

	(void)state;
	assert_int_equal(top_sort_parse("node12", &sort), 0);
	assert_int_equal(sort.column, TOP_NODE);
	assert_int_equal(sort.node, 12);
	assert_int_equal(top_sort_parse("remote", &sort), 0);
	assert_int_equal(sort.column, TOP_REMOTE_SHARE);
	assert_int_equal(top_sort_parse("", &sort), -1);
	assert_int_equal(top_sort_parse("node", &sort), -1);
	assert_int_equal(top_sort_parse("where", &sort), -1);
	assert_int_equal(top_sort_parse("node-1", &sort), -1);
	assert_int_equal(top_sort_parse("1x", &sort), -1);
	assert_int_equal(top_sort_parse("99999999999", &sort), -1);
	assert_int_equal(sort.column, TOP_REMOTE_SHARE);
}

/* ---- the grid --------------------------------------------------------------*/

static void grid_keeps_its_edges(void **state)
{
	struct top_grid grid = {0};

	(void)state;
	assert_int_equal(top_grid_reset(&grid, 4, 2), 0);
	assert_int_equal(top_grid_text(&grid, 2, 0, 10, "abcdef", 0), 6);
	assert_int_equal(top_grid_text(&grid, -2, 1, 10, "abcdef", 0), 6);
	top_grid_text(&grid, 0, 2, 10, "x", 0);
	top_grid_text(&grid, 0, -1, 10, "x", 0);
	assert_int_equal(grid.cells[0].c, L' ');
	assert_int_equal(grid.cells[2].c, L'a');
	assert_int_equal(grid.cells[3].c, L'b');
	assert_int_equal(grid.cells[4].c, L'c');
	assert_int_equal(grid.cells[7].c, L'f');
	top_grid_bar(&grid, 3, 0, 5, 1, 1, 0);
	top_grid_look(&grid, 3, 1, 5, TOP_BOLD);
	assert_int_equal(grid.cells[7].look, TOP_BOLD);
	top_grid_free(&grid);
	assert_int_equal(top_grid_reset(&grid, 0, 0), 0);
	top_grid_text(&grid, 0, 0, 1, "x", 0);
	top_grid_free(&grid);
}

static void wide_characters_are_whole(void **state)
{
	struct top_grid grid = {0};

	(void)state;
	assert_int_equal(top_grid_reset(&grid, 5, 1), 0);
	/* Three of two columns each, in five. */
	assert_int_equal(top_grid_text(&grid, 0, 0, 5, "\u6f22\u6f22\u6f22", 0),
			 4);
	assert_int_equal(grid.cells[0].c, 0x6f22);
	assert_int_equal(grid.cells[1].c, 0);
	assert_int_equal(grid.cells[4].c, L' ');
	/* Half a character at the edge is a space. */
	top_grid_text(&grid, 4, 0, 5, "\u6f22", 0);
	assert_int_equal(grid.cells[4].c, L' ');
	top_grid_free(&grid);
}

/* No control character is ever in the grid. */
static void hostile_names(void **state)
{
	static const char *const names[] = {
		"\x1b[2J\x1b]0;title\a",
		"\xff\xfe\x80",
		"line\nbreak\ttab\r",
		"right\u202eto left\u202c\u200b",
		"\u0301combining",
		"\302\23331m",
		"",
		"\\backslash",
		"\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57",
	};
	struct top_frame f = {0};

	(void)state;
	top_state_init(&f.state);
	top_machine_nodes(&f.model, 2, 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		top_machine_process(&f.model, (int)i + 1, names[i], names[i],
				    1 << 20, 0, 0.1);
	for (unsigned int width = 1; width < 120; width++) {
		top_frame_draw(&f, width, 20, true);
		for (size_t i = 0; i < (size_t)width * 20; i++) {
			wchar_t c = f.grid.cells[i].c;

			assert_true(c ? wcwidth(c) > 0
				      : i % width > 0 &&
						    wcwidth(f.grid.cells[i - 1]
								    .c) == 2);
		}
	}
	top_frame_type(&f, "N\n");
	assert_non_null(strstr(top_frame_line(&f, f.layout.row_head),
			       "\\x1b[2J\\x1b]0;title\\x07"));
	strcpy(f.state.filter, "\x1b[2J");
	top_frame_draw(&f, 119, 20, true);
	assert_non_null(strstr(top_frame_line(&f, 19), "filter /\\x1b[2J"));
	top_frame_free(&f);
}

/* ---- a whole frame ------------------------------------------------------- */

static void unusual_nodes(void **state)
{
	struct top_frame f = {0};

	(void)state;
	top_state_init(&f.state);
	top_machine_nodes(&f.model, 5, 1);
	f.model.nodes[0].nr_cpus = 0;
	f.model.nodes[1].total_bytes = f.model.nodes[1].used_bytes = 0;
	f.model.nodes[2].err = -13;
	f.model.nodes[3].rates[TOP_MISS].state = TOP_RATE_RESET;
	f.model.nodes[4].tier = 2;
	f.model.nodes[4].total_bytes = TOP_UNKNOWN;
	f.model.nodes[4].used_bytes = TOP_UNKNOWN;
	f.model.nodes[4].cpu_ppm = TOP_UNKNOWN;
	top_frame_draw(&f, 90, 24, true);
	assert_non_null(strstr(top_frame_line(&f, f.layout.nodes), "none"));
	assert_non_null(strstr(top_frame_line(&f, f.layout.nodes + 1), "none"));
	/* The CPUs of a node whose memory can't be read are known. */
	assert_non_null(strstr(top_frame_line(&f, f.layout.nodes + 2),
			       "2    - Permission denied"));
	assert_non_null(strstr(top_frame_line(&f, f.layout.nodes + 2), "%"));
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.nodes + 3), "  reset  "));
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.nodes + 4), "   4   t2 -"));
	assert_null(strstr(top_frame_line(&f, f.layout.nodes + 4), "%"));
	top_frame_free(&f);
}

static void one_row(void **state)
{
	struct top_frame f = {0};
	struct top_row *row;

	(void)state;
	top_state_init(&f.state);
	top_machine_nodes(&f.model, 2, 1);
	row = top_machine_process(&f.model, 42, "answer", "deep", 3 << 20, 0,
				  0.5);
	row->estimate = f.model.parts[0].estimate = true;
	top_frame_draw(&f, 80, 24, false);
	assert_string_equal(
		top_frame_line(&f, f.layout.row_head),
		"     pid user       cpu% memory remot   anon   file     n0     "
		"n1 command");
	assert_string_equal(
		top_frame_line(&f, f.layout.rows),
		"      42 deep       50.0  ~4.5M  ~33%  ~4.5M      0  ~3.0M   "
		"1.5M answer");
	f.state.view = TOP_VIEW_CPU;
	top_frame_draw(&f, 80, 24, false);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.rows), "  ~50.0      0 a"));
	f.model.rows[0].err = -13;
	f.model.rows[0].cpus = -1;
	f.model.nr_lacking = 1;
	top_frame_draw(&f, 80, 24, false);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.rows), "-      - a"));
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.status), "1 not readable"));
	top_frame_free(&f);
}

static void where_it_is(void **state)
{
	struct top_frame f = {0};
	struct top_row *row;

	(void)state;
	top_state_init(&f.state);
	top_machine_nodes(&f.model, 64, 2);
	row = top_machine_process(&f.model, 42, "answer", "deep", 1 << 20, 7,
				  0.5);
	top_frame_draw(&f, 80, 24, false);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.rows), " 14:67% 16:33% "));
	for (unsigned int i = 10; i < 20; i++)
		top_model_add_part(&f.model, i)->bytes = 1000;
	row->bytes += 10000;
	top_frame_draw(&f, 80, 24, false);
	assert_non_null(strstr(top_frame_line(&f, f.layout.rows),
			       "14:66% 16:33% +10 "));
	row->err = -1;
	top_frame_draw(&f, 80, 24, false);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.rows), "Operation no"));
	top_frame_free(&f);
}

/* Of a path that is too long, the end is visible. */
static void long_paths(void **state)
{
	struct top_frame f = {0};

	(void)state;
	top_state_init(&f.state);
	f.state.by = f.model.by = TOP_CGROUPS;
	top_machine_nodes(&f.model, 2, 1);
	top_machine_process(
		&f.model, 0,
		"/kubepods/pod\u6f22\u5b57-of-somebody/container-42", "",
		1 << 20, 0, 0.5);
	for (unsigned int width = 40; width < 90; width++) {
		const char *line;

		top_frame_draw(&f, width, 24, false);
		line = top_frame_line(&f, f.layout.rows);
		assert_string_equal(line + strlen(line) - 6, "ner-42");
	}
	assert_non_null(strstr(top_frame_line(&f, f.layout.rows), " .."));
	top_frame_draw(&f, 200, 24, false);
	assert_null(strstr(top_frame_line(&f, f.layout.rows), ".."));
	top_frame_free(&f);
}

static void nothing_to_show(void **state)
{
	struct top_frame f = {0};

	(void)state;
	top_state_init(&f.state);
	top_frame_draw(&f, 80, 24, true);
	assert_string_equal(top_frame_line(&f, f.layout.rows), " none");
	f.model.rows_err = -2;
	top_frame_draw(&f, 80, 24, true);
	assert_string_equal(top_frame_line(&f, f.layout.rows),
			    " it has no processes in proc");
	top_frame_free(&f);
}

static void without_unicode(void **state)
{
	struct top_frame f = {0};
	char *text;

	(void)state;
	setlocale(LC_CTYPE, "C");
	top_state_init(&f.state);
	top_machine_nodes(&f.model, 64, 1);
	top_machine_process(&f.model, 42, "\xc3\xa9", "deep", 1 << 20, 7, 0.5);
	top_frame_draw(&f, 80, 24, true);
	text = top_frame_text(&f);
	for (const char *p = text; *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
	assert_non_null(strstr(text, "##.."));
	assert_non_null(strstr(text, "\\xc3\\xa9"));
	free(text);
	setlocale(LC_CTYPE, "C.UTF-8");
	top_frame_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(sums_of_rates),
		cmocka_unit_test(busy),
		cmocka_unit_test(all_nodes),
		cmocka_unit_test(amounts),
		cmocka_unit_test(children_follow_their_parent),
		cmocka_unit_test(rates_as_text),
		cmocka_unit_test(orders),
		cmocka_unit_test(filters),
		cmocka_unit_test(sort_keys),
		cmocka_unit_test(grid_keeps_its_edges),
		cmocka_unit_test(wide_characters_are_whole),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(unusual_nodes),
		cmocka_unit_test(one_row),
		cmocka_unit_test(where_it_is),
		cmocka_unit_test(long_paths),
		cmocka_unit_test(nothing_to_show),
		cmocka_unit_test(without_unicode),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
