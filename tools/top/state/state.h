/* SPDX-License-Identifier: MIT */
/* What the user has selected. Keys change it: see keys.h. */
#ifndef TOOL_TOP_STATE_STATE_H
#define TOOL_TOP_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "top/model/list.h"
#include "top/model/model.h"
#include "top/state/layout.h"

#define TOP_INTERVAL_MIN 0.1 /* seconds, by keys */
#define TOP_INTERVAL_MAX 3600.0

/* Bytes of typed text, with the NUL byte. */
#define TOP_INPUT 128

enum top_prompt { TOP_NO_PROMPT, TOP_ASK_FILTER, TOP_ASK_NODE, TOP_ASK_DELAY };

struct top_state {
	enum top_by by;
	struct top_sort sort;
	enum top_view view;
	char filter[TOP_INPUT];
	int64_t interval_ns;
	bool paused, help, quit;
	bool commands;		  /* command lines in the place of names */
	bool tree;		  /* processes below their parents */
	bool read;		  /* a reading is wanted now */
	size_t cursor, first_row; /* in the list */
	unsigned int first_node;  /* in the model */
	/* The row shown alone, which keeps its identity when rows move. */
	bool detail;
	int64_t detail_id;
	uint64_t detail_start;
	char detail_name[128];
	size_t detail_first;
	enum top_prompt prompt;
	char input[TOP_INPUT];
	char filter_before[TOP_INPUT];
	const char *complaint; /* about the last key, or NULL */
};

void top_state_init(struct top_state *state);

/* What the columns of nodes show: threads have CPU time alone. */
static inline enum top_view top_state_view(const struct top_state *state)
{
	return state->by == TOP_THREADS ? TOP_VIEW_CPU : state->view;
}

/* Whether the command lines of processes are needed. */
static inline bool top_state_wants_commands(const struct top_state *state)
{
	return state->commands || *state->filter;
}

/* Clip cursor and first lines to the model, the list and the layout: call it
 * after a reading, a key, and a change of size. */
void top_state_settle(struct top_state *state, const struct top_model *model,
		      const struct top_list *list,
		      const struct top_layout *layout);

/* The row that is shown alone; NULL: it has ended. */
const struct top_row *top_detail_row(const struct top_model *model,
				     const struct top_state *state);

/* Whether it shows this part, and how many it shows. */
bool top_detail_has(const struct top_part *part);
size_t top_detail_lines(const struct top_model *model,
			const struct top_state *state);

#endif
