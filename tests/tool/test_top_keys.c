// SPDX-License-Identifier: MIT
/* What each key changes. */
#include "support/test.h"

#include <locale.h>

#include "support/top_machine.h"

static void make(struct top_frame *f, unsigned int nr_nodes, int nr_rows)
{
	char name[32];

	memset(f, 0, sizeof(*f));
	top_state_init(&f->state);
	top_machine_nodes(&f->model, nr_nodes, 1);
	for (int i = 0; i < nr_rows; i++) {
		snprintf(name, sizeof(name), "command %d", i);
		top_machine_process(&f->model, 1000 + i, name, "user",
				    (int64_t)(i + 1) << 20,
				    (unsigned int)i % nr_nodes, 0.01 * i);
	}
	top_frame_draw(f, 80, 24, true);
}

static int pid_at(const struct top_frame *f, size_t at)
{
	assert_true(at < f->list.nr);
	return (int)f->list.entries[at].row->id;
}

static void quits(void **state)
{
	static const int keys[] = {'q', 'Q', 3};
	struct top_frame f;

	(void)state;
	for (int i = 0; i < 3; i++) {
		make(&f, 2, 3);
		top_frame_press(&f, keys[i]);
		assert_true(f.state.quit);
		top_frame_free(&f);
		make(&f, 2, 3);
		top_frame_press(&f, 'h');
		top_frame_press(&f, keys[i]);
		assert_true(f.state.quit);
		top_frame_free(&f);
	}
	make(&f, 2, 3);
	top_frame_type(&f, "/q");
	assert_false(f.state.quit);
	assert_string_equal(f.state.filter, "q");
	top_frame_press(&f, 3);
	assert_true(f.state.quit);
	top_frame_free(&f);
}

static void moves(void **state)
{
	struct top_frame f;
	unsigned int lines;

	(void)state;
	make(&f, 2, 100);
	lines = f.layout.row_lines;
	top_frame_press(&f, TOP_KEY_UP);
	assert_int_equal(f.state.cursor, 0);
	top_frame_press(&f, TOP_KEY_DOWN);
	assert_int_equal(f.state.cursor, 1);
	assert_int_equal(f.state.first_row, 0);
	assert_int_equal(top_frame_line(&f, f.layout.rows + 1)[0], '>');
	top_frame_press(&f, TOP_KEY_PAGE_DOWN);
	assert_int_equal(f.state.cursor, 1 + lines);
	assert_int_equal(f.state.first_row, 2);
	top_frame_press(&f, TOP_KEY_END);
	assert_int_equal(f.state.cursor, 99);
	assert_int_equal(f.state.first_row, 100 - lines);
	top_frame_press(&f, TOP_KEY_DOWN);
	assert_int_equal(f.state.cursor, 99);
	top_frame_press(&f, TOP_KEY_PAGE_UP);
	assert_int_equal(f.state.cursor, 99 - lines);
	assert_int_equal(f.state.first_row, 99 - lines);
	top_frame_press(&f, TOP_KEY_HOME);
	assert_int_equal(f.state.cursor, 0);
	assert_int_equal(f.state.first_row, 0);
	/* Rows go, and the screen grows. */
	top_frame_press(&f, TOP_KEY_END);
	f.model.nr_rows = 50;
	top_frame_draw(&f, 80, 24, true);
	assert_int_equal(f.state.cursor, 49);
	top_frame_draw(&f, 80, 100, true);
	assert_int_equal(f.state.first_row, 0);
	f.model.nr_rows = 0;
	top_frame_draw(&f, 80, 24, true);
	assert_int_equal(f.state.cursor, 0);
	for (int key = TOP_KEY_UP; key <= TOP_KEY_OTHER; key++)
		top_frame_press(&f, key);
	top_frame_free(&f);
}

static void sorts_by_letters(void **state)
{
	static const struct {
		char key;
		enum top_column column;
	} keys[] = {{'C', TOP_CPU}, {'P', TOP_CPU},  {'R', TOP_REMOTE_SHARE},
		    {'N', TOP_ID},  {'A', TOP_NAME}, {'M', TOP_MEMORY}};
	struct top_frame f;

	(void)state;
	make(&f, 2, 10);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		top_frame_press(&f, TOP_KEY_END);
		top_frame_press(&f, keys[i].key);
		assert_int_equal(f.state.sort.column, keys[i].column);
		assert_false(f.state.sort.reverse);
		assert_int_equal(f.state.cursor, 0);
		top_frame_press(&f, 'r');
		assert_true(f.state.sort.reverse);
		assert_non_null(strstr(top_frame_line(&f, f.layout.status),
				       "reversed"));
	}
	top_frame_type(&f, "N");
	assert_int_equal(pid_at(&f, 0), 1000);
	top_frame_type(&f, "r");
	assert_int_equal(pid_at(&f, 0), 1009);
	top_frame_free(&f);
}

