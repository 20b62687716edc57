// SPDX-License-Identifier: MIT
/* The upper part: a line or a cell for each node. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "top/draw/draw.h"
#include "top/draw/text.h"

static const char *const heads[TOP_NR_FIELDS] = {
	[TOP_FIELD_NODE] = "node",
	[TOP_FIELD_TIER] = "tier",
	[TOP_FIELD_MEMORY_BAR] = "memory",
	[TOP_FIELD_MEMORY_SHARE] = "used",
	[TOP_FIELD_MEMORY] = "of",
	[TOP_FIELD_CPU_BAR] = "CPUs",
	[TOP_FIELD_CPU_SHARE] = "busy",
	[TOP_FIELD_RATE + TOP_MISS] = "miss/s",
	[TOP_FIELD_RATE + TOP_REMOTE] = "remot/s",
	[TOP_FIELD_RATE + TOP_PROMOTED] = "promo/s",
	[TOP_FIELD_RATE + TOP_DEMOTED] = "demot/s",
};

static const char *head(const struct top_field *field)
{
	if (field->id == TOP_FIELD_NODE && field->width < 4)
		return "nd";
	if (field->id == TOP_FIELD_MEMORY_BAR && field->width < 6)
		return "mem";
	return heads[field->id];
}

static void draw_heads(struct top_grid *grid, int x, int y,
		       const struct top_fields *fields)
{
	for (unsigned int i = 0; i < fields->nr; i++) {
		const struct top_field *f = &fields->field[i];
		int at = x + (int)f->x;

		if (f->id == TOP_FIELD_MEMORY_BAR || f->id == TOP_FIELD_CPU_BAR)
			top_grid_text(grid, at, y, f->width, head(f), TOP_BOLD);
		else
			top_grid_right(grid, at, y, f->width, head(f),
				       TOP_BOLD);
	}
}

static const char *memory_text(const struct top_node *node, char text[TOP_TEXT])
{
	char used[TOP_TEXT], total[TOP_TEXT];

	snprintf(text, TOP_TEXT, "%.12s/%.12s",
		 top_text_bytes(node->used_bytes, false, used),
		 top_text_bytes(node->total_bytes, false, total));
	return text;
}

static const char *number_text(const char *lead, int number,
			       char text[TOP_TEXT])
{
	snprintf(text, TOP_TEXT, "%s%d", lead, number);
	return text;
}

static int64_t used_ppm(const struct top_node *node)
{
	if (node->total_bytes <= 0 || node->used_bytes < 0)
		return TOP_UNKNOWN;
	return (int64_t)((double)node->used_bytes * 1e6 /
			 (double)node->total_bytes);
}

/* A node without memory or CPUs has a word in place of the bar. */
static void draw_bar(struct top_grid *grid, int x, int y, unsigned int width,
		     int64_t part, int64_t whole, bool none, unsigned int look)
{
	if (none)
		top_grid_text(grid, x, y, width, "none", TOP_DIM);
	else if (part < 0 || whole < 0)
		top_grid_text(grid, x, y, width, "-", TOP_DIM);
	else
		top_grid_bar(grid, x, y, width, part, whole, look);
}

/* NULL: nothing is shown. */
static const char *field_text(enum top_field_id id, const struct top_node *node,
			      char text[TOP_TEXT])
{
	switch (id) {
	case TOP_FIELD_NODE:
		return node->node < 0 ? "all"
				      : number_text("", node->node, text);
	case TOP_FIELD_TIER:
		if (node->tier >= 0)
			return number_text("t", node->tier, text);
		return node->node < 0 ? NULL : "-";
	case TOP_FIELD_MEMORY_SHARE:
		return top_text_ppm(used_ppm(node), false, text);
	case TOP_FIELD_MEMORY:
		return memory_text(node, text);
	case TOP_FIELD_CPU_SHARE:
		return node->nr_cpus == 0
			       ? "none"
			       : top_text_ppm(node->cpu_ppm, false, text);
	default:
		return top_text_rate(node->rates[id - TOP_FIELD_RATE], text);
	}
}

