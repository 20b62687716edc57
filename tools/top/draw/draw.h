/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TOP_DRAW_DRAW_H
#define TOOL_TOP_DRAW_DRAW_H

#include "top/draw/grid.h"
#include "top/model/list.h"
#include "top/model/model.h"
#include "top/state/keys.h"
#include "top/state/layout.h"
#include "top/state/state.h"

/* Draw the whole screen on a grid of the layout's size. @keys: there is a
 * keyboard; show a cursor and help. */
void top_draw(struct top_grid *grid, const struct top_layout *layout,
	      const struct top_model *model, const struct top_list *list,
	      const struct top_state *state, bool keys);

/* Draw a part of it. */
void top_draw_nodes(struct top_grid *grid, const struct top_layout *layout,
		    const struct top_model *model,
		    const struct top_state *state);
void top_draw_rows(struct top_grid *grid, const struct top_layout *layout,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_state *state, bool keys);
void top_draw_detail(struct top_grid *grid, const struct top_layout *layout,
		     const struct top_model *model,
		     const struct top_state *state);

/* Draw text of unknown origin, escaped. Returns its columns. */
unsigned int top_draw_foreign(struct top_grid *grid, int x, int y,
			      unsigned int width, const char *bytes,
			      unsigned int look);

#endif
