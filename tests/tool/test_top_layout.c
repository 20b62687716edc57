// SPDX-License-Identifier: MIT
/* What is where on screens of every size. */
#include "support/test.h"

#include <locale.h>

#include "support/top_machine.h"

static const unsigned int sizes[] = {1,	 2,  3,	 4,  5,	  6,   7,  8,  9,
				     11, 13, 19, 20, 23,  24,  40, 50, 66,
				     79, 80, 81, 99, 100, 200, 300};

#define NR_SIZES (sizeof(sizes) / sizeof(*sizes))

static void add_processes(struct top_model *model, int nr)
{
	for (int i = 0; i < nr; i++)
		top_machine_process(
			model, 100 + i, "a command with a name", "somebody",
			(int64_t)(i + 1) << 20,
			model->nr_nodes ? (unsigned int)i % model->nr_nodes : 0,
			0.01 * i);
}

static void make(struct top_frame *f, unsigned int nr_nodes, int step)
{
	memset(f, 0, sizeof(*f));
	top_state_init(&f->state);
	top_machine_nodes(&f->model, nr_nodes, step);
	add_processes(&f->model, 30);
}

/* ---- nothing outside, nothing over something else ------------------------ */

static void assert_line(int at, unsigned int height, bool *taken)
{
	if (at < 0)
		return;
	assert_true((unsigned int)at < height);
	assert_false(taken[at]);
	taken[at] = true;
}

static void assert_lines(const struct top_layout *l)
{
	bool taken[512] = {false};

	assert_true(l->height < 512);
	assert_line(l->title, l->height, taken);
	assert_line(l->node_head, l->height, taken);
	assert_line(l->all, l->height, taken);
	assert_line(l->chosen, l->height, taken);
	assert_line(l->cell_head, l->height, taken);
	for (unsigned int i = 0; i < l->node_lines; i++)
		assert_line(l->nodes + (int)i, l->height, taken);
	assert_line(l->row_head, l->height, taken);
	for (unsigned int i = 0; i < l->row_lines; i++)
		assert_line(l->rows + (int)i, l->height, taken);
	assert_line(l->status, l->height, taken);
	assert_int_equal(l->title, l->height ? 0 : -1);
}

static void assert_fields(const struct top_fields *fields, unsigned int width)
{
	unsigned int next = 0;

	for (unsigned int i = 0; i < fields->nr; i++) {
		assert_true(fields->field[i].width > 0);
		assert_true(fields->field[i].x >= next);
		next = fields->field[i].x + fields->field[i].width;
		assert_true(next <= width);
		next++;
	}
}

static void assert_places(const struct top_layout *l,
			  const struct top_model *model)
{
	unsigned int next = 1;

	for (unsigned int i = 0; i < l->nr_places; i++) {
		const struct top_place *p = &l->places[i];

		assert_true(p->x >= next);
		next = p->x + p->width;
		assert_true(next <= l->width);
		next++;
		if (p->column == TOP_NODE)
			assert_true(p->index < model->nr_nodes);
	}
}

static void assert_layout(const struct top_frame *f)
{
	const struct top_layout *l = &f->layout;

	assert_lines(l);
	assert_fields(&l->wide, l->width);
	assert_fields(&l->cell, l->cell_width);
	if (l->cells)
		assert_true(l->cells * (l->cell_width + 1) - 1 <= l->width);
	assert_places(l, &f->model);
}

static void try_sizes(struct top_frame *f)
{
	for (size_t w = 0; w < NR_SIZES; w++)
		for (size_t h = 0; h < NR_SIZES && sizes[h] <= 100; h++) {
			top_frame_draw(f, sizes[w], sizes[h], true);
			assert_int_equal(f->layout.height, sizes[h]);
			assert_layout(f);
		}
}

static void any_size(void **state)
{
	static const unsigned int nodes[] = {0, 1, 2, 3, 8, 33, 64, 1000};
	static const struct top_sort sorts[] = {
		{.column = TOP_MEMORY},
		{.column = TOP_NODE, .node = 0},
		{.column = TOP_NODE, .node = 63 * 7},
		{.column = TOP_SWAP},
	};
	struct top_frame f;

	(void)state;
	for (size_t n = 0; n < sizeof(nodes) / sizeof(*nodes); n++)
		for (size_t s = 0; s < sizeof(sorts) / sizeof(*sorts); s++) {
			make(&f, nodes[n], 7);
			f.state.sort = sorts[s];
			try_sizes(&f);
			f.state.detail = true;
			f.state.detail_id = 100;
			try_sizes(&f);
			f.state.help = true;
			try_sizes(&f);
			top_frame_free(&f);
		}
}

/* ---- what is visible ----------------------------------------------------- */

