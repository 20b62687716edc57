/* SPDX-License-Identifier: MIT */
/* What somebody at the keyboard of numatally top has chosen, and what keys
 * change of it. */
#ifndef TOP_STATE_H
#define TOP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "top_layout.h"
#include "top_list.h"
#include "top_model.h"

/* Keys are characters, or these. */
enum {
	TOP_KEY_ESCAPE = 0x1b,
	TOP_KEY_UP = 0x110000, /* after the last character */
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_BACKSPACE,
	TOP_KEY_OTHER,
};

#define TOP_INTERVAL_MIN 0.1
#define TOP_INTERVAL_MAX 3600.0

/* Bytes that can be typed, and the last one. */
#define TOP_INPUT 128

enum top_prompt { TOP_NO_PROMPT, TOP_ASK_FILTER, TOP_ASK_NODE, TOP_ASK_DELAY };

struct top_state {
	enum top_by by;
	struct top_sort sort;
	enum top_view view;
	char filter[TOP_INPUT];
	double interval_s;
	bool paused, help, quit;
	bool read;		  /* a reading is wanted now */
	size_t cursor, first_row; /* in the list */
	unsigned int first_node;  /* in the model */
	/* One row by itself, whichever line it is on. */
	bool detail;
	int64_t detail_id;
	uint64_t detail_start;
	char detail_name[128];
	size_t detail_first;
	enum top_prompt prompt;
	char input[TOP_INPUT];
	char filter_before[TOP_INPUT];
	const char *complaint; /* about the last key; NULL: none */
};

void top_state_init(struct top_state *state);

/* Brings the state within what there is: after a reading, a key, or another
 * size, which may have changed how much that is. */
void top_state_settle(struct top_state *state, const struct top_model *model,
		      const struct top_list *list,
		      const struct top_layout *layout);

/* One key. list and layout are those on the screen. */
void top_state_key(struct top_state *state, int key,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_layout *layout);

#endif
