/* SPDX-License-Identifier: MIT */
/* Changes of the state that keys and typed text share. */
#ifndef TOOL_TOP_STATE_INTERNAL_H
#define TOOL_TOP_STATE_INTERNAL_H

#include "top/state/state.h"

/* The first line that is on the screen if the last of @nr is. */
size_t top_last_first(size_t nr, size_t lines);

void top_sort_by(struct top_state *state, enum top_column column);
void top_sort_by_node(struct top_state *state, int node,
		      const struct top_model *model);
void top_set_interval(struct top_state *state, int64_t ns);

/* Begin to ask for text, and take one key of it. */
void top_prompt_ask(struct top_state *state, enum top_prompt prompt);
void top_prompt_key(struct top_state *state, int key,
		    const struct top_model *model);

#endif
