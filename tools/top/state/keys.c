// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdio.h>

#include "top/state/internal.h"
#include "top/state/keys.h"

/* A key that was typed, and what was on the screen. */
struct press {
	struct top_state *state;
	int key;
	const struct top_model *model;
	const struct top_list *list;
	const struct top_layout *layout;
};

/* ---- rows ------------------------------------------------------------------*/

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

static void move(const struct press *p, int arg)
{
	struct top_state *state = p->state;
	size_t lines = p->layout->row_lines, nr;

	(void)arg;
	if (!state->detail) {
		state->cursor = moved(state->cursor, p->key, lines,
				      p->list->nr ? p->list->nr - 1 : 0);
		return;
	}
	nr = top_detail_lines(p->model, state);
	lines = lines ? lines - 1 : 0;
	state->detail_first = moved(state->detail_first, p->key, lines,
				    top_last_first(nr, lines));
}

static void show_by(const struct press *p, int by)
{
	struct top_state *state = p->state;

	if (state->by == (enum top_by)by)
		return;
	state->by = (enum top_by)by;
	if (!top_column_sorts(state->sort.column, state->by))
		top_sort_by(state,
			    state->by == TOP_THREADS ? TOP_CPU : TOP_MEMORY);
	state->cursor = state->first_row = 0;
	state->detail = false;
}

static void show_next(const struct press *p, int arg)
{
	(void)arg;
	show_by(p, p->state->by < TOP_USERS ? (int)p->state->by + 1
					    : TOP_PROCESSES);
}

static void show_threads(const struct press *p, int arg)
{
	(void)arg;
	show_by(p, p->state->by == TOP_THREADS ? TOP_PROCESSES : TOP_THREADS);
}

static void show_commands(const struct press *p, int arg)
{
	(void)arg;
	p->state->commands = !p->state->commands;
}

static void show_tree(const struct press *p, int arg)
{
	(void)arg;
	show_by(p, TOP_PROCESSES);
	p->state->tree = !p->state->tree;
}

static void open_detail(const struct press *p, int arg)
{
	struct top_state *state = p->state;
	const struct top_row *row;

	(void)arg;
	if (state->detail || state->cursor >= p->list->nr) {
		state->detail = false;
		return;
	}
	row = p->list->entries[state->cursor].row;
	state->detail = true;
	state->detail_id = row->id;
	state->detail_start = row->start_ticks;
	state->detail_first = 0;
	snprintf(state->detail_name, sizeof(state->detail_name), "%s",
		 top_model_text(p->model, row->name));
}

/* ---- order -----------------------------------------------------------------*/

static void sort(const struct press *p, int column)
{
	top_sort_by(p->state, (enum top_column)column);
}

static void reverse(const struct press *p, int arg)
{
	(void)arg;
	p->state->sort.reverse = !p->state->sort.reverse;
}

