// SPDX-License-Identifier: MIT
#include "config.h"

#include <string.h>

#include "top/state/layout.h"

/* The nodes' part of the lines that they and the rows share. */
#define NODES_SHARE(lines) ((lines)*2 / 3)

/* Widths of a bar: at least, before rates are added, and at most. */
#define BAR_MIN	 4U
#define BAR_GOOD 8U
#define BAR_MAX	 40U

/* Paths of cgroups are longer than names of commands, and command lines and trees
 * longer than these. */
#define PATH_MIN  20U
#define LONG_MIN  32U
#define NAME_MIN  10U
#define NAME_MAX  40U
#define WHERE_MIN 12U
#define WHERE_MAX 30U
/* Of a layout that is as wide as needed. */
#define LEAST_WIDTH 132U
/* Also of most other columns. */
#define NODE_WIDTH 6U

/* ---- the fields of a node --------------------------------------------------*/

/* Without the space before it. */
static unsigned int field_width(enum top_field_id id, unsigned int id_width)
{
	switch (id) {
	case TOP_FIELD_NODE:
		return id_width;
	case TOP_FIELD_TIER:
	case TOP_FIELD_MEMORY_SHARE:
	case TOP_FIELD_CPU_SHARE:
		return 4;
	case TOP_FIELD_MEMORY_BAR:
	case TOP_FIELD_CPU_BAR:
		return BAR_MIN;
	case TOP_FIELD_MEMORY:
		return 11;
	default:
		return 7;
	}
}

/* In order of importance: fields at the end are dropped first. */
static const enum top_field_id field_order[TOP_NR_FIELDS] = {
	TOP_FIELD_NODE,
	TOP_FIELD_MEMORY_BAR,
	TOP_FIELD_CPU_SHARE,
	TOP_FIELD_MEMORY_SHARE,
	TOP_FIELD_CPU_BAR,
	TOP_FIELD_MEMORY,
	TOP_FIELD_RATE + TOP_REMOTE,
	TOP_FIELD_RATE + TOP_MISS,
	TOP_FIELD_TIER,
	TOP_FIELD_RATE + TOP_DEMOTED,
	TOP_FIELD_RATE + TOP_PROMOTED,
};

/* Whether some node has a value: a column of "-" is not shown. */
static bool field_is_known(enum top_field_id id, const struct top_model *model)
{
	unsigned int counter;

	for (unsigned int i = 0; i < model->nr_nodes; i++) {
		if (id == TOP_FIELD_TIER && model->nodes[i].tier >= 0)
			return true;
		if (id < TOP_FIELD_RATE)
			continue;
		counter = id - TOP_FIELD_RATE;
		if (model->nodes[i].rates[counter].state != TOP_RATE_UNKNOWN)
			return true;
	}
	return id != TOP_FIELD_TIER && id < TOP_FIELD_RATE + TOP_PROMOTED;
}

static unsigned int id_width(const struct top_model *model, bool folded)
{
	unsigned int digits = 1;
	int last = model->nr_nodes ? model->nodes[model->nr_nodes - 1].node : 0;

	for (; last >= 10; last /= 10)
		digits++;
	if (!folded)
		return digits < 4 ? 4 : digits;
	return digits < 2 ? 2 : digits;
}

static void widen_bars(unsigned int *widths, unsigned int left)
{
	static const enum top_field_id bars[] = {TOP_FIELD_MEMORY_BAR,
						 TOP_FIELD_CPU_BAR};
	bool grew = true;

	while (left && grew) {
		grew = false;
		for (int i = 0; i < 2 && left; i++) {
			unsigned int *width = &widths[bars[i]];

			if (!*width || *width >= BAR_MAX)
				continue;
			++*width;
			left--;
			grew = true;
		}
	}
}

static void choose_fields(struct top_fields *fields, unsigned int width,
			  const struct top_model *model, bool folded)
{
	unsigned int widths[TOP_NR_FIELDS] = {0};
	unsigned int used = 0, x = 0;

	for (int i = 0; i < TOP_NR_FIELDS; i++) {
		enum top_field_id id = field_order[i];
		unsigned int needs = field_width(id, id_width(model, folded));
		unsigned int gap = used ? 1 : 0, bars = 0;

		if (!field_is_known(id, model))
			continue;
		if (id >= TOP_FIELD_RATE && folded)
			bars = 2 * (BAR_GOOD - BAR_MIN);
		if (used + gap + needs + bars > width)
			break;
		widths[id] = needs;
		used += gap + needs;
	}
	widen_bars(widths, width - used);
	fields->nr = 0;
	for (unsigned int id = 0; id < TOP_NR_FIELDS; id++) {
		if (!widths[id])
			continue;
		fields->field[fields->nr++] = (struct top_field){
			(enum top_field_id)id, x, widths[id]};
		x += widths[id] + 1;
	}
}

