// SPDX-License-Identifier: MIT
/* One row alone: its memory of each kind, and its CPU time, per node. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "top/draw/draw.h"
#include "top/draw/text.h"

enum { NODE, TOTAL, SHARE, KINDS, CPU = KINDS + TALLY_NR_MEM, NR_COLUMNS };

#define COLUMN_WIDTH 9U

static const char *const heads[NR_COLUMNS] = {
	[NODE] = "node",
	[TOTAL] = "memory",
	[SHARE] = "of it",
	[KINDS + TALLY_MEM_ANONYMOUS] = "anonymous",
	[KINDS + TALLY_MEM_FILE] = "file",
	[KINDS + TALLY_MEM_SHARED] = "shared",
	[KINDS + TALLY_MEM_HUGE] = "huge",
	[CPU] = "cpu%",
};

static const char *part_text(int column, const struct top_model *model,
			     const struct top_row *row,
			     const struct top_part *part, char text[TOP_TEXT])
{
	int64_t amount;

	switch (column) {
	case NODE:
		snprintf(text, TOP_TEXT, "%d", model->nodes[part->index].node);
		return text;
	case TOTAL:
		return top_text_bytes(part->bytes,
				      part->estimate && part->bytes, text);
	case SHARE:
		amount = row->bytes > 0 ? (int64_t)((double)part->bytes * 1e6 /
						    (double)row->bytes)
					: TOP_UNKNOWN;
		return top_text_ppm(amount, row->estimate && amount > 0, text);
	case CPU:
		return top_text_cpus(part->cpus, part->cpus > 0, text);
	default:
		amount = part->kinds[column - KINDS];
		return top_text_bytes(amount, part->estimate && amount > 0,
				      text);
	}
}

static void draw_title(struct top_grid *grid, const struct top_layout *l,
		       const struct top_model *model,
		       const struct top_state *state)
{
	static const char *const kinds[TOP_NR_BY] = {"process", "cgroup",
						     "user", "thread"};
	char text[64];
	unsigned int used;

	if (top_has_ids(model->by))
		snprintf(text, sizeof(text), "%s %lld: ", kinds[model->by],
			 (long long)state->detail_id);
	else
		snprintf(text, sizeof(text), "%s ", kinds[model->by]);
	used = top_grid_text(grid, 1, l->row_head, l->width, text, TOP_BOLD);
	top_draw_foreign(grid, 1 + (int)used, l->row_head,
			 l->width > used ? l->width - used : 0,
			 state->detail_name, TOP_BOLD);
}

static void draw_line(struct top_grid *grid, int y,
		      const struct top_model *model, const struct top_row *row,
		      const struct top_part *part)
{
	char text[TOP_TEXT];

	for (int c = 0; c < NR_COLUMNS; c++) {
		int x = c * (int)(COLUMN_WIDTH + 1);

		if (!part) {
			top_grid_right(grid, x, y, COLUMN_WIDTH, heads[c],
				       TOP_BOLD);
			continue;
		}
		top_grid_right(grid, x, y, COLUMN_WIDTH,
			       part_text(c, model, row, part, text), 0);
	}
}

void top_draw_detail(struct top_grid *grid, const struct top_layout *l,
		     const struct top_model *model,
		     const struct top_state *state)
{
	const struct top_row *row = top_detail_row(model, state);
	size_t nr = 0, line;

	if (l->row_head >= 0)
		draw_title(grid, l, model, state);
	if (!l->row_lines)
		return;
	if (!row || row->err || !top_detail_lines(model, state)) {
		top_grid_text(grid, 1, l->rows, l->width,
			      !row	 ? "it has ended"
			      : row->err ? text_process_error(row->err)
					 : "it has no memory",
			      0);
		return;
	}
	draw_line(grid, l->rows, model, row, NULL);
	for (unsigned int i = 0; i < row->nr_parts; i++) {
		const struct top_part *part = &model->parts[row->part + i];

		if (!top_detail_has(part) || nr++ < state->detail_first)
			continue;
		line = nr - state->detail_first;
		if (line >= l->row_lines)
			return;
		draw_line(grid, l->rows + (int)line, model, row, part);
	}
}
