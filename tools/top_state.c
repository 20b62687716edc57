// SPDX-License-Identifier: MIT
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "top_draw.h"
#include "top_list.h"
#include "top_state.h"

void top_state_init(struct top_state *state)
{
	*state = (struct top_state){
		.sort = {.column = TOP_MEMORY},
		.interval_s = 1.0,
	};
}

/* ---- within bounds ---------------------------------------------------------*/

/* The most that first can be where lines of nr are on the screen. */
static size_t last_first(size_t nr, size_t lines)
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
	if (state->first_row > last_first(nr, lines))
		state->first_row = last_first(nr, lines);
}

void top_state_settle(struct top_state *state, const struct top_model *model,
		      const struct top_list *list,
		      const struct top_layout *layout)
{
	size_t lines = layout->row_lines, detail;
	unsigned int last;

	settle_cursor(state, list->nr, lines);
	if (state->detail) {
		detail = last_first(top_detail_lines(model, state),
				    lines ? lines - 1 : 0);
		if (state->detail_first > detail)
			state->detail_first = detail;
	}
	last = (unsigned int)last_first(model->nr_nodes, layout->nr_cells);
	if (state->first_node > last)
		state->first_node = last;
}

/* ---- moving ----------------------------------------------------------------*/

static size_t moved(size_t at, int key, size_t page, size_t end)
{
	page = page ? page : 1;
	switch (key) {
	case TOP_KEY_UP:
		return at ? at - 1 : 0;
	case TOP_KEY_DOWN:
		return at < end ? at + 1 : end;
	case TOP_KEY_PAGE_UP:
		return at > page ? at - page : 0;
	case TOP_KEY_PAGE_DOWN:
		return end - at > page ? at + page : end;
	case TOP_KEY_HOME:
		return 0;
	default:
		return end;
	}
}

static void move(struct top_state *state, int key,
		 const struct top_model *model, const struct top_list *list,
		 const struct top_layout *layout)
{
	size_t lines = layout->row_lines, nr;

	if (!state->detail) {
		state->cursor = moved(state->cursor, key, lines,
				      list->nr ? list->nr - 1 : 0);
		return;
	}
	nr = top_detail_lines(model, state);
	lines = lines ? lines - 1 : 0;
	state->detail_first =
		moved(state->detail_first, key, lines, last_first(nr, lines));
}

static void move_nodes(struct top_state *state, bool on,
		       const struct top_model *model,
		       const struct top_layout *layout)
{
	unsigned int step = layout->node_lines ? layout->node_lines : 1;
	unsigned int last =
		(unsigned int)last_first(model->nr_nodes, layout->nr_cells);

	if (on)
		state->first_node = last - state->first_node > step
					    ? state->first_node + step
					    : last;
	else
		state->first_node =
			state->first_node > step ? state->first_node - step : 0;
}

/* ---- the order -------------------------------------------------------------*/

static void sort_by(struct top_state *state, enum top_column column)
{
	state->sort = (struct top_sort){.column = column};
	state->cursor = state->first_row = 0;
}

static void sort_by_node(struct top_state *state, int node,
			 const struct top_model *model)
{
	if (top_model_index(model, node) < 0) {
		state->complaint = "there is no such node.";
		return;
	}
	sort_by(state, TOP_NODE);
	state->sort.node = node;
}

/* The column to the left or right, each node being one, shown or not. */
static void sort_beside(struct top_state *state, int step,
			const struct top_model *model)
{
	int column = (int)state->sort.column;
	int index = top_model_index(model, state->sort.node);

	if (column == TOP_NODE && index >= 0 && index + step >= 0 &&
	    index + step < (int)model->nr_nodes) {
		sort_by_node(state, model->nodes[index + step].node, model);
		return;
	}
	do
		column += step;
	while (column >= 0 && column < TOP_NR_COLUMNS &&
	       (!top_column_sorts((enum top_column)column, state->by) ||
		(column == TOP_NODE && !model->nr_nodes)));
	if (column < 0 || column >= TOP_NR_COLUMNS)
		return;
	if (column == TOP_NODE)
		sort_by_node(
			state,
			model->nodes[step > 0 ? 0 : model->nr_nodes - 1].node,
			model);
	else
		sort_by(state, (enum top_column)column);
}

