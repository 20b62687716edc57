/* SPDX-License-Identifier: MIT */
/* Machines for the tests of numatally top, made up, and a frame of one. */
#ifndef TOP_MACHINE_H
#define TOP_MACHINE_H

#include "../tools/top_draw.h"
#include "../tools/top_grid.h"
#include "../tools/top_layout.h"
#include "../tools/top_list.h"
#include "../tools/top_model.h"
#include "../tools/top_state.h"

struct top_frame {
	struct top_model model;
	struct top_state state;
	struct top_list list;
	struct top_layout layout;
	struct top_grid grid;
};

/* Nodes 0, step, 2 * step, ...: node i has a tenth more of its 8 GiB in use
 * than the one before, up to all of it, and is as busy. */
void top_machine_nodes(struct top_model *model, unsigned int nr, int step);

/* A process of user with bytes on the node with this index, and half as much
 * on the next one. */
struct top_row *top_machine_process(struct top_model *model, int pid,
				    const char *name, const char *user,
				    int64_t bytes, unsigned int index,
				    double cpus);

/* Draws it; keys: somebody is at a keyboard; height 0: all lines. */
void top_frame_draw(struct top_frame *frame, unsigned int width,
		    unsigned int height, bool keys);

/* Presses keys, each of which is drawn. */
void top_frame_type(struct top_frame *frame, const char *keys);
void top_frame_press(struct top_frame *frame, int key);

/* The grid's text, which the caller frees; or its line y, in a buffer. */
char *top_frame_text(const struct top_frame *frame);
const char *top_frame_line(const struct top_frame *frame, int y);

void top_frame_free(struct top_frame *frame);

#endif