/* Right goes through every column, every node, and to the name; left
 * goes back. */
static void sorts_by_arrows(void **state)
{
	struct top_frame f;
	int steps = 0, seen = 0;

	(void)state;
	make(&f, 64, 10);
	top_frame_type(&f, "N");
	while (f.state.sort.column != TOP_NAME) {
		top_frame_press(&f, TOP_KEY_RIGHT);
		assert_int_not_equal(f.state.sort.column, TOP_WHERE);
		if (f.state.sort.column == TOP_NODE)
			assert_int_equal(f.state.sort.node, seen++);
		assert_true(++steps < 100);
	}
	assert_int_equal(seen, 64);
	assert_int_equal(steps, 64 + TOP_NR_COLUMNS - 3);
	top_frame_press(&f, TOP_KEY_RIGHT);
	assert_int_equal(f.state.sort.column, TOP_NAME);
	for (; steps; steps--)
		top_frame_press(&f, TOP_KEY_LEFT);
	assert_int_equal(f.state.sort.column, TOP_ID);
	top_frame_press(&f, TOP_KEY_LEFT);
	assert_int_equal(f.state.sort.column, TOP_ID);
	top_frame_free(&f);
}

static void digits_are_nodes(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 4, 8);
	top_frame_type(&f, "3");
	assert_int_equal(f.state.sort.column, TOP_NODE);
	assert_int_equal(f.state.sort.node, 3);
	assert_int_equal(pid_at(&f, 0), 1007);
	top_frame_type(&f, "9");
	assert_int_equal(f.state.sort.node, 3);
	assert_non_null(f.state.complaint);
	top_frame_type(&f, "n\n");
	assert_int_equal(f.state.sort.column, TOP_MEMORY);
	assert_null(f.state.complaint);
	top_frame_free(&f);

	make(&f, 64, 64);
	top_frame_type(&f, "4");
	assert_string_equal(top_frame_line(&f, f.layout.status), "node: 4_");
	top_frame_type(&f, "2\n");
	assert_int_equal(f.state.sort.node, 42);
	assert_int_equal(pid_at(&f, 0), 1042);
	top_frame_type(&f, "n99\n");
	assert_int_equal(f.state.sort.node, 42);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.status), "no such node."));
	top_frame_type(&f, "nx\n");
	assert_int_equal(f.state.sort.node, 42);
	top_frame_type(&f, "n7");
	top_frame_press(&f, TOP_KEY_ESCAPE);
	assert_int_equal(f.state.sort.node, 42);
	top_frame_free(&f);
}

static void views(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 8);
	for (int i = 0; i < TOP_NR_VIEWS; i++) {
		assert_int_equal(f.state.view, i);
		top_frame_type(&f, "v");
	}
	assert_int_equal(f.state.view, TOP_VIEW_MEMORY);
	top_frame_free(&f);
}

static void switches(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 8);
	top_frame_press(&f, '\t');
	assert_int_equal(f.state.by, TOP_CGROUPS);
	top_frame_press(&f, '\t');
	assert_int_equal(f.state.by, TOP_USERS);
	top_frame_press(&f, '\t');
	assert_int_equal(f.state.by, TOP_PROCESSES);
	top_frame_type(&f, "g");
	assert_int_equal(f.state.by, TOP_CGROUPS);
	top_frame_type(&f, "u");
	assert_int_equal(f.state.by, TOP_USERS);
	top_frame_type(&f, "p");
	assert_int_equal(f.state.by, TOP_PROCESSES);
	/* Cgroups have no user to sort by. */
	f.state.sort.column = TOP_USER;
	top_frame_type(&f, "g");
	assert_int_equal(f.state.sort.column, TOP_MEMORY);
	top_frame_free(&f);
}

static void filters(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 30);
	top_frame_press(&f, TOP_KEY_END);
	top_frame_type(&f, "/2");
	assert_int_equal(f.list.nr, 12);
	assert_int_equal(f.state.cursor, 0);
	top_frame_type(&f, "9");
	assert_int_equal(f.list.nr, 1);
	assert_string_equal(top_frame_line(&f, f.layout.status), "/29_");
	top_frame_press(&f, TOP_KEY_BACKSPACE);
	assert_int_equal(f.list.nr, 12);
	top_frame_press(&f, TOP_KEY_ENTER);
	assert_int_equal(f.list.nr, 12);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.status), "filter /2"));
	/* Escape while typing restores the last filter. */
	top_frame_type(&f, "/xyz");
	assert_int_equal(f.list.nr, 0);
	assert_string_equal(top_frame_line(&f, f.layout.rows),
			    " no row contains the filter's text");
	top_frame_press(&f, TOP_KEY_ESCAPE);
	assert_int_equal(f.list.nr, 12);
	top_frame_press(&f, TOP_KEY_ESCAPE);
	assert_int_equal(f.list.nr, 30);
	/* Characters of several bytes are added and removed whole. */
	top_frame_type(&f, "/");
	top_frame_press(&f, 0xe9);
	assert_string_equal(f.state.filter, "\xc3\xa9");
	top_frame_press(&f, 0x1b5);
	top_frame_press(&f, TOP_KEY_BACKSPACE);
	assert_string_equal(f.state.filter, "\xc3\xa9");
	top_frame_press(&f, TOP_KEY_BACKSPACE);
	top_frame_press(&f, TOP_KEY_BACKSPACE);
	assert_string_equal(f.state.filter, "");
	for (int i = 0; i < 1000; i++)
		top_frame_press(&f, 0x20ac);
	assert_int_equal(strlen(f.state.filter) % 3, 0);
	assert_true(strlen(f.state.filter) < sizeof(f.state.filter));
	top_frame_free(&f);
}

