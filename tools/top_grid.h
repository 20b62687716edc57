/* SPDX-License-Identifier: MIT */
/*
 * A screen in memory: what is drawn goes here first, and from here to a
 * terminal, a file or a test alike. Whatever is outside is not drawn.
 */
#ifndef TOP_GRID_H
#define TOP_GRID_H

#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

/* How a cell looks: one of the inks, and any of the bits. Nothing is told by
 * ink alone. */
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

/* Cells by line. An all-zero grid is an empty one. */
struct top_grid {
	unsigned int width, height;
	struct top_cell *cells;
};

/* Makes it of that size, all spaces. -ENOMEM */
int top_grid_reset(struct top_grid *grid, unsigned int width,
		   unsigned int height);
void top_grid_free(struct top_grid *grid);

/* Writes the text, which must have been escaped (tools/text.h) where others
 * chose it, from column x on, and no more than width columns of it. Returns
 * how many it took. */
unsigned int top_grid_text(struct top_grid *grid, int x, int y,
			   unsigned int width, const char *text,
			   unsigned int look);

/* The same, at the right edge of these columns. */
void top_grid_right(struct top_grid *grid, int x, int y, unsigned int width,
		    const char *text, unsigned int look);

/* A bar of width columns, of which part / whole are filled, in look. */
void top_grid_bar(struct top_grid *grid, int x, int y, unsigned int width,
		  int64_t part, int64_t whole, unsigned int look);

/* Adds the bits of look to width cells. */
void top_grid_look(struct top_grid *grid, int x, int y, unsigned int width,
		   unsigned int look);

/* Writes its lines, without trailing spaces. */
void top_grid_print(const struct top_grid *grid, FILE *f);

#endif
