// SPDX-License-Identifier: MIT
#include "config.h"

#include <string.h>

#include "top/state/internal.h"

void top_state_init(struct top_state *state)
{
	*state = (struct top_state){
		.sort = {.column = TOP_MEMORY},
		.interval_ns = 1000000000,
	};
}

/* ---- bounds ----------------------------------------------------------------*/

size_t top_last_first(size_t nr, size_t lines)
{
	return nr > lines ? nr - lines : 0;
}

static void settle_cursor(struct top_state *state, size_t nr, size_t lines)
{
	if (state->cursor >= nr)
		state->cursor = nr ? nr - 1 : 0;
	if (state->first_row > state->cursor)
		state->first_row = state->cursor;
	if (lines && state->cursor - state->first_row >= lines)
		state->first_row = state->cursor - lines + 1;
	if (state->first_row > top_last_first(nr, lines))
		state->first_row = top_last_first(nr, lines);
}

void top_state_settle(struct top_state *state, const struct top_model *model,
		      const struct top_list *list,
		      const struct top_layout *layout)
{
	size_t lines = layout->row_lines, detail;
	unsigned int last;

	settle_cursor(state, list->nr, lines);
	if (state->detail) {
		detail = top_last_first(top_detail_lines(model, state),
					lines ? lines - 1 : 0);
		if (state->detail_first > detail)
			state->detail_first = detail;
	}
	last = (unsigned int)top_last_first(model->nr_nodes, layout->nr_cells);
	if (state->first_node > last)
		state->first_node = last;
}

/* ---- the row that is shown alone -------------------------------------------*/

const struct top_row *top_detail_row(const struct top_model *model,
				     const struct top_state *state)
{
	for (size_t i = 0; i < model->nr_rows; i++) {
		const struct top_row *row = &model->rows[i];

		if (row->id != state->detail_id ||
		    row->start_ticks != state->detail_start)
			continue;
		if (model->by != TOP_CGROUPS ||
		    !strcmp(top_model_text(model, row->name),
			    state->detail_name))
			return row;
	}
	return NULL;
}

bool top_detail_has(const struct top_part *part)
{
	return part->bytes > 0 || part->cpus > 0;
}

size_t top_detail_lines(const struct top_model *model,
			const struct top_state *state)
{
	const struct top_row *row = top_detail_row(model, state);
	size_t nr = 0;

	for (unsigned int i = 0; row && i < row->nr_parts; i++)
		nr += top_detail_has(&model->parts[row->part + i]);
	return nr;
}

/* ---- selections ------------------------------------------------------------*/

void top_sort_by(struct top_state *state, enum top_column column)
{
	state->sort = (struct top_sort){.column = column};
	state->cursor = state->first_row = 0;
}

void top_sort_by_node(struct top_state *state, int node,
		      const struct top_model *model)
{
	if (top_model_index(model, node) < 0) {
		state->complaint = "no such node.";
		return;
	}
	top_sort_by(state, TOP_NODE);
	state->sort.node = node;
}

void top_set_interval(struct top_state *state, int64_t ns)
{
	double seconds = (double)ns / 1e9;

	if (seconds >= TOP_INTERVAL_MIN && seconds <= TOP_INTERVAL_MAX)
		state->interval_ns = ns;
	else
		state->complaint = "0.1 to 3600 seconds.";
}
