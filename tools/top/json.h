/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TOP_JSON_H
#define TOOL_TOP_JSON_H

#include "top/model/list.h"
#include "top/model/model.h"

/* Print the nodes, and the rows in the list's order, as a line of JSON on stdout.
 * Returns 0, or -errno of writing. */
int top_json(const struct top_model *model, const struct top_list *list);

#endif
