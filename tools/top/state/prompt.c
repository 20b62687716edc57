// SPDX-License-Identifier: MIT
/* Text that the user types on the last line. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "common/opt.h"
#include "top/state/internal.h"
#include "top/state/keys.h"

void top_prompt_ask(struct top_state *state, enum top_prompt prompt)
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

static void answer_node(struct top_state *state, const struct top_model *model)
{
	struct top_sort sort;

	if (!*state->input)
		top_sort_by(state, TOP_MEMORY);
	else if (top_sort_parse(state->input, &sort) || sort.column != TOP_NODE)
		state->complaint = "no such node.";
	else
		top_sort_by_node(state, sort.node, model);
}

static void answer_delay(struct top_state *state)
{
	int64_t ns = 0;

	if (!*state->input)
		return;
	parse_seconds(state->input, TOP_INTERVAL_MIN, TOP_INTERVAL_MAX, &ns);
	top_set_interval(state, ns);
}

static void answer(struct top_state *state, const struct top_model *model)
{
	enum top_prompt prompt = state->prompt;

	state->prompt = TOP_NO_PROMPT;
	if (prompt == TOP_ASK_NODE)
		answer_node(state, model);
	else if (prompt == TOP_ASK_DELAY)
		answer_delay(state);
}

void top_prompt_key(struct top_state *state, int key,
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
