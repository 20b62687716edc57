// SPDX-License-Identifier: MIT
/* The whole screen: title, status, help, and what lies between. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "text.h"
#include "top_draw.h"

static const char *const help[] = {
	"numatally top: keys",
	"",
	"p g u  Tab       processes, cgroups, users; the next of these",
	"Up Down PgUp     another row; Home and End are the first and the last",
	"Left Right       sort by another column",
	"M C R N A        sort by memory, CPU, remote share, pid, name",
	"n or a digit     sort by what is on a node; n and Enter: by memory again",
	"r                the other way round",
	"v                columns of nodes: memory, a kind of it, CPU",
	"Enter            one row by itself, by node; Esc: back",
	"/                show only what has a text; Esc while typing: as before",
	"[ ]              other nodes, where there are more than fit",
	"Space            pause, go on",
	"+ - d            twice, half as often; every so many seconds",
	"q  Ctrl-C        quit",
	"",
	"memory: used; busy: of the CPUs' time. miss: pages that should have come",
	"from another node; remot: pages for CPUs of others; promo, demot: pages",
	"moved to faster, to slower memory. none: a node without it. -: not known.",
	"~: an estimate. remot~: memory on nodes where no thread ran last.",
	"reset: a counter went backwards.",
};

static void draw_help(struct top_grid *grid)
{
	for (unsigned int i = 0; i < sizeof(help) / sizeof(*help); i++)
		top_grid_text(grid, 0, (int)i, grid->width, help[i],
			      i ? 0 : TOP_BOLD);
}

static const char *plural(int64_t nr)
{
	return nr == 1 ? "" : "s";
}

/* Which nodes are on the screen, where some are not. */
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

static void draw_title(struct top_grid *grid, const struct top_layout *l,
		       const struct top_model *model,
		       const struct top_state *state, bool keys)
{
	static const char *const kinds[TOP_NR_BY] = {"process", "cgroup",
						     "user"};
	char text[256], nodes[64], clock[32] = "captured";
	time_t now = (time_t)model->clock_s;
	struct tm tm;
	unsigned int used, clock_width;

	nodes_text(l, model, state, nodes, sizeof(nodes));
	snprintf(text, sizeof(text), "numatally top  %s, %zu %s%s%s", nodes,
		 model->nr_rows, kinds[state->by],
		 model->nr_rows == 1	      ? ""
		 : state->by == TOP_PROCESSES ? "es"
					      : "s",
		 keys && state->paused ? "  PAUSED" : "");
	used = top_grid_text(grid, 0, l->title, l->width, text, TOP_BOLD);
	if (now && localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	clock_width = (unsigned int)strlen(clock);
	if (used + 2 + clock_width <= l->width)
		top_grid_right(grid, (int)used, l->title, l->width - used,
			       clock, 0);
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
			 top_view_name(state->view), state->sort.node, way);
	else if (state->sort.column == TOP_ID && state->by != TOP_PROCESSES)
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
		n = snprintf(text, sizeof(text), "%s%sh: help  every %g s  ",
			     state->complaint ? state->complaint : "",
			     state->complaint ? "  " : "", state->interval_s);
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