static void show_by(struct top_state *state, enum top_by by)
{
	if (state->by == by)
		return;
	state->by = by;
	if (!top_column_sorts(state->sort.column, by))
		sort_by(state, TOP_MEMORY);
	state->cursor = state->first_row = 0;
	state->detail = false;
}

/* ---- what is typed ---------------------------------------------------------*/

static void ask(struct top_state *state, enum top_prompt prompt)
{
	state->prompt = prompt;
	state->input[0] = '\0';
	if (prompt == TOP_ASK_FILTER) {
		memcpy(state->filter_before, state->filter,
		       sizeof(state->filter));
		memcpy(state->input, state->filter, sizeof(state->filter));
	}
}

static void drop_character(char *text)
{
	mbstate_t mb = {0};
	size_t last = 0, at = 0, n;

	while (text[at]) {
		last = at;
		n = mbrlen(text + at, MB_CUR_MAX, &mb);
		if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
			mb = (mbstate_t){0};
			n = 1;
		}
		at += n;
	}
	text[last] = '\0';
}

static void add_character(char *text, size_t size, int key)
{
	char bytes[MB_LEN_MAX];
	mbstate_t mb = {0};
	size_t used = strlen(text), n;

	if (key < ' ' || key >= TOP_KEY_UP || !iswprint((wint_t)key))
		return;
	n = wcrtomb(bytes, (wchar_t)key, &mb);
	if (n == (size_t)-1 || used + n >= size)
		return;
	memcpy(text + used, bytes, n);
	text[used + n] = '\0';
}

static void set_interval(struct top_state *state, double seconds)
{
	if (!(seconds >= TOP_INTERVAL_MIN && seconds <= TOP_INTERVAL_MAX)) {
		state->complaint = "0.1 to 3600 seconds.";
		return;
	}
	state->interval_s = seconds;
}

static void answer_node(struct top_state *state, const struct top_model *model)
{
	struct top_sort sort;

	if (!*state->input)
		sort_by(state, TOP_MEMORY);
	else if (top_sort_parse(state->input, &sort) || sort.column != TOP_NODE)
		state->complaint = "there is no such node.";
	else
		sort_by_node(state, sort.node, model);
}

static void answer(struct top_state *state, const struct top_model *model)
{
	enum top_prompt prompt = state->prompt;
	char *end;
	double seconds;

	state->prompt = TOP_NO_PROMPT;
	if (prompt == TOP_ASK_NODE) {
		answer_node(state, model);
	} else if (prompt == TOP_ASK_DELAY && *state->input) {
		seconds = strtod(state->input, &end);
		set_interval(state, *end ? -1 : seconds);
	}
}

static void type(struct top_state *state, int key,
		 const struct top_model *model)
{
	switch (key) {
	case TOP_KEY_ENTER:
		answer(state, model);
		return;
	case TOP_KEY_ESCAPE:
		if (state->prompt == TOP_ASK_FILTER)
			memcpy(state->filter, state->filter_before,
			       sizeof(state->filter));
		state->prompt = TOP_NO_PROMPT;
		return;
	case TOP_KEY_BACKSPACE:
		drop_character(state->input);
		break;
	default:
		add_character(state->input, sizeof(state->input), key);
	}
	if (state->prompt == TOP_ASK_FILTER) {
		memcpy(state->filter, state->input, sizeof(state->filter));
		state->cursor = state->first_row = 0;
	}
}

/* ---- keys ------------------------------------------------------------------*/

