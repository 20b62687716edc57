/* SPDX-License-Identifier: MIT */
/* A grid on the terminal, and the keys and signals that come. There is one
 * terminal, on stdin and stdout. */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "top_grid.h"

/* Takes the terminal over, and SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP,
 * SIGCONT and SIGWINCH, which from then on come in top_screen_wait() alone.
 * What is wrong, if false, has been said. */
bool top_screen_open(void);

/* Gives it back as it was. */
void top_screen_close(void);

void top_screen_size(unsigned int *width, unsigned int *height);

/* Shows the grid, which has the screen's size. -ENOMEM */
int top_screen_show(const struct top_grid *grid);

/* What ended a wait. */
enum top_event {
	TOP_EVENT_TIME,	  /* that time came */
	TOP_EVENT_KEY,	  /* key is one of tools/top_state.h */
	TOP_EVENT_REDRAW, /* the size may have changed, or what is on it */
	TOP_EVENT_END,	  /* a signal that ends, or nobody is there any more */
};

/* Waits until then, by CLOCK_MONOTONIC; below 0: for ever. */
enum top_event top_screen_wait(int64_t until_ns, int *key);

/* The signal of TOP_EVENT_END; 0: none. */
int top_screen_signal(void);

#endif
