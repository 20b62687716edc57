// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/output.h"
#include "common/text.h"
#include "top/draw/grid.h"

int top_grid_reset(struct top_grid *grid, unsigned int width,
		   unsigned int height)
{
	size_t nr = (size_t)width * height;

	if (width != grid->width || height != grid->height || !grid->cells) {
		struct top_cell *cells =
			reallocarray(grid->cells, nr ? nr : 1, sizeof(*cells));

		if (!cells)
			return -ENOMEM;
		grid->cells = cells;
		grid->width = width;
		grid->height = height;
	}
	for (size_t i = 0; i < nr; i++)
		grid->cells[i] = (struct top_cell){.c = L' '};
	return 0;
}

void top_grid_free(struct top_grid *grid)
{
	free(grid->cells);
	*grid = (struct top_grid){0};
}

static struct top_cell *cell(struct top_grid *grid, int x, int y)
{
	if (x < 0 || y < 0 || (unsigned int)x >= grid->width ||
	    (unsigned int)y >= grid->height)
		return NULL;
	return &grid->cells[(size_t)y * grid->width + (size_t)x];
}

static void put(struct top_grid *grid, int x, int y, wchar_t c,
		unsigned int look)
{
	struct top_cell *at = cell(grid, x, y);

	if (at)
		*at = (struct top_cell){.c = c, .look = look};
}

/* Put a character of one or two columns; half of one becomes a space. */
static void put_wide(struct top_grid *grid, int x, int y, wchar_t c,
		     int columns, unsigned int look)
{
	if (columns > 1 && (!cell(grid, x, y) || !cell(grid, x + 1, y))) {
		put(grid, x, y, L' ', look);
		put(grid, x + 1, y, L' ', look);
		return;
	}
	put(grid, x, y, c, look);
	if (columns > 1)
		put(grid, x + 1, y, 0, look);
}

unsigned int top_grid_text(struct top_grid *grid, int x, int y,
			   unsigned int width, const char *text,
			   unsigned int look)
{
	size_t left = strlen(text);
	mbstate_t state = {0};
	unsigned int used = 0;

	while (left > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, left, &state);
		int columns = n && n <= left ? wcwidth(c) : 0;

		if (columns < 1) {
			state = (mbstate_t){0};
			n = 1;
			columns = 1;
			c = L'?';
		}
		if (used + (unsigned int)columns > width)
			break;
		put_wide(grid, x + (int)used, y, c, columns, look);
		used += (unsigned int)columns;
		text += n;
		left -= n;
	}
	return used;
}

void top_grid_right(struct top_grid *grid, int x, int y, unsigned int width,
		    const char *text, unsigned int look)
{
	unsigned int needs = text_width(text);

	top_grid_text(grid, x + (needs < width ? (int)(width - needs) : 0), y,
		      width, text, look);
}

void top_grid_bar(struct top_grid *grid, int x, int y, unsigned int width,
		  int64_t part, int64_t whole, unsigned int look)
{
	wchar_t rest = output_utf8() ? L'\u2591' : L'.';

	for (unsigned int i = 0; i < width; i++) {
		wchar_t c = output_bar_column(part, whole, width, i);

		if (c == L' ')
			put(grid, x + (int)i, y, rest, TOP_DIM);
		else
			put(grid, x + (int)i, y, c, look);
	}
}

void top_grid_look(struct top_grid *grid, int x, int y, unsigned int width,
		   unsigned int look)
{
	for (unsigned int i = 0; i < width; i++) {
		struct top_cell *at = cell(grid, x + (int)i, y);

		if (at)
			at->look |= look;
	}
}

void top_grid_print(const struct top_grid *grid, FILE *f)
{
	for (unsigned int y = 0; y < grid->height; y++) {
		const struct top_cell *line =
			&grid->cells[(size_t)y * grid->width];
		unsigned int end = grid->width;

		while (end > 0 && line[end - 1].c == L' ')
			end--;
		for (unsigned int x = 0; x < end; x++)
			if (line[x].c)
				fprintf(f, "%lc", (wint_t)line[x].c);
		putc('\n', f);
	}
}