static void intervals(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 3);
	top_frame_type(&f, "-");
	assert_true(f.state.interval_ns == (int64_t)(2 * 1e9));
	top_frame_type(&f, "++");
	assert_true(f.state.interval_ns == (int64_t)(0.5 * 1e9));
	for (int i = 0; i < 20; i++)
		top_frame_type(&f, "+");
	assert_true(f.state.interval_ns >= (int64_t)(0.1 * 1e9));
	assert_non_null(f.state.complaint);
	for (int i = 0; i < 40; i++)
		top_frame_type(&f, "-");
	assert_true(f.state.interval_ns <= (int64_t)(3600 * 1e9));
	top_frame_type(&f, "d0.25\n");
	assert_true(f.state.interval_ns == (int64_t)(0.25 * 1e9));
	top_frame_type(&f, "d\n");
	assert_null(f.state.complaint);
	top_frame_type(&f, "dnan\n");
	assert_non_null(f.state.complaint);
	top_frame_type(&f, "d5x\n");
	assert_non_null(f.state.complaint);
	top_frame_type(&f, "d0\n");
	assert_non_null(f.state.complaint);
	assert_true(f.state.interval_ns == (int64_t)(0.25 * 1e9));
	top_frame_free(&f);
}

static void pauses(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 3);
	top_frame_type(&f, " ");
	assert_true(f.state.paused);
	assert_false(f.state.read);
	assert_non_null(strstr(top_frame_line(&f, 0), "PAUSED"));
	top_frame_type(&f, " ");
	assert_false(f.state.paused);
	assert_true(f.state.read);
	assert_null(strstr(top_frame_line(&f, 0), "PAUSED"));
	top_frame_free(&f);
}

static void helps(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 3);
	top_frame_type(&f, "?");
	assert_string_equal(top_frame_line(&f, 0), "numatally top: keys");
	top_frame_type(&f, "C");
	assert_false(f.state.help);
	assert_int_equal(f.state.sort.column, TOP_MEMORY);
	top_frame_type(&f, "h");
	assert_true(f.state.help);
	top_frame_type(&f, " ~");
	assert_non_null(strstr(top_frame_line(&f, f.layout.status), "no such"));
	/* Each line of help fits 80 columns. */
	top_frame_press(&f, 'h');
	top_frame_draw(&f, 200, 24, true);
	for (int y = 0; y < 24; y++)
		assert_true(strlen(top_frame_line(&f, y)) <= 80);
	assert_non_null(strstr(top_frame_line(&f, 2), "p g u  Tab"));
	assert_non_null(strstr(top_frame_line(&f, 20), "reset: "));
	assert_non_null(strstr(top_frame_line(&f, 21), "any key: back"));
	top_frame_free(&f);
}

static void threads_commands_and_trees(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 3);
	assert_int_equal(top_model_add_text(&f.model, "prog --what ever",
					    &f.model.rows[2].command),
			 0);
	top_frame_type(&f, "c");
	assert_true(f.state.commands);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.row_head), "command line"));
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.rows), "prog --what ever"));
	/* A row without one has its name. */
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.rows + 1), "command 1"));
	top_frame_type(&f, "c");
	assert_false(f.state.commands);
	assert_non_null(strstr(top_frame_line(&f, f.layout.rows), "command 2"));
	top_frame_type(&f, "/WHAT");
	assert_true(top_state_wants_commands(&f.state));
	assert_int_equal(f.list.nr, 1);
	assert_int_equal(pid_at(&f, 0), 1002);
	top_frame_press(&f, TOP_KEY_ESCAPE);
	assert_false(top_state_wants_commands(&f.state));
	top_frame_type(&f, "gt");
	assert_true(f.state.tree);
	assert_int_equal(f.state.by, TOP_PROCESSES);
	top_frame_type(&f, "t");
	assert_false(f.state.tree);
	top_frame_type(&f, "H");
	assert_int_equal(f.state.by, TOP_THREADS);
	/* Threads have no memory of their own. */
	assert_int_equal(f.state.sort.column, TOP_CPU);
	top_frame_type(&f, "\t");
	assert_int_equal(f.state.by, TOP_PROCESSES);
	top_frame_type(&f, "HH");
	assert_int_equal(f.state.by, TOP_PROCESSES);
	top_frame_free(&f);
}