/* The narrowest useful cell: node, memory, CPU. */
static unsigned int cell_min(const struct top_model *model)
{
	return id_width(model, true) + 1 + BAR_MIN + 1 +
	       field_width(TOP_FIELD_CPU_SHARE, 0);
}

/* ---- lines ----------------------------------------------------------------*/

static void fold(struct top_layout *l, const struct top_model *model,
		 unsigned int lines)
{
	unsigned int most = (l->width + 1) / (cell_min(model) + 1);
	unsigned int cells = (model->nr_nodes + lines - 1) / lines;

	if (cells > most)
		cells = most;
	if (cells < 1)
		cells = 1;
	l->cells = cells;
	l->cell_width = (l->width + 1) / cells;
	l->cell_width -= l->cell_width ? 1 : 0;
	l->node_lines = (model->nr_nodes + cells - 1) / cells;
	if (l->node_lines > lines)
		l->node_lines = lines;
	choose_fields(&l->cell, l->cell_width, model, true);
}

static void line(int *at, unsigned int *next, bool wanted)
{
	*at = wanted ? (int)(*next)++ : -1;
}

/* The nodes' part, with heads of cells, of @lines for them and the rows. */
static unsigned int node_share(unsigned int lines)
{
	unsigned int share = NODES_SHARE(lines);

	return share || !lines ? share : 1;
}

static void lay_lines(struct top_layout *l, const struct top_model *model,
		      bool chosen)
{
	unsigned int h = l->height, nr = model->nr_nodes, next = 0;
	bool status = h >= 3, all = h >= 4 && nr != 1, row_head = h >= 6;
	bool head = h >= 8;
	unsigned int fixed = 1U + status + all + row_head + head;
	unsigned int share = h > fixed ? node_share(h - fixed) : 0;
	bool folded = nr > share;
	bool cell_head = folded && share >= 3;

	chosen = chosen && folded && share >= 4;
	share += chosen;
	line(&l->title, &next, h >= 1);
	line(&l->node_head, &next, head);
	line(&l->all, &next, all);
	line(&l->chosen, &next, chosen);
	line(&l->cell_head, &next, cell_head);
	choose_fields(&l->wide, l->width, model, false);
	if (folded && share) {
		fold(l, model, share - chosen - cell_head);
	} else {
		l->cells = share ? 1 : 0;
		l->cell_width = l->width;
		l->node_lines = folded ? 0 : nr;
		l->cell = l->wide;
	}
	l->nr_cells = l->cells * l->node_lines;
	l->nodes = l->node_lines ? (int)next : -1;
	next += l->node_lines;
	line(&l->row_head, &next, row_head);
	l->row_lines = h > next + status ? h - next - status : 0;
	l->rows = l->row_lines ? (int)next : -1;
	l->status = status ? (int)h - 1 : -1;
}

/* Without a height: a line for each node and row. */
static void lay_all_lines(struct top_layout *l, const struct top_model *model,
			  size_t nr_rows)
{
	unsigned int next = 0;

	line(&l->title, &next, true);
	line(&l->node_head, &next, true);
	line(&l->all, &next, model->nr_nodes != 1);
	l->chosen = l->cell_head = -1;
	choose_fields(&l->wide, l->width, model, false);
	l->cell = l->wide;
	l->cells = 1;
	l->cell_width = l->width;
	l->node_lines = l->nr_cells = model->nr_nodes;
	l->nodes = l->node_lines ? (int)next : -1;
	next += l->node_lines;
	line(&l->row_head, &next, true);
	l->row_lines = nr_rows < 1000000 ? (unsigned int)nr_rows : 1000000;
	l->rows = l->row_lines ? (int)next : -1;
	next += l->row_lines;
	line(&l->status, &next, true);
	l->height = next;
}

/* ---- the columns of rows ---------------------------------------------------*/

/* Without the space before it. */
static unsigned int column_width(enum top_column column)
{
	switch (column) {
	case TOP_ID:
		return 7;
	case TOP_USER:
		return 8;
	case TOP_REMOTE_SHARE:
		return 5;
	case TOP_WHERE:
		return WHERE_MIN;
	case TOP_NAME:
		return NAME_MIN;
	default:
		return NODE_WIDTH;
	}
}

struct budget {
	unsigned int width, used;
	unsigned int widths[TOP_NR_COLUMNS];
	unsigned int nr_nodes; /* columns of nodes */
};

static bool take(struct budget *b, unsigned int needs)
{
	unsigned int gap = b->used ? 1 : 0;

	if (b->used + gap + needs > b->width)
		return false;
	b->used += gap + needs;
	return true;
}

static bool take_column(struct budget *b, enum top_column column,
			enum top_by by)
{
	if (b->widths[column] || !top_column_is_there(column, by))
		return true;
	if (!take(b, column_width(column)))
		return false;
	b->widths[column] = column_width(column);
	return true;
}

static void take_node(struct budget *b, unsigned int most)
{
	if (b->nr_nodes < most && take(b, NODE_WIDTH))
		b->nr_nodes++;
}

