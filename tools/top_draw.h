/* SPDX-License-Identifier: MIT */
/* Draws what numatally top shows. */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "top_grid.h"
#include "top_layout.h"
#include "top_list.h"
#include "top_model.h"
#include "top_state.h"

/* The whole screen, on a grid of the layout's size. keys: somebody is at a
 * keyboard. */
void top_draw(struct top_grid *grid, const struct top_layout *layout,
	      const struct top_model *model, const struct top_list *list,
	      const struct top_state *state, bool keys);

/* Its parts. */
void top_draw_nodes(struct top_grid *grid, const struct top_layout *layout,
		    const struct top_model *model,
		    const struct top_state *state);
void top_draw_rows(struct top_grid *grid, const struct top_layout *layout,
		   const struct top_model *model, const struct top_list *list,
		   const struct top_state *state, bool keys);
void top_draw_detail(struct top_grid *grid, const struct top_layout *layout,
		     const struct top_model *model,
		     const struct top_state *state);

/* Text that others chose. */
unsigned int top_draw_foreign(struct top_grid *grid, int x, int y,
			      unsigned int width, const char *bytes,
			      unsigned int look);

/* How many lines the detail of a row has, without its heads. */
size_t top_detail_lines(const struct top_model *model,
			const struct top_state *state);

#endif
