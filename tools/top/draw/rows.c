// SPDX-License-Identifier: MIT
/* The lower part: processes, cgroups or users. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "common/text.h"
#include "top/draw/draw.h"
#include "top/draw/text.h"

static const char *head_text(const struct top_place *place,
			     const struct top_model *model,
			     const struct top_state *state, char text[TOP_TEXT])
{
	static const char *const heads[TOP_NR_COLUMNS] = {
		[TOP_USER] = "user",	  [TOP_CPU] = "cpu%",
		[TOP_MEMORY] = "memory",  [TOP_REMOTE_SHARE] = "remot",
		[TOP_ANONYMOUS] = "anon", [TOP_FILE] = "file",
		[TOP_SHARED] = "shared",  [TOP_HUGE] = "huge",
		[TOP_SWAP] = "swap",	  [TOP_WHERE] = "where it is",
	};
	static const char *const names[TOP_NR_BY] = {"command", "cgroup",
						     "user", "thread"};

	switch (place->column) {
	case TOP_ID:
		return state->by == TOP_PROCESSES ? "pid"
		       : state->by == TOP_THREADS ? "tid"
						  : "procs";
	case TOP_NODE:
		snprintf(text, TOP_TEXT, "%s%d",
			 top_state_view(state) == TOP_VIEW_CPU ? "cpu" : "n",
			 model->nodes[place->index].node);
		return text;
	case TOP_NAME:
		return state->commands && top_has_ids(state->by)
			       ? "command line"
			       : names[state->by];
	default:
		return heads[place->column];
	}
}

static bool is_sorted_by(const struct top_place *place,
			 const struct top_model *model,
			 const struct top_sort *sort)
{
	return place->column == sort->column &&
	       (place->column != TOP_NODE ||
		model->nodes[place->index].node == sort->node);
}

static bool is_left(enum top_column column)
{
	return column == TOP_USER || column == TOP_WHERE || column == TOP_NAME;
}

static void draw_heads(struct top_grid *grid, const struct top_layout *l,
		       const struct top_model *model,
		       const struct top_state *state)
{
	char buf[TOP_TEXT];

	for (unsigned int i = 0; i < l->nr_places; i++) {
		const struct top_place *p = &l->places[i];
		bool sorted = is_sorted_by(p, model, &state->sort);
		unsigned int look = TOP_BOLD | (sorted ? TOP_REVERSE : 0);
		const char *text = head_text(p, model, state, buf);

		if (is_left(p->column))
			top_grid_text(grid, (int)p->x, l->row_head, p->width,
				      text, look);
		else
			top_grid_right(grid, (int)p->x, l->row_head, p->width,
				       text, look);
	}
}

unsigned int top_draw_foreign(struct top_grid *grid, int x, int y,
			      unsigned int width, const char *bytes,
			      unsigned int look)
{
	char *escaped = text_escape(bytes);
	unsigned int used;

	used = top_grid_text(grid, x, y, width, escaped ? escaped : "?", look);
	free(escaped);
	return used;
}

/* ---- the nodes of a row's memory -------------------------------------------*/

/* The part with the most bytes of those after @after, or of all if it is NULL. */
static const struct top_part *next_most(const struct top_model *model,
					const struct top_row *row,
					const struct top_part *after)
{
	const struct top_part *most = NULL;

	for (unsigned int i = 0; i < row->nr_parts; i++) {
		const struct top_part *part = &model->parts[row->part + i];

		if (part->bytes <= 0 || (most && part->bytes <= most->bytes))
			continue;
		if (!after || part->bytes < after->bytes ||
		    (part->bytes == after->bytes && part > after))
			most = part;
	}
	return most;
}

static unsigned int nr_with_memory(const struct top_model *model,
				   const struct top_row *row)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < row->nr_parts; i++)
		nr += model->parts[row->part + i].bytes > 0;
	return nr;
}

/* "3:62% 0:38% +5": the largest shares first, then the number of other nodes. */
static void draw_where(struct top_grid *grid, int x, int y, unsigned int width,
		       const struct top_model *model, const struct top_row *row)
{
	const struct top_part *part = next_most(model, row, NULL);
	unsigned int left = nr_with_memory(model, row), used = 0, rest;
	char text[TOP_TEXT], more[TOP_TEXT];

	if (model->by == TOP_THREADS && row->nr_parts) {
		snprintf(text, sizeof(text), "%d",
			 model->nodes[model->parts[row->part].index].node);
		top_grid_text(grid, x, y, width, text, 0);
	}
	if (row->bytes <= 0)
		return;
	for (; part; part = next_most(model, row, part), left--) {
		snprintf(text, sizeof(text), "%s%d:%.0f%%", used ? " " : "",
			 model->nodes[part->index].node,
			 (double)part->bytes * 100 / (double)row->bytes);
		snprintf(more, sizeof(more), " +%u", left - 1);
		rest = left > 1 ? (unsigned int)strlen(more) : 0;
		if (used + strlen(text) + rest > width)
			break;
		used += top_grid_text(grid, x + (int)used, y, width - used,
				      text, 0);
	}
	if (!left)
		return;
	snprintf(more, sizeof(more), "%s+%u", used ? " " : "", left);
	top_grid_text(grid, x + (int)used, y, width - used, more, TOP_DIM);
}

