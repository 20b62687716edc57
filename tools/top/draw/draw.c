// SPDX-License-Identifier: MIT
/* The whole screen, its title, its status line, and help. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/output.h"
#include "common/text.h"
#include "top/draw/draw.h"
#include "top/draw/text.h"

static void draw_help(struct top_grid *grid)
{
	static const char *const words[] = {
		"memory: in use. busy: share of its CPUs' time. miss: pages that another node",
		"should have supplied. remot: pages for CPUs of other nodes. promo, demot:",
		"pages moved to faster, to slower memory. none: the node has none. -: unknown.",
		"~: an estimate. remot ~: memory on nodes where no thread ran last.",
		"reset: the counter went backwards.",
	};
	const char *names, *text;
	char line[128];
	int y = 2;

	top_grid_text(grid, 0, 0, grid->width, "numatally top: keys", TOP_BOLD);
	for (unsigned int n = 0; top_keys_help(n, &names, &text); n++) {
		snprintf(line, sizeof(line), "%-18s %s", names, text);
		top_grid_text(grid, 0, y++, grid->width, line, 0);
	}
	y++;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		top_grid_text(grid, 0, y++, grid->width, words[i], 0);
	top_grid_text(grid, 0, y, grid->width, "any key: back", TOP_DIM);
}

static const char *plural(int64_t nr)
{
	return nr == 1 ? "" : "s";
}

/* Tell which nodes are on the screen, if some are not. */
static void nodes_text(const struct top_layout *l,
		       const struct top_model *model,
		       const struct top_state *state, char *text, size_t size)
{
	unsigned int first = state->first_node, last = first + l->nr_cells;

	if (l->nr_cells && l->nr_cells < model->nr_nodes) {
		if (last > model->nr_nodes)
			last = model->nr_nodes;
		snprintf(text, size, "nodes %d-%d ([ ]: others) of %u",
			 model->nodes[first].node, model->nodes[last - 1].node,
			 model->nr_nodes);
	} else {
		snprintf(text, size, "%u node%s", model->nr_nodes,
			 plural(model->nr_nodes));
	}
}

/* The clock, and before it what there is room for. */
static void right_text(const struct top_model *model, unsigned int room,
		       char *text, size_t size)
{
	char clock[32] = "captured", load[64] = "", swap[64] = "";
	char used[TOP_TEXT], all[TOP_TEXT];
	time_t now = (time_t)model->clock_s;
	struct tm tm;

	if (now && localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	if (model->load[0] >= 0)
		snprintf(load, sizeof(load), "load %.2f %.2f %.2f  ",
			 model->load[0], model->load[1], model->load[2]);
	if (model->swap_bytes > 0)
		snprintf(swap, sizeof(swap), "swap %s/%s  ",
			 top_text_bytes(model->swap_used_bytes, false, used),
			 top_text_bytes(model->swap_bytes, false, all));
	snprintf(text, size, "%s%s%s", load, swap, clock);
	if (strlen(text) > room)
		snprintf(text, size, "%s%s", load, clock);
	if (strlen(text) > room)
		snprintf(text, size, "%s", clock);
	if (strlen(text) > room)
		*text = '\0';
}

static void draw_title(struct top_grid *grid, const struct top_layout *l,
		       const struct top_model *model,
		       const struct top_state *state, bool keys)
{
	static const char *const kinds[TOP_NR_BY] = {"process", "cgroup",
						     "user", "thread"};
	char text[256], nodes[64];
	unsigned int used;

	nodes_text(l, model, state, nodes, sizeof(nodes));
	snprintf(text, sizeof(text), "numatally top  %s, %zu %s%s%s", nodes,
		 model->nr_rows, kinds[state->by],
		 model->nr_rows == 1	      ? ""
		 : state->by == TOP_PROCESSES ? "es"
					      : "s",
		 keys && state->paused ? "  PAUSED" : "");
	used = top_grid_text(grid, 0, l->title, l->width, text, TOP_BOLD);
	if (used + 2 > l->width)
		return;
	right_text(model, l->width - used - 2, text, sizeof(text));
	top_grid_right(grid, (int)used, l->title, l->width - used, text, 0);
}

static void draw_prompt(struct top_grid *grid, const struct top_layout *l,
			const struct top_state *state)
{
	static const char *const leads[] = {
		[TOP_ASK_FILTER] = "/",
		[TOP_ASK_NODE] = "node: ",
		[TOP_ASK_DELAY] = "seconds: ",
	};
	const char *lead = leads[state->prompt];
	unsigned int used =
		top_grid_text(grid, 0, l->status, l->width, lead, TOP_BOLD);

	used += top_draw_foreign(grid, (int)used, l->status, l->width - used,
				 state->input, 0);
	top_grid_text(grid, (int)used, l->status, 1, "_", TOP_BOLD);
}

static void sort_text(const struct top_state *state, char *text, size_t size)
{
	const char *way = state->sort.reverse ? ", reversed" : "";

	if (state->sort.column == TOP_NODE)
		snprintf(text, size, "by %s of node %d%s",
			 top_view_name(top_state_view(state)), state->sort.node,
			 way);
	else if (state->sort.column == TOP_ID && !top_has_ids(state->by))
		snprintf(text, size, "by number of processes%s", way);
	else
		snprintf(text, size, "by %s%s",
			 top_column_name(state->sort.column), way);
}

static void draw_status(struct top_grid *grid, const struct top_layout *l,
			const struct top_model *model,
			const struct top_list *list,
			const struct top_state *state, bool keys)
{
	char sort[96], text[256];
	char *filter = *state->filter ? text_escape(state->filter) : NULL;
	size_t last = state->first_row + l->row_lines;
	int n = 0;

	if (last > list->nr)
		last = list->nr;
	sort_text(state, sort, sizeof(sort));
	text[0] = '\0';
	if (keys)
		n = snprintf(text, sizeof(text), "%s%s%sh: help  every %g s  ",
			     state->complaint ? state->complaint : "",
			     state->complaint ? "  " : "",
			     state->detail ? "Esc: back  " : "",
			     (double)state->interval_ns / 1e9);
	n += snprintf(
		text + n, sizeof(text) - (size_t)n, "rows %zu-%zu of %zu %s",
		list->nr ? state->first_row + 1 : 0, last, list->nr, sort);
	if (model->nr_lacking && n < (int)sizeof(text))
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "  %zu not readable", model->nr_lacking);
	if (filter && n < (int)sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, "  filter /%s",
			 filter);
	top_grid_text(grid, 0, l->status, l->width, text, TOP_DIM);
	free(filter);
}

void top_draw(struct top_grid *grid, const struct top_layout *layout,
	      const struct top_model *model, const struct top_list *list,
	      const struct top_state *state, bool keys)
{
	if (state->help) {
		draw_help(grid);
		return;
	}
	if (layout->title >= 0)
		draw_title(grid, layout, model, state, keys);
	top_draw_nodes(grid, layout, model, state);
	if (state->detail)
		top_draw_detail(grid, layout, model, state);
	else
		top_draw_rows(grid, layout, model, list, state, keys);
	if (layout->status < 0)
		return;
	if (state->prompt)
		draw_prompt(grid, layout, state);
	else
		draw_status(grid, layout, model, list, state, keys);
}
