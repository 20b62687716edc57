// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/opt.h"
#include "top/model/list.h"

static const char *const column_names[TOP_NR_COLUMNS] = {
	[TOP_ID] = "pid",
	[TOP_USER] = "user",
	[TOP_CPU] = "cpu",
	[TOP_MEMORY] = "memory",
	[TOP_REMOTE_SHARE] = "remote",
	[TOP_ANONYMOUS] = "anonymous",
	[TOP_FILE] = "file",
	[TOP_SHARED] = "shared",
	[TOP_HUGE] = "huge",
	[TOP_SWAP] = "swap",
	[TOP_WHERE] = "where",
	[TOP_NODE] = "node",
	[TOP_NAME] = "name",
};

static const char *const view_names[TOP_NR_VIEWS] = {
	[TOP_VIEW_MEMORY] = "memory",
	[TOP_VIEW_ANONYMOUS] = "anonymous memory",
	[TOP_VIEW_FILE] = "file memory",
	[TOP_VIEW_SHARED] = "shared memory",
	[TOP_VIEW_HUGE] = "huge pages",
	[TOP_VIEW_CPU] = "CPU",
};

const char *top_column_name(enum top_column column)
{
	return column_names[column];
}

const char *top_view_name(enum top_view view)
{
	return view_names[view];
}

bool top_column_is_there(enum top_column column, enum top_by by)
{
	switch (column) {
	case TOP_USER:
		return by == TOP_PROCESSES || by == TOP_THREADS;
	case TOP_MEMORY:
	case TOP_REMOTE_SHARE:
	case TOP_ANONYMOUS:
	case TOP_FILE:
	case TOP_SHARED:
	case TOP_HUGE:
		return by != TOP_THREADS;
	case TOP_SWAP:
		return by != TOP_CGROUPS && by != TOP_THREADS;
	default:
		return true;
	}
}

bool top_column_sorts(enum top_column column, enum top_by by)
{
	return column != TOP_WHERE && top_column_is_there(column, by);
}

int top_sort_parse(const char *text, struct top_sort *sort)
{
	const char *digits = strncmp(text, "node", 4) ? text : text + 4;
	uint64_t node;

	for (int c = 0; c < TOP_NR_COLUMNS; c++)
		if (c != TOP_WHERE && c != TOP_NODE &&
		    !strcmp(text, column_names[c])) {
			*sort = (struct top_sort){.column = (enum top_column)c};
			return 0;
		}
	if (!parse_number(digits, 0, INT_MAX, &node))
		return -1;
	*sort = (struct top_sort){.column = TOP_NODE, .node = (int)node};
	return 0;
}

/* ---- the order ------------------------------------------------------------ */

static int64_t micro(double cpus)
{
	return cpus < 0 ? TOP_UNKNOWN : (int64_t)(cpus * 1e6);
}

int64_t top_view_amount(const struct top_model *model,
			const struct top_row *row, enum top_view view,
			unsigned int index)
{
	const struct top_part *part = top_model_part(model, row, index);

	if (view == TOP_VIEW_CPU) {
		if (row->cpus < 0)
			return TOP_UNKNOWN;
		return part ? micro(part->cpus) : 0;
	}
	if (row->bytes == TOP_UNKNOWN || row->err)
		return TOP_UNKNOWN;
	if (!part)
		return 0;
	return view == TOP_VIEW_MEMORY ? part->bytes
				       : part->kinds[view - TOP_VIEW_ANONYMOUS];
}

static int64_t amount(const struct top_model *model, const struct top_row *row,
		      const struct top_sort *sort, enum top_view view)
{
	int index;

	switch (sort->column) {
	case TOP_CPU:
		return micro(row->cpus);
	case TOP_MEMORY:
		return row->bytes;
	case TOP_REMOTE_SHARE:
		return row->remote_ppm;
	case TOP_ANONYMOUS:
	case TOP_FILE:
	case TOP_SHARED:
	case TOP_HUGE:
		return row->kinds[sort->column - TOP_ANONYMOUS];
	case TOP_SWAP:
		return row->swap_bytes;
	case TOP_NODE:
		index = top_model_index(model, sort->node);
		return index < 0 ? TOP_UNKNOWN
				 : top_view_amount(model, row, view,
						   (unsigned int)index);
	case TOP_ID:
		return top_has_ids(model->by) ? row->id : row->nr_processes;
	default:
		return 0;
	}
}

struct order {
	const struct top_model *model;
	enum top_column column;
	int sign; /* -1: largest first */
};

static int by_id(const struct top_row *a, const struct top_row *b)
{
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks ? -1 : 1;
	return 0;
}

static int compare(const void *va, const void *vb, void *arg)
{
	const struct order *order = arg;
	const struct top_entry *a = va, *b = vb;
	bool text = order->column == TOP_NAME || order->column == TOP_USER;
	int result = 0;

	if (text) {
		size_t at = order->column == TOP_NAME ? a->row->name
						      : a->row->user;
		size_t bt = order->column == TOP_NAME ? b->row->name
						      : b->row->user;

		result = strcmp(top_model_text(order->model, at),
				top_model_text(order->model, bt));
	} else if (a->amount != b->amount) {
		/* Unknown amounts come last in either order. */
		if (a->amount == TOP_UNKNOWN || b->amount == TOP_UNKNOWN)
			return a->amount == TOP_UNKNOWN ? 1 : -1;
		result = a->amount < b->amount ? -1 : 1;
	}
	if (result)
		return result * order->sign;
	return by_id(a->row, b->row);
}

bool top_row_matches(const struct top_model *model, const struct top_row *row,
		     const char *filter)
{
	char id[24];

	if (!*filter || strcasestr(top_model_text(model, row->name), filter) ||
	    strcasestr(top_model_text(model, row->user), filter) ||
	    strcasestr(top_model_text(model, row->command), filter))
		return true;
	if (model->by == TOP_CGROUPS)
		return false;
	snprintf(id, sizeof(id), "%" PRId64, row->id);
	return strstr(id, filter) != NULL;
}

int top_list_make(struct top_list *list, const struct top_model *model,
		  const struct top_sort *sort, enum top_view view,
		  const char *filter)
{
	bool ascending = sort->column == TOP_NAME || sort->column == TOP_USER ||
			 (sort->column == TOP_ID && top_has_ids(model->by));
	struct order order = {
		.model = model,
		.column = sort->column,
		.sign = ascending == sort->reverse ? -1 : 1,
	};

	if (array_reserve(list->entries, list->room, model->nr_rows))
		return -ENOMEM;
	list->nr = 0;
	for (size_t i = 0; i < model->nr_rows; i++) {
		const struct top_row *row = &model->rows[i];

		if (top_row_matches(model, row, filter))
			list->entries[list->nr++] = (struct top_entry){
				.row = row,
				.amount = amount(model, row, sort, view),
			};
	}
	if (list->nr)
		qsort_r(list->entries, list->nr, sizeof(*list->entries),
			compare, &order);
	return 0;
}

void top_list_free(struct top_list *list)
{
	free(list->entries);
	*list = (struct top_list){0};
}
