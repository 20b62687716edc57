/* SPDX-License-Identifier: MIT */
/* The terminal on stdin and stdout: shows grids, and waits for keys and
 * signals. */
#ifndef TOOL_TOP_SCREEN_H
#define TOOL_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "top/draw/grid.h"

/* Take over the terminal, and SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT
 * and SIGWINCH, which are then handled in top_screen_wait() alone. False: an
 * error was printed. */
bool top_screen_open(void);

/* Restore the terminal. */
void top_screen_close(void);

void top_screen_size(unsigned int *width, unsigned int *height);

/* Show the grid, which has the screen's size. Returns 0 or -ENOMEM. */
int top_screen_show(const struct top_grid *grid);

/* The end of a wait. */
enum top_event {
	TOP_EVENT_TIME,	  /* the time has come */
	TOP_EVENT_KEY,	  /* a key (state/keys.h) */
	TOP_EVENT_REDRAW, /* the size or the content may have changed */
	TOP_EVENT_END,	  /* a signal to end, or the terminal hung up */
};

/* Wait until @until_ns of the monotonic clock; negative: without end. */
enum top_event top_screen_wait(int64_t until_ns, int *key);

/* The signal of TOP_EVENT_END, or 0. */
int top_screen_signal(void);

#endif
