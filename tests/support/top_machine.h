/* SPDX-License-Identifier: MIT */
/* Machines for the tests of numatally top, made up, and a frame of one. */
#ifndef TEST_SUPPORT_TOP_MACHINE_H
#define TEST_SUPPORT_TOP_MACHINE_H

#include "top/draw/draw.h"
#include "top/draw/grid.h"
#include "top/state/layout.h"
#include "top/model/list.h"
#include "top/model/model.h"
#include "top/state/keys.h"
#include "top/state/state.h"

struct top_frame {
	struct top_model model;
	struct top_state state;
	struct top_list list;
	struct top_layout layout;
	struct top_grid grid;
};

/* Add nodes 0, step, 2 * step, ...: node i has a tenth more of its 8 GiB in use
 * than the one before, up to all of it, and its CPUs are as busy. */
void top_machine_nodes(struct top_model *model, unsigned int nr, int step);

/* Add a process of user with bytes on the node with this index, and half as
 * much on the next one. */
struct top_row *top_machine_process(struct top_model *model, int pid,
				    const char *name, const char *user,
				    int64_t bytes, unsigned int index,
				    double cpus);

/* Draw it. keys: with a keyboard; height 0: all lines. */
void top_frame_draw(struct top_frame *frame, unsigned int width,
		    unsigned int height, bool keys);

/* Press keys, and draw after each. */
void top_frame_type(struct top_frame *frame, const char *keys);
void top_frame_press(struct top_frame *frame, int key);

/* The grid's text, which the caller frees; or its line y, in a buffer. */
char *top_frame_text(const struct top_frame *frame);
const char *top_frame_line(const struct top_frame *frame, int y);

void top_frame_free(struct top_frame *frame);

#endif