/* The number of nodes with a cell that begins with their number. */
static unsigned int nodes_seen(const struct top_frame *f)
{
	const struct top_layout *l = &f->layout;
	unsigned int seen = 0, width = l->cell.field[0].width;

	for (unsigned int i = 0; i < l->nr_cells; i++) {
		int y = l->nodes + (int)(i % l->node_lines);
		unsigned int x = i / l->node_lines * (l->cell_width + 1);
		char number[32] = "";

		for (unsigned int c = 0; c < width; c++)
			number[c] =
				(char)f->grid
					.cells[(size_t)y * f->grid.width + x + c]
					.c;
		if (f->state.first_node + i < f->model.nr_nodes) {
			assert_int_equal(
				atoi(number),
				f->model.nodes[f->state.first_node + i].node);
			seen++;
		}
	}
	return seen;
}

static void sixty_four_nodes(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 64, 1);
	top_frame_draw(&f, 80, 24, true);
	assert_int_equal(nodes_seen(&f), 64);
	assert_true(f.layout.row_lines >= 6);
	assert_non_null(strstr(top_frame_line(&f, 0), " 64 nodes"));
	top_frame_draw(&f, 200, 50, true);
	assert_int_equal(nodes_seen(&f), 64);
	assert_true(f.layout.row_lines >= 20);
	assert_true(f.layout.cell_width >= 60);
	/* The chosen node gets a line, and takes it from no other. */
	f.state.sort = (struct top_sort){.column = TOP_NODE, .node = 63};
	top_frame_draw(&f, 80, 24, true);
	assert_int_equal(nodes_seen(&f), 64);
	assert_non_null(strstr(top_frame_line(&f, f.layout.chosen), "  63 "));
	top_frame_free(&f);
}

static void few_nodes_have_lines(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 8, 1);
	top_frame_draw(&f, 80, 24, true);
	assert_int_equal(f.layout.cells, 1);
	assert_int_equal(f.layout.node_lines, 8);
	assert_int_equal(nodes_seen(&f), 8);
	top_frame_free(&f);
}

static void more_nodes_than_room(void **state)
{
	struct top_frame f;
	unsigned int all = 0, before;

	(void)state;
	make(&f, 200, 1);
	top_frame_draw(&f, 80, 24, true);
	assert_int_equal(nodes_seen(&f), f.layout.nr_cells);
	assert_true(f.layout.nr_cells < 200);
	assert_non_null(strstr(top_frame_line(&f, 0), "nodes 0-"));
	assert_non_null(strstr(top_frame_line(&f, 0), "of 200"));
	do {
		before = f.state.first_node;
		nodes_seen(&f);
		all = before + f.layout.nr_cells;
		top_frame_press(&f, ']');
	} while (f.state.first_node != before);
	assert_int_equal(all, 200);
	assert_non_null(strstr(top_frame_line(&f, 0), "-199 "));
	/* A larger screen shows all of them, from the first. */
	top_frame_draw(&f, 300, 100, true);
	assert_int_equal(f.state.first_node, 0);
	top_frame_draw(&f, 80, 24, true);
	top_frame_press(&f, ']');
	for (int i = 0; i < 100; i++)
		top_frame_press(&f, '[');
	assert_int_equal(f.state.first_node, 0);
	top_frame_free(&f);
}

static void all_lines_of_a_file(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 64, 1);
	top_frame_draw(&f, 80, 0, false);
	assert_int_equal(f.layout.row_lines, 30);
	assert_int_equal(nodes_seen(&f), 64);
	assert_layout(&f);
	top_frame_free(&f);
}

static bool has_column(const struct top_layout *l, enum top_column column)
{
	for (unsigned int i = 0; i < l->nr_places; i++)
		if (l->places[i].column == column)
			return true;
	return false;
}

/* The sorted column is visible, however little room there is. */
static void sorted_column_is_seen(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 64, 1);
	for (int c = 0; c < TOP_NR_COLUMNS; c++) {
		if (!top_column_sorts((enum top_column)c, TOP_PROCESSES))
			continue;
		f.state.sort = (struct top_sort){.column = (enum top_column)c,
						 .node = 40};
		top_frame_draw(&f, 20, 10, true);
		assert_true(has_column(&f.layout, (enum top_column)c));
	}
	top_frame_free(&f);
}

static void chosen_node_has_a_column(void **state)
{
	struct top_frame f;

	(void)state;
	make(&f, 64, 3);
	for (int node = 0; node < 64; node++) {
		bool seen = false;

		f.state.sort =
			(struct top_sort){.column = TOP_NODE, .node = node * 3};
		top_frame_draw(&f, 120, 30, true);
		for (unsigned int i = 0; i < f.layout.nr_places; i++)
			seen |= f.layout.places[i].column == TOP_NODE &&
				f.layout.places[i].index == (unsigned int)node;
		assert_true(seen);
	}
	top_frame_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_size),
		cmocka_unit_test(sixty_four_nodes),
		cmocka_unit_test(few_nodes_have_lines),
		cmocka_unit_test(more_nodes_than_room),
		cmocka_unit_test(all_lines_of_a_file),
		cmocka_unit_test(sorted_column_is_seen),
		cmocka_unit_test(chosen_node_has_a_column),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