/* ---- rows -----------------------------------------------------------------*/

static const char *node_text(const struct top_model *model,
			     const struct top_row *row, enum top_view view,
			     unsigned int index, char text[TOP_TEXT])
{
	const struct top_part *part = top_model_part(model, row, index);
	int64_t amount = top_view_amount(model, row, view, index);

	if (view == TOP_VIEW_CPU)
		return top_text_cpus(
			amount == TOP_UNKNOWN ? -1 : (double)amount / 1e6,
			amount > 0, text);
	return top_text_bytes(amount, part && part->estimate && amount > 0,
			      text);
}

static const char *place_text(const struct top_place *p,
			      const struct top_model *model,
			      const struct top_row *row, enum top_view view,
			      char text[TOP_TEXT])
{
	int64_t amount;

	switch (p->column) {
	case TOP_ID:
		amount = top_has_ids(model->by) ? row->id : row->nr_processes;
		if (amount == TOP_UNKNOWN)
			return "-";
		snprintf(text, TOP_TEXT, "%" PRId64, amount);
		return text;
	case TOP_CPU:
		return top_text_cpus(row->cpus, false, text);
	case TOP_MEMORY:
		return top_text_bytes(row->bytes, row->estimate, text);
	case TOP_REMOTE_SHARE:
		return top_text_ppm(row->remote_ppm, true, text);
	case TOP_SWAP:
		return top_text_bytes(row->swap_bytes, false, text);
	case TOP_NODE:
		return node_text(model, row, view, p->index, text);
	default:
		amount = row->kinds[p->column - TOP_ANONYMOUS];
		return top_text_bytes(amount, row->estimate && amount > 0,
				      text);
	}
}

/* Two columns for each level of a tree, up to half of the width. */
static unsigned int indent_of(const struct top_place *p, unsigned int depth)
{
	unsigned int indent = 2 * depth;

	return indent < p->width / 2 ? indent : p->width / 2;
}

/* Cut a long path at its beginning: paths differ at their ends. */
static void draw_name(struct top_grid *grid, int y, const struct top_place *p,
		      const struct top_model *model,
		      const struct top_entry *entry,
		      const struct top_state *state)
{
	const struct top_row *row = entry->row;
	bool command = state->commands && row->command != TOP_NO_TEXT;
	char *escaped = text_escape(
		top_model_text(model, command ? row->command : row->name));
	const char *text = escaped ? escaped : "?";
	unsigned int indent = indent_of(p, entry->depth);
	unsigned int width = p->width - indent;
	int x = (int)(p->x + indent);
	mbstate_t mb = {0};
	size_t n;

	if (model->by == TOP_CGROUPS && width > 2 && text_width(text) > width) {
		x += (int)top_grid_text(grid, x, y, width, "..", TOP_DIM);
		while (text_width(text) > width - 2) {
			n = mbrlen(text, strlen(text), &mb);
			text += n && n <= strlen(text) ? n : 1;
		}
		top_grid_text(grid, x, y, width - 2, text, 0);
	} else {
		top_grid_text(grid, x, y, width, text, 0);
	}
	free(escaped);
}

static void draw_place(struct top_grid *grid, int y, const struct top_place *p,
		       const struct top_model *model,
		       const struct top_entry *entry,
		       const struct top_state *state)
{
	const struct top_row *row = entry->row;
	char text[TOP_TEXT];
	int x = (int)p->x;

	switch (p->column) {
	case TOP_USER:
		top_draw_foreign(grid, x, y, p->width,
				 top_model_text(model, row->user), 0);
		break;
	case TOP_NAME:
		draw_name(grid, y, p, model, entry, state);
		break;
	case TOP_WHERE:
		if (row->err)
			top_grid_text(grid, x, y, p->width,
				      text_process_error(row->err),
				      TOP_INK_WARN);
		else
			draw_where(grid, x, y, p->width, model, row);
		break;
	default:
		top_grid_right(
			grid, x, y, p->width,
			place_text(p, model, row, top_state_view(state), text),
			0);
	}
}

/* Why there are no rows. */
static const char *nothing(const struct top_model *model,
			   const struct top_state *state)
{
	if (model->rows_err)
		return top_model_rows_error(model);
	if (model->nr_rows && *state->filter)
		return "no row contains the filter's text";
	return "none";
}

void top_draw_rows(struct top_grid *grid, const struct top_layout *l,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_state *state, bool keys)
{
	if (l->row_head >= 0)
		draw_heads(grid, l, model, state);
	if (l->row_lines && !list->nr)
		top_grid_text(grid, 1, l->rows, l->width, nothing(model, state),
			      TOP_DIM);
	for (unsigned int i = 0; i < l->row_lines; i++) {
		size_t at = state->first_row + i;
		int y = l->rows + (int)i;

		if (at >= list->nr)
			return;
		for (unsigned int p = 0; p < l->nr_places; p++)
			draw_place(grid, y, &l->places[p], model,
				   &list->entries[at], state);
		if (keys && at == state->cursor) {
			top_grid_text(grid, 0, y, 1, ">", 0);
			top_grid_look(grid, 0, y, l->width, TOP_REVERSE);
		}
	}
}
