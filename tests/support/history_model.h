/* SPDX-License-Identifier: MIT */
/* What each call of a history does to the model; whether it gives the result that
 * was recorded. */
#ifndef TEST_SUPPORT_HISTORY_MODEL_H
#define TEST_SUPPORT_HISTORY_MODEL_H

#include "support/history.h"

/* What is held on a node, of reservations and without one; what a child has, the
 * node counts with its parent. */
int32_t history_held_on(const struct model *m, int node);

/* A reservation begins, in this state. */
void history_start(struct model *m, const struct call *c, int state);

bool step_reserve(struct model *m, const struct call *c);
bool step_adopt(struct model *m, const struct call *c);
bool step_commit(struct model *m, const struct call *c);
bool step_cancel(struct model *m, const struct call *c);
bool step_release(struct model *m, const struct call *c);
bool step_release_part(struct model *m, const struct call *c);
bool step_draw(struct model *m, const struct call *c);
bool step_left(struct model *m, const struct call *c);
bool step_change(struct model *m, const struct call *c);
bool step_capacity(struct model *m, const struct call *c);
bool step_quota(struct model *m, const struct call *c);
bool step_exchange(struct model *m, const struct call *c);
bool step_node(struct model *m, const struct call *c);
bool step_held(struct model *m, const struct call *c);
bool step_take(struct model *m, const struct call *c);
bool step_give(struct model *m, const struct call *c);

#endif