static unsigned int field_look(enum top_field_id id,
			       const struct top_node *node)
{
	if (id == TOP_FIELD_NODE)
		return TOP_BOLD;
	if (id >= TOP_FIELD_RATE &&
	    node->rates[id - TOP_FIELD_RATE].state == TOP_RATE_RESET)
		return TOP_INK_WARN;
	return 0;
}

static void draw_field(struct top_grid *grid, int x, int y,
		       const struct top_field *f, const struct top_node *node)
{
	char buf[TOP_TEXT];
	const char *text;

	x += (int)f->x;
	if (f->id == TOP_FIELD_MEMORY_BAR) {
		draw_bar(grid, x, y, f->width, node->used_bytes,
			 node->total_bytes, node->total_bytes == 0,
			 TOP_INK_MEMORY);
		return;
	}
	if (f->id == TOP_FIELD_CPU_BAR) {
		draw_bar(grid, x, y, f->width, node->cpu_ppm, 1000000,
			 node->nr_cpus == 0, TOP_INK_CPU);
		return;
	}
	text = field_text(f->id, node, buf);
	if (text)
		top_grid_right(grid, x, y, f->width, text,
			       field_look(f->id, node));
}

static bool is_memory(enum top_field_id id)
{
	return id == TOP_FIELD_MEMORY_BAR || id == TOP_FIELD_MEMORY_SHARE ||
	       id == TOP_FIELD_MEMORY;
}

/* The error of reading its memory stands in place of these fields. */
static void draw_node(struct top_grid *grid, int x, int y,
		      const struct top_fields *fields,
		      const struct top_node *node)
{
	unsigned int from = 0, to = 0;

	for (unsigned int i = 0; i < fields->nr; i++) {
		const struct top_field *f = &fields->field[i];

		if (!node->err || !is_memory(f->id)) {
			draw_field(grid, x, y, f, node);
			continue;
		}
		from = to ? from : f->x;
		to = f->x + f->width;
	}
	if (to > from)
		top_grid_text(grid, x + (int)from, y, to - from,
			      text_error(node->err), TOP_INK_WARN);
}

static void draw_cells(struct top_grid *grid, const struct top_layout *l,
		       const struct top_model *model, unsigned int first,
		       int chosen)
{
	for (unsigned int i = 0; i < l->nr_cells; i++) {
		unsigned int column = i / l->node_lines;
		int x = (int)(column * (l->cell_width + 1));
		int y = l->nodes + (int)(i % l->node_lines);

		if (first + i >= model->nr_nodes)
			return;
		draw_node(grid, x, y, &l->cell, &model->nodes[first + i]);
		if (chosen == (int)(first + i) && l->cell.nr)
			top_grid_look(grid, x, y, l->cell.field[0].width,
				      TOP_REVERSE);
	}
}

void top_draw_nodes(struct top_grid *grid, const struct top_layout *l,
		    const struct top_model *model,
		    const struct top_state *state)
{
	int chosen = state->sort.column == TOP_NODE
			     ? top_model_index(model, state->sort.node)
			     : -1;
	struct top_node all;

	if (l->node_head >= 0)
		draw_heads(grid, 0, l->node_head, &l->wide);
	if (l->all >= 0) {
		top_model_sum(model, &all);
		draw_node(grid, 0, l->all, &l->wide, &all);
	}
	if (l->chosen >= 0 && chosen >= 0)
		draw_node(grid, 0, l->chosen, &l->wide, &model->nodes[chosen]);
	if (l->cell_head >= 0)
		for (unsigned int i = 0; i < l->cells; i++)
			draw_heads(grid, (int)(i * (l->cell_width + 1)),
				   l->cell_head, &l->cell);
	if (l->nodes >= 0)
		draw_cells(grid, l, model, state->first_node, chosen);
}
