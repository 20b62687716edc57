/* SPDX-License-Identifier: MIT */
/*
 * A screen in memory. Drawing goes here first, and from here to a terminal, a
 * file or a test. Drawing outside of it is clipped.
 */
#ifndef TOOL_TOP_DRAW_GRID_H
#define TOOL_TOP_DRAW_GRID_H

#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

/* The look of a cell: one of the inks, and any of the bits. Ink alone carries no
 * information. */
enum {
	TOP_INK_PLAIN,
	TOP_INK_MEMORY,
	TOP_INK_CPU,
	TOP_INK_WARN,
	TOP_INK_MASK = 7,
	TOP_BOLD = 8,
	TOP_REVERSE = 16,
	TOP_DIM = 32,
};

struct top_cell {
	wchar_t c; /* 0: the character before takes two columns */
	unsigned int look;
};

/* Cells by line. Begins as zeros. */
struct top_grid {
	unsigned int width, height;
	struct top_cell *cells;
};

/* Resize it, and fill it with spaces. Returns 0 or -ENOMEM. */
int top_grid_reset(struct top_grid *grid, unsigned int width,
		   unsigned int height);
void top_grid_free(struct top_grid *grid);

/* Write at most @width columns of @text, from column @x on. The caller has
 * escaped it (common/text.h). Returns the columns used. */
unsigned int top_grid_text(struct top_grid *grid, int x, int y,
			   unsigned int width, const char *text,
			   unsigned int look);

/* The same, aligned to the right edge of these columns. */
void top_grid_right(struct top_grid *grid, int x, int y, unsigned int width,
		    const char *text, unsigned int look);

/* Draw a bar of @width columns, @part / @whole of it filled. */
void top_grid_bar(struct top_grid *grid, int x, int y, unsigned int width,
		  int64_t part, int64_t whole, unsigned int look);

/* Add the bits of @look to @width cells. */
void top_grid_look(struct top_grid *grid, int x, int y, unsigned int width,
		   unsigned int look);

/* Write its lines, without trailing spaces. */
void top_grid_print(const struct top_grid *grid, FILE *f);

#endif