static void widen(struct budget *b, enum top_column column, unsigned int most)
{
	unsigned int left = b->width - b->used;
	unsigned int more = most > b->widths[column] ? most - b->widths[column]
						     : 0;

	if (!b->widths[column])
		return;
	if (more > left)
		more = left;
	b->widths[column] += more;
	b->used += more;
}

static void choose_columns(struct budget *b, const struct top_model *model,
			   const struct top_choice *choice)
{
	static const enum top_column first[] = {TOP_NAME,	  TOP_MEMORY,
						TOP_CPU,	  TOP_ID,
						TOP_REMOTE_SHARE, TOP_USER};
	static const enum top_column then[] = {TOP_ANONYMOUS, TOP_FILE,
					       TOP_SHARED, TOP_HUGE, TOP_SWAP};
	unsigned int most = model->nr_nodes, left;
	bool fits = true;

	if (most > TOP_MAX_PLACES - TOP_NR_COLUMNS)
		most = TOP_MAX_PLACES - TOP_NR_COLUMNS;
	if (choice->sort.column == TOP_NODE)
		take_node(b, most);
	else
		take_column(b, choice->sort.column, choice->by);
	for (size_t i = 0; fits && i < sizeof(first) / sizeof(*first); i++)
		fits = take_column(b, first[i], choice->by);
	if (choice->by == TOP_CGROUPS)
		widen(b, TOP_NAME, PATH_MIN);
	if (choice->long_names)
		widen(b, TOP_NAME, LONG_MIN);
	/* A column for each node, or one that names the largest shares. */
	left = b->width - b->used;
	if (model->nr_nodes < 2)
		most = 0;
	else if (fits &&
		 left / (NODE_WIDTH + 1) + b->nr_nodes >= model->nr_nodes)
		for (unsigned int i = 0; i < most; i++)
			take_node(b, most);
	else if (fits)
		fits = take_column(b, TOP_WHERE, choice->by);
	for (size_t i = 0; fits && i < sizeof(then) / sizeof(*then); i++)
		fits = take_column(b, then[i], choice->by);
	widen(b, TOP_WHERE, WHERE_MAX);
	widen(b, TOP_NAME, NAME_MAX);
	for (unsigned int i = 0; fits && i < most; i++)
		take_node(b, most);
	widen(b, TOP_NAME, choice->name_width ? choice->name_width : b->width);
}

/* The first node that has a column, such that the chosen one has one. */
static unsigned int first_node(const struct top_model *model,
			       const struct top_sort *sort,
			       unsigned int nr_columns)
{
	int chosen = sort->column == TOP_NODE
			     ? top_model_index(model, sort->node)
			     : -1;
	unsigned int last_first = model->nr_nodes - nr_columns;

	if (chosen < 0)
		return 0;
	return (unsigned int)chosen < last_first ? (unsigned int)chosen
						 : last_first;
}

static void lay_columns(struct top_layout *l, const struct top_model *model,
			const struct top_choice *choice)
{
	/* The cursor takes one column. */
	struct budget b = {.width = l->width ? l->width - 1 : 0};
	unsigned int x = 1, node = 0, repeat;

	choose_columns(&b, model, choice);
	l->nr_places = 0;
	if (b.nr_nodes) {
		b.widths[TOP_NODE] = NODE_WIDTH;
		node = first_node(model, &choice->sort, b.nr_nodes);
	}
	for (int c = 0; c < TOP_NR_COLUMNS; c++) {
		if (!b.widths[c])
			continue;
		repeat = c == TOP_NODE ? b.nr_nodes : 1;
		for (; repeat; repeat--) {
			l->places[l->nr_places++] = (struct top_place){
				.column = (enum top_column)c,
				.index = c == TOP_NODE ? node++ : 0,
				.x = x,
				.width = b.widths[c],
			};
			x += b.widths[c] + 1;
		}
	}
}

/* Up to the last column of nodes and rows; the title and the status have room. */
static unsigned int used_width(const struct top_layout *l)
{
	unsigned int used = LEAST_WIDTH, end = 0;

	for (unsigned int i = 0; i < l->wide.nr; i++)
		end = l->wide.field[i].x + l->wide.field[i].width;
	used = end > used ? end : used;
	for (unsigned int i = 0; i < l->nr_places; i++)
		end = l->places[i].x + l->places[i].width;
	return end > used ? end : used;
}

void top_layout_make(struct top_layout *layout, unsigned int width,
		     unsigned int height, const struct top_model *model,
		     const struct top_choice *choice)
{
	bool chosen = choice->sort.column == TOP_NODE &&
		      top_model_index(model, choice->sort.node) >= 0;

	memset(layout, 0, sizeof(*layout));
	layout->width = width;
	layout->height = height;
	if (choice->whole)
		lay_all_lines(layout, model, choice->nr_rows);
	else
		lay_lines(layout, model, chosen);
	lay_columns(layout, model, choice);
	if (choice->name_width)
		layout->width = used_width(layout);
}
