// SPDX-License-Identifier: MIT

#include "support/test.h"

#include "support/top_machine.h"

#define GIB ((int64_t)1 << 30)

void top_machine_nodes(struct top_model *model, unsigned int nr, int step)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct top_node *node =
			top_model_add_node(model, (int)i * step);

		assert_non_null(node);
		node->total_bytes = 8 * GIB;
		node->used_bytes = 8 * GIB / 10 * (int64_t)(i % 11);
		node->nr_cpus = 4;
		node->cpu_ppm = 100000 * (int64_t)(i % 11);
		for (int c = 0; c < TOP_NR_COUNTERS; c++)
			node->rates[c] = (struct top_rate){
				.state = TOP_RATE_KNOWN, .per_s = i};
	}
}

static void add_part(struct top_model *model, unsigned int index, int64_t bytes,
		     double cpus)
{
	struct top_part *part = top_model_add_part(model, index);

	assert_non_null(part);
	part->bytes = bytes;
	part->kinds[TALLY_MEM_ANONYMOUS] = bytes;
	part->cpus = cpus;
}

struct top_row *top_machine_process(struct top_model *model, int pid,
				    const char *name, const char *user,
				    int64_t bytes, unsigned int index,
				    double cpus)
{
	struct top_row *row = top_model_add_row(model);

	assert_non_null(row);
	assert_int_equal(top_model_add_text(model, name, &row->name), 0);
	assert_int_equal(top_model_add_text(model, user, &row->user), 0);
	row->id = pid;
	row->nr_processes = 1;
	row->cpus = cpus;
	row->bytes = 0;
	memset(row->kinds, 0, sizeof(row->kinds));
	row->swap_bytes = 0;
	row->remote_ppm = 333333;
	if (index < model->nr_nodes) {
		add_part(model, index, bytes, cpus);
		row->bytes += bytes;
	}
	if (index + 1 < model->nr_nodes) {
		add_part(model, index + 1, bytes / 2, 0);
		row->bytes += bytes / 2;
	}
	row->kinds[TALLY_MEM_ANONYMOUS] = row->bytes;
	return row;
}

void top_frame_draw(struct top_frame *f, unsigned int width,
		    unsigned int height, bool keys)
{
	struct top_choice choice = {
		.by = f->state.by,
		.sort = f->state.sort,
		.long_names = f->state.commands || f->state.tree,
		.whole = !height,
	};

	assert_int_equal(top_list_make(&f->list, &f->model, &f->state.sort,
				       f->state.view, f->state.filter),
			 0);
	choice.nr_rows = f->list.nr;
	top_layout_make(&f->layout, width, height, &f->model, &choice);
	top_state_settle(&f->state, &f->model, &f->list, &f->layout);
	assert_int_equal(top_grid_reset(&f->grid, width, f->layout.height), 0);
	top_draw(&f->grid, &f->layout, &f->model, &f->list, &f->state, keys);
}

void top_frame_press(struct top_frame *f, int key)
{
	top_state_key(&f->state, key, &f->model, &f->list, &f->layout);
	top_frame_draw(f, f->grid.width, f->grid.height, true);
}

void top_frame_type(struct top_frame *f, const char *keys)
{
	for (; *keys; keys++)
		top_frame_press(f, *keys == '\n' ? TOP_KEY_ENTER : *keys);
}

char *top_frame_text(const struct top_frame *f)
{
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	top_grid_print(&f->grid, file);
	assert_int_equal(fclose(file), 0);
	return text;
}

const char *top_frame_line(const struct top_frame *f, int y)
{
	static char line[4096];
	char *text = top_frame_text(f), *at = text;

	assert_true(y >= 0 && (unsigned int)y < f->grid.height);
	for (; y > 0; y--)
		at += strcspn(at, "\n") + 1;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	free(text);
	return line;
}

void top_frame_free(struct top_frame *f)
{
	top_model_free(&f->model);
	top_list_free(&f->list);
	top_grid_free(&f->grid);
}