static void open_detail(struct top_state *state, const struct top_model *model,
			const struct top_list *list)
{
	const struct top_row *row;

	if (state->detail || state->cursor >= list->nr) {
		state->detail = false;
		return;
	}
	row = list->entries[state->cursor].row;
	state->detail = true;
	state->detail_id = row->id;
	state->detail_start = row->start_ticks;
	state->detail_first = 0;
	snprintf(state->detail_name, sizeof(state->detail_name), "%s",
		 top_model_text(model, row->name));
}

/* A digit is a node, or the first digit of one. */
static void digit(struct top_state *state, int key,
		  const struct top_model *model)
{
	if (model->nr_nodes && model->nodes[model->nr_nodes - 1].node >= 10) {
		ask(state, TOP_ASK_NODE);
		type(state, key, model);
		return;
	}
	sort_by_node(state, key - '0', model);
}

static void escape(struct top_state *state)
{
	if (state->detail)
		state->detail = false;
	else
		state->filter[0] = '\0';
}

static void letter(struct top_state *state, int key,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_layout *layout)
{
	switch (key) {
	case 'q':
	case 'Q':
	case 3: /* Ctrl-C, where the terminal makes no signal of it */
		state->quit = true;
		break;
	case 'h':
	case '?':
		state->help = true;
		break;
	case ' ':
		state->paused = !state->paused;
		state->read = !state->paused;
		break;
	case '\t':
		show_by(state, (enum top_by)((state->by + 1) % TOP_NR_BY));
		break;
	case 'p':
		show_by(state, TOP_PROCESSES);
		break;
	case 'g':
		show_by(state, TOP_CGROUPS);
		break;
	case 'u':
		show_by(state, TOP_USERS);
		break;
	case 'M':
		sort_by(state, TOP_MEMORY);
		break;
	case 'C':
	case 'P':
		sort_by(state, TOP_CPU);
		break;
	case 'R':
		sort_by(state, TOP_REMOTE_SHARE);
		break;
	case 'N':
		sort_by(state, TOP_ID);
		break;
	case 'A':
		sort_by(state, TOP_NAME);
		break;
	case 'r':
		state->sort.reverse = !state->sort.reverse;
		break;
	case 'v':
		state->view = (enum top_view)((state->view + 1) % TOP_NR_VIEWS);
		break;
	case 'n':
		ask(state, TOP_ASK_NODE);
		break;
	case 'd':
		ask(state, TOP_ASK_DELAY);
		break;
	case '/':
		ask(state, TOP_ASK_FILTER);
		break;
	case '+':
		set_interval(state, state->interval_s / 2);
		break;
	case '-':
		set_interval(state, state->interval_s * 2);
		break;
	case '[':
	case ']':
		move_nodes(state, key == ']', model, layout);
		break;
	case TOP_KEY_ENTER:
		open_detail(state, model, list);
		break;
	case TOP_KEY_ESCAPE:
		escape(state);
		break;
	default:
		if (key >= '0' && key <= '9')
			digit(state, key, model);
		else if (key < TOP_KEY_UP)
			state->complaint = "no such key.";
	}
}

void top_state_key(struct top_state *state, int key,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_layout *layout)
{
	state->complaint = NULL;
	if (key == TOP_KEY_OTHER)
		return;
	if (state->help) {
		state->help = false;
		if (key != 'q' && key != 'Q' && key != 3)
			return;
	}
	if (state->prompt) {
		if (key == 3)
			state->quit = true;
		type(state, key, model);
		return;
	}
	switch (key) {
	case TOP_KEY_UP:
	case TOP_KEY_DOWN:
	case TOP_KEY_PAGE_UP:
	case TOP_KEY_PAGE_DOWN:
	case TOP_KEY_HOME:
	case TOP_KEY_END:
		move(state, key, model, list, layout);
		break;
	case TOP_KEY_LEFT:
		sort_beside(state, -1, model);
		break;
	case TOP_KEY_RIGHT:
		sort_beside(state, 1, model);
		break;
	default:
		letter(state, key, model, list, layout);
	}
}