static void the_way_back_is_told(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 2, 3);
	assert_null(strstr(top_frame_line(&f, f.layout.status), "Esc"));
	top_frame_press(&f, TOP_KEY_ENTER);
	assert_non_null(
		strstr(top_frame_line(&f, f.layout.status), "Esc: back"));
	top_frame_press(&f, TOP_KEY_ESCAPE);
	assert_null(strstr(top_frame_line(&f, f.layout.status), "Esc"));
	top_frame_free(&f);
}

static void shows_one_row(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 64, 30);
	top_frame_type(&f, "N");
	top_frame_press(&f, TOP_KEY_DOWN);
	top_frame_press(&f, TOP_KEY_ENTER);
	assert_string_equal(top_frame_line(&f, f.layout.row_head),
			    " process 1001: command 1");
	assert_string_equal(
		top_frame_line(&f, f.layout.rows + 1),
		"        1      2.0M       67%      2.0M         0         0"
		"         0      ~1.0");
	assert_string_equal(
		top_frame_line(&f, f.layout.rows + 2),
		"        2      1.0M       33%      1.0M         0         0"
		"         0         0");
	/* The chosen row stays chosen, on whatever line, as long as
	 * it exists. */
	top_frame_type(&f, "M");
	assert_string_equal(top_frame_line(&f, f.layout.row_head),
			    " process 1001: command 1");
	f.model.rows[1].start_ticks++;
	top_frame_draw(&f, 80, 24, true);
	assert_string_equal(top_frame_line(&f, f.layout.rows), " it has ended");
	top_frame_press(&f, TOP_KEY_ESCAPE);
	assert_false(f.state.detail);
	/* As many lines as nodes. */
	for (unsigned int i = 0; i < 64; i++) {
		f.model.nr_parts = 0;
		f.model.rows[0].nr_parts = 0;
	}
	f.model.rows[0].part = 0;
	f.model.nr_rows = 1;
	for (unsigned int i = 0; i < 64; i++)
		top_model_add_part(&f.model, i)->bytes = i ? 4096 : 0;
	top_frame_draw(&f, 80, 24, true);
	top_frame_press(&f, TOP_KEY_ENTER);
	assert_int_equal(top_detail_lines(&f.model, &f.state), 63);
	top_frame_press(&f, TOP_KEY_END);
	assert_int_equal(f.state.detail_first, 63 - (f.layout.row_lines - 1));
	assert_int_equal(atoi(top_frame_line(&f, f.layout.status - 1)), 63);
	top_frame_press(&f, TOP_KEY_HOME);
	assert_int_equal(atoi(top_frame_line(&f, f.layout.rows + 1)), 1);
	top_frame_free(&f);
}

/* Random keys at random sizes: nothing is drawn outside, and nothing breaks. */
static void any_keys(void **state)
{
	static const char letters[] =
		"hMCRNAPrvpgu /nd+-[]0123456789\tabc\x1b?s.";
	struct top_frame f;
	uint32_t random = 42;

	(void)state;
	make(&f, 64, 50);
	for (int i = 0; i < 20000; i++) {
		unsigned int choice;

		random = random * 1664525 + 1013904223;
		choice = random >> 16;
		if (choice % 8 == 0)
			top_frame_draw(&f, choice / 8 % 120 + 1,
				       choice / 64 % 60 + 1, true);
		else if (choice % 8 < 4)
			top_frame_press(&f,
					TOP_KEY_UP + (int)(choice / 8) % 11);
		else
			top_frame_press(
				&f,
				letters[choice / 8 % (sizeof(letters) - 1)]);
		assert_false(f.state.quit);
		assert_true(!f.list.nr || f.state.cursor < f.list.nr);
	}
	top_frame_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quits),
		cmocka_unit_test(moves),
		cmocka_unit_test(sorts_by_letters),
		cmocka_unit_test(sorts_by_arrows),
		cmocka_unit_test(digits_are_nodes),
		cmocka_unit_test(views),
		cmocka_unit_test(switches),
		cmocka_unit_test(filters),
		cmocka_unit_test(intervals),
		cmocka_unit_test(pauses),
		cmocka_unit_test(threads_commands_and_trees),
		cmocka_unit_test(the_way_back_is_told),
		cmocka_unit_test(helps),
		cmocka_unit_test(shows_one_row),
		cmocka_unit_test(any_keys),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
