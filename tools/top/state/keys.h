/* SPDX-License-Identifier: MIT */
/* The keys of numatally top. */
#ifndef TOOL_TOP_STATE_KEYS_H
#define TOOL_TOP_STATE_KEYS_H

#include "top/state/state.h"

/* A key is a character, or one of these. */
enum {
	TOP_KEY_CTRL_C = 3,
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

/* Do what @key asks for. @list and @layout are those on the screen. */
void top_state_key(struct top_state *state, int key,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_layout *layout);

/* The @n-th line of help: the names of keys, and what they do. Returns false
 * behind the last line. */
bool top_keys_help(unsigned int n, const char **names, const char **help);

#endif