/* Sort by the column to the left or right. Each node is one, shown or not. */
static void sort_beside(const struct press *p, int step)
{
	struct top_state *state = p->state;
	const struct top_model *model = p->model;
	int column = (int)state->sort.column;
	int index = top_model_index(model, state->sort.node);

	if (column == TOP_NODE && index >= 0 && index + step >= 0 &&
	    index + step < (int)model->nr_nodes) {
		top_sort_by_node(state, model->nodes[index + step].node, model);
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
		top_sort_by_node(
			state,
			model->nodes[step > 0 ? 0 : model->nr_nodes - 1].node,
			model);
	else
		top_sort_by(state, (enum top_column)column);
}

/* A digit is a node, or the first digit of one. */
static void digit(const struct press *p, int arg)
{
	const struct top_model *model = p->model;

	(void)arg;
	if (model->nr_nodes && model->nodes[model->nr_nodes - 1].node >= 10) {
		top_prompt_ask(p->state, TOP_ASK_NODE);
		top_prompt_key(p->state, p->key, model);
		return;
	}
	top_sort_by_node(p->state, p->key - '0', model);
}

/* ---- nodes -----------------------------------------------------------------*/

static void next_view(const struct press *p, int arg)
{
	(void)arg;
	p->state->view = (enum top_view)((p->state->view + 1) % TOP_NR_VIEWS);
}

static void move_nodes(const struct press *p, int direction)
{
	struct top_state *state = p->state;
	unsigned int step = p->layout->node_lines ? p->layout->node_lines : 1;
	unsigned int last = (unsigned int)top_last_first(p->model->nr_nodes,
							 p->layout->nr_cells);

	if (direction > 0)
		state->first_node = last - state->first_node > step
					    ? state->first_node + step
					    : last;
	else
		state->first_node =
			state->first_node > step ? state->first_node - step : 0;
}

/* ---- the rest --------------------------------------------------------------*/

static void ask(const struct press *p, int prompt)
{
	top_prompt_ask(p->state, (enum top_prompt)prompt);
}

static void escape(const struct press *p, int arg)
{
	(void)arg;
	if (p->state->detail)
		p->state->detail = false;
	else
		p->state->filter[0] = '\0';
}

static void pause_or_resume(const struct press *p, int arg)
{
	(void)arg;
	p->state->paused = !p->state->paused;
	p->state->read = !p->state->paused;
}

static void halve(const struct press *p, int arg)
{
	(void)arg;
	top_set_interval(p->state, p->state->interval_ns / 2);
}

static void twice(const struct press *p, int arg)
{
	(void)arg;
	top_set_interval(p->state, p->state->interval_ns * 2);
}

static void help(const struct press *p, int arg)
{
	(void)arg;
	p->state->help = true;
}

static void quit(const struct press *p, int arg)
{
	(void)arg;
	p->state->quit = true;
}

/* ---- the table -------------------------------------------------------------*/

/* The first key of a line of help has its text. '0' stands for any digit. */
static const struct key {
	int key;
	int arg;
	void (*action)(const struct press *p, int arg);
	const char *names;
	const char *help;
} keys[] = {
	{'p', TOP_PROCESSES, show_by, "p g u  Tab  H",
	 "show processes, cgroups, users; the next; threads"},
	{'g', TOP_CGROUPS, show_by, NULL, NULL},
	{'u', TOP_USERS, show_by, NULL, NULL},
	{'\t', 0, show_next, NULL, NULL},
	{'H', 0, show_threads, NULL, NULL},
	{TOP_KEY_UP, 0, move, "Up Down PgUp PgDn",
	 "move to another row; Home, End: to the first, the last"},
	{TOP_KEY_DOWN, 0, move, NULL, NULL},
	{TOP_KEY_PAGE_UP, 0, move, NULL, NULL},
	{TOP_KEY_PAGE_DOWN, 0, move, NULL, NULL},
	{TOP_KEY_HOME, 0, move, NULL, NULL},
	{TOP_KEY_END, 0, move, NULL, NULL},
	{TOP_KEY_LEFT, -1, sort_beside, "Left Right",
	 "sort by the column to the left, to the right"},
	{TOP_KEY_RIGHT, 1, sort_beside, NULL, NULL},
	{'M', TOP_MEMORY, sort, "M C R N A",
	 "sort by memory, CPU, remote memory, PID, name"},
	{'C', TOP_CPU, sort, NULL, NULL},
	{'P', TOP_CPU, sort, NULL, NULL},
	{'R', TOP_REMOTE_SHARE, sort, NULL, NULL},
	{'N', TOP_ID, sort, NULL, NULL},
	{'A', TOP_NAME, sort, NULL, NULL},
	{'n', TOP_ASK_NODE, ask, "n, or a digit",
	 "sort by use of a node; n Enter: by memory again"},
	{'0', 0, digit, NULL, NULL},
	{'r', 0, reverse, "r c t",
	 "reverse the order; show command lines; show a tree"},
	{'c', 0, show_commands, NULL, NULL},
	{'t', 0, show_tree, NULL, NULL},
	{'v', 0, next_view, "v",
	 "nodes' columns show memory, a kind of memory, CPU"},
	{TOP_KEY_ENTER, 0, open_detail, "Enter",
	 "show one row alone, per node; Esc: back"},
	{TOP_KEY_ESCAPE, 0, escape, NULL, NULL},
	{'/', TOP_ASK_FILTER, ask, "/",
	 "show only rows with a text, also in arguments; Esc: undo"},
	{'[', -1, move_nodes, "[ ]", "show other nodes, if not all fit"},
	{']', 1, move_nodes, NULL, NULL},
	{' ', 0, pause_or_resume, "Space", "pause, resume"},
	{'+', 0, halve, "+ - d",
	 "read twice as often, half as often, every N seconds"},
	{'-', 0, twice, NULL, NULL},
	{'d', TOP_ASK_DELAY, ask, NULL, NULL},
	{'q', 0, quit, "q  Ctrl-C", "quit"},
	{'Q', 0, quit, NULL, NULL},
	{TOP_KEY_CTRL_C, 0, quit, NULL, NULL}, /* in raw mode */
	{'h', 0, help, NULL, NULL},
	{'?', 0, help, NULL, NULL},
};

#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

bool top_keys_help(unsigned int n, const char **names, const char **text)
{
	for (size_t i = 0; i < NR_KEYS; i++)
		if (keys[i].names && !n--) {
			*names = keys[i].names;
			*text = keys[i].help;
			return true;
		}
	return false;
}

static const struct key *find(int key)
{
	if (key >= '0' && key <= '9')
		key = '0';
	for (size_t i = 0; i < NR_KEYS; i++)
		if (keys[i].key == key)
			return &keys[i];
	return NULL;
}

void top_state_key(struct top_state *state, int key,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_layout *layout)
{
	const struct press p = {state, key, model, list, layout};
	const struct key *found = find(key);
	bool quits = found && found->action == quit;

	state->complaint = NULL;
	if (key == TOP_KEY_OTHER)
		return;
	if (state->help) {
		state->help = false;
		if (!quits)
			return;
	}
	if (state->prompt) {
		if (key == TOP_KEY_CTRL_C)
			state->quit = true;
		top_prompt_key(state, key, model);
	} else if (found) {
		found->action(&p, found->arg);
	} else if (key < TOP_KEY_UP) {
		state->complaint = "no such key.";
	}
}
